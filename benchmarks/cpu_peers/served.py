"""Servers, pressed by `hussar bench load`."""

import contextlib
import json
import socket
import subprocess
import tempfile
import urllib.request

from . import children
from .children import Failure


CLIENT_LIMITED = 3  # exit code of `hussar bench load`


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(command, port, path):
    """The server's address while it runs; ready once `path` answers."""
    url = f"http://127.0.0.1:{port}"

    def ready():
        try:
            urllib.request.urlopen(url + path, timeout=5).close()
        except OSError:
            return False
        return True

    with tempfile.TemporaryFile("w+", errors="replace") as log, tempfile.TemporaryDirectory(prefix="cpu_side_by_side") as folder:
        process = children.start(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        try:
            children.wait_until(ready, process, log, command[0])
            yield url
        finally:
            children.stop(process)


def press(hussar, url, requests, users, prompt, generate, seed, extra):
    """The summary of one run in closed loop. Prompts are made up and share no prefix; answers are of full length and greedy, so that no
    server's sampler counts. The client shares the processors with the server, so that it may call itself too slow (exit code 3): by
    milliseconds, where these runs take seconds. That is said and counted."""
    out = children.run(
        [hussar, "bench", "load", "--url", url, "--api", "completions", "--users", users, "--requests", requests, "--duration-s", 86400,
         "--input-tokens", prompt, "--output-tokens", generate, "--force-length", "--temperature", 0, "--seed", seed,
         "--metrics-url", "none", "--first-token-ms-max", 0, "--stall-ms-max", 0, "--total-ms-max", 0, "--drain-s", 86400, "--json",
         *(["--extra", json.dumps(extra)] if extra else [])], fine_codes=(0, CLIENT_LIMITED))  # fmt: skip
    results = json.loads(out)
    summary = results["rows"][0]["summary"]
    if results["client_limited"]:
        print(f"  a client that was late: {results['self_proof']['reason']}", flush=True)
    if summary["ok"] != requests or summary["output_tokens"] != requests * generate:
        raise Failure(f"{summary['ok']} of {requests} requests were answered, with {summary['output_tokens']} tokens in place of "
                      f"{requests * generate}: {summary['outcomes']}")  # fmt: skip
    if summary["cached_tokens"]:
        raise Failure(f"{summary['cached_tokens']} tokens of prompts came from a cache")
    return summary


def measure(hussar, url, row, waves, seed, extra=None):
    """One run, after two small requests that warm the server up. Output tokens over the time from the first sending to the last end."""
    press(hussar, url, 2, 2, 64, 4, seed + 1_000_000, extra)
    requests = row.users * (waves if row.work == "http" else 1)
    summary = press(hussar, url, requests, row.users, row.prompt, row.generate, seed, extra)
    return {"tokens_per_second": summary["output_tokens_per_s_whole"], "ttft_ms": summary["ttft_ms"]["p50"],
            "prompt_tokens": summary["prompt_tokens"], "requests": requests}  # fmt: skip
