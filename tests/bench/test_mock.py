"""hussar mock as its users see it: the OpenAI client, faults by header and by rate, and the record of what was sent."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import urllib.error
import urllib.request

import openai
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HUSSAR_BINARY", str(ROOT / "build/hussar"))


class Mock:
    def __init__(self, *flags):
        self.process = subprocess.Popen([BINARY, "mock", "--port", "0", *flags], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.url = re.search(r"http://\S+", self.process.stdout.readline())[0]
        self.client = openai.OpenAI(base_url=self.url + "/v1", api_key="none", max_retries=0, timeout=30)

    def stop(self):
        """Its last words."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err
        return out

    def chat(self, request_id="", fault="none", **more):
        return self.client.chat.completions.create(
            model="mock", messages=[{"role": "user", "content": "hello"}], stream=True,
            stream_options={"include_usage": True}, extra_headers={"X-Request-Id": request_id, "X-Mock-Fault": fault}, **more)


@contextlib.contextmanager
def running(*flags):
    mock = Mock(*flags)
    try:
        yield mock
    finally:
        mock.process.kill()
        mock.process.communicate()


QUICK = ("--ttft-ms", "2", "--itl-ms", "1")


def text_and_usage(stream):
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    return text, chunks[-1].usage


@pytest.mark.parametrize("flags", [(), ("--split", "utf8"), ("--split", "line"), ("--tokens-per-chunk", "3"),
                                   ("--events-per-send", "5"), ("--comment-ms", "1"), ("--role-ms", "-1")])
def test_a_client_reads_every_shape_of_stream(flags):
    with running(*QUICK, *flags) as mock:
        text, usage = text_and_usage(mock.chat(max_tokens=20))
        assert usage.completion_tokens == 20
        assert "�" not in text
        counted = json.load(urllib.request.urlopen(urllib.request.Request(
            mock.url + "/tokenize", data=json.dumps({"prompt": text}).encode(), method="POST")))
        assert counted["count"] == 20
        again, _ = text_and_usage(mock.chat(max_tokens=20))
        assert again != text, "each answer has a text of its own"


def test_the_record_says_what_was_sent(tmp_path):
    record = tmp_path / "truth.jsonl"
    with running(*QUICK, "--record", str(record)) as mock:
        text_and_usage(mock.chat(request_id="whole", max_tokens=5))
        with pytest.raises(Exception):
            text_and_usage(mock.chat(request_id="cut", fault="truncate", max_tokens=5))
        with pytest.raises(openai.RateLimitError):
            mock.chat(request_id="refused", fault="429")
        assert not record.exists(), "it appears only when it is whole"
        out = mock.stop()
    assert "answers none=1 429=1 truncate=1" in out
    truths = {truth["request_id"]: truth for truth in map(json.loads, record.read_text().splitlines())}
    assert set(truths) == {"whole", "cut", "refused"}
    whole = truths["whole"]
    assert (whole["status"], whole["whole"], whole["sent_tokens"], whole["planned_tokens"]) == (200, True, 5, 5)
    times = [whole["received_ns"]]
    for chunk in whole["chunks"]:
        assert chunk["tokens"] == 1
        assert times[-1] <= chunk["before_ns"] <= chunk["after_ns"]
        assert chunk["before_ns"] >= whole["received_ns"] + chunk["due_ns"], "never early"
        times.append(chunk["after_ns"])
    assert len(times) == 6 and whole["ended_ns"] >= times[-1]
    assert truths["cut"]["sent_tokens"] == 3 and truths["cut"]["fault"] == "truncate"
    assert truths["refused"]["status"] == 429 and truths["refused"]["chunks"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["truth.jsonl"]


def test_faults_are_drawn_by_their_seed():
    seen = []
    for seed in ("5", "5", "6"):
        with running(*QUICK, "--fault-rates", "500=0.5", "--seed", seed) as mock:
            outcomes = ""
            for _ in range(40):
                try:
                    mock.client.completions.create(model="mock", prompt="x", max_tokens=1)
                    outcomes += "."
                except openai.InternalServerError:
                    outcomes += "5"
            seen.append(outcomes)
            assert f"500={outcomes.count('5')}" in mock.stop()
    assert seen[0] == seen[1] != seen[2]


@pytest.mark.parametrize("flags, message", [
    (("--fault-rates", "nonsense=1"), "there is no fault 'nonsense'"),
    (("--fault-rates", "stall=2"), "--fault-rates"),
    (("--output-tokens", "9:5"), "--output-tokens"),
    (("--ttft-kind", "zipf"), "--ttft-kind"),
    (("--record", "/nowhere/truth.jsonl"), "/nowhere/truth.jsonl"),
    (("--host", "no-such-host.invalid"), "no-such-host.invalid"),
])
def test_bad_flags_end_with_one_line(flags, message):
    ended = subprocess.run([BINARY, "mock", "--port", "0", *flags], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2
    assert message in ended.stderr and len(ended.stderr.splitlines()) == 1


def test_a_taken_port_is_told():
    with running() as mock:
        port = mock.url.rsplit(":", 1)[1]
        ended = subprocess.run([BINARY, "mock", "--port", port], capture_output=True, text=True, timeout=30)
        assert ended.returncode == 2 and "choose another port" in ended.stderr


def test_it_refuses_what_it_does_not_understand():
    with running() as mock:
        for path, body in (("/v1/completions", b"{"), ("/v1/completions", b"{}"), ("/v1/chat/completions", b'{"messages": 3}')):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(mock.url + path, data=body, method="POST"))
            assert refused.value.code == 400
            assert json.load(refused.value)["error"]["message"]
