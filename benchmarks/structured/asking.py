"""What the measurements of structured output share: a server of our own, one question to it, other users beside it, and a file of answers."""

import dataclasses
import http.client
import json
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks/overload"))
from overload import BINARY, Server  # noqa: E402

ANSWER_SECONDS_MAX = 300  # an answer that takes longer hangs


@dataclasses.dataclass
class Answer:
    """How a request ended: `status` 0 says that it never did, or that the connection broke, and `error` how. A finish reason of "error" says that no
    answer passed the check of its schema."""

    status: int
    finish_reason: str = ""
    text: str = ""
    error: str = ""
    tokens: int = 0
    seconds: float = 0.0


def start_server(model, at_once, *flags):
    """A server for so many answers at once; stop() it in the end."""
    class Options:
        running, queue, wait_ms = at_once, 256, 600_000

    Options.model = model
    return Server(Options, *flags)


def read_events(response):
    """Text, finish reason and tokens of a stream, which must end with [DONE]."""
    text, reason, tokens, done = "", "", 0, False
    for line in response:
        if not line.startswith(b"data: "):
            continue
        if done:
            raise ValueError("something came after [DONE]")
        done = line.strip() == b"data: [DONE]"
        if done:
            continue
        event = json.loads(line[len(b"data: "):])
        if "error" in event:
            raise ValueError(f"an error in the stream: {event['error'].get('message')}")
        tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
        for choice in event["choices"]:
            text += choice["delta"].get("content") or ""
            if choice.get("finish_reason"):
                if reason:
                    raise ValueError("two finish reasons")
                reason = choice["finish_reason"]
    if not done:
        raise ValueError("the stream ended without [DONE]")
    return text, reason, tokens


def ask(port, prompt, stream, **fields):
    """One chat answer."""
    body = {"messages": [{"role": "user", "content": prompt}], **fields}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS_MAX)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = Answer(response.status)
        if response.status != 200:
            error = json.loads(response.read())["error"]
            answer.error = error["message"]
            if response.status == 422 and error["code"] == "schema_unsatisfied":
                answer.finish_reason = "error"
        elif stream:
            answer.text, answer.finish_reason, answer.tokens = read_events(response)
        else:
            document = json.loads(response.read())
            choice = document["choices"][0]
            answer.text, answer.finish_reason = choice["message"]["content"] or "", choice["finish_reason"]
            answer.tokens = document["usage"]["completion_tokens"]
    except (OSError, http.client.HTTPException, ValueError, LookupError) as error:
        answer = Answer(0, error=f"{type(error).__name__}: {error}")
    finally:
        connection.close()
    answer.seconds = time.monotonic() - began
    return answer


class Crowd:
    """`hussar bench load` with so many users, each of whom asks again when answered, from when all of them are under way until stop()."""

    def __init__(self, server, users):
        self.server, self.users = server, users
        self.process = subprocess.Popen(
            [BINARY, "bench", "load", "--url", server.url, "--users", str(users), "--duration-s", "86400", "--input-tokens", "128",
             "--output-tokens", "64", "--force-length", "--temperature", "0.7", "--drain-s", "60", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while server.load()["running"]["requests"] < users:
            if self.process.poll() is not None:
                sys.exit(f"hussar bench load ended early: {self.process.stderr.read()}")
            time.sleep(0.1)

    def stop(self):
        """What became of the users' requests, by outcome."""
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=120)
        if not output:
            sys.exit(f"hussar bench load failed: {errors}")
        return json.loads(output)["rows"][0]["summary"]["outcomes"]


class Answers:
    """Answers that were had already, kept in a file of JSON lines where one is named, so that a long run can be made in pieces."""

    def __init__(self, path):
        self.path, self.rows = path, []
        if path and path.exists():
            self.rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def has(self, **key):
        return any(key.items() <= row.items() for row in self.rows)

    def add(self, row):
        self.rows.append(row)
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def blocks_left(server):
    """KV blocks in use when nothing runs any more, or after ten seconds."""
    for _ in range(100):
        load = server.load()
        if load["running"]["requests"] == 0 and load["queue"]["waiting"] == 0:
            break
        time.sleep(0.1)
    return load["kv_blocks"]["used"]
