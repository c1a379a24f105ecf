"""Each example runs as it is, against the server of the tests."""

import os
import re
import subprocess
import sys

from conftest import ROOT

EXAMPLES = ROOT / "examples"


def run(*command):
    """What the command prints; fails when it fails. Its packages must need nothing but the server."""
    environment = {**os.environ, "LANGSMITH_TRACING": "false", "NO_PROXY": "127.0.0.1"}
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_openai_client(server):
    printed = run(str(EXAMPLES / "openai_client.py"), server.url)
    assert "hydrogen" in printed
    assert re.search(r"calls get_weather with \{'city': '.{0,30}'\}", printed), printed


def test_langchain(server):
    printed = run(str(EXAMPLES / "langchain_tools.py"), server.url)
    assert re.search(r"calls get_weather with \{'city': '.*'\}: It is sunny in ", printed), printed
    assert re.search(r"an object: City\(name='.*', country='.*'\)", printed), printed


def test_locust(server):
    before = server.metrics()["vllm:generation_tokens_total"]
    run("-m", "locust", "-f", str(EXAMPLES / "locustfile.py"), "--headless", "--users", "2", "--spawn-rate", "2",
        "--run-time", "6s", "--stop-timeout", "20", "--host", server.url, "--only-summary", "--exit-code-on-error", "1",
        "--max-new-tokens", "8")
    assert server.wait_until_idle()["vllm:generation_tokens_total"] - before >= 2 * 8, "both users had an answer"


def test_there_is_a_test_for_each_example():
    named = open(__file__, encoding="utf-8").read()
    for example in EXAMPLES.glob("*.py"):
        assert example.name in named, f"{example.name} is run by no test"
