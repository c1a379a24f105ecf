"""The process around the server: start, end, logs."""

import json
import subprocess
import threading
import time

from conftest import BINARY, MODEL
from wire import post


def test_ctrl_c_ends_cleanly_while_requests_run(start_server):
    server = start_server("--drain-timeout", "0.2")
    results = []

    def ask():
        try:
            results.append(post(server, "/v1/completions", {"prompt": "Write forever", "max_tokens": 1500, "ignore_eos": True})[0])
        except OSError:
            results.append("closed")

    thread = threading.Thread(target=ask)
    thread.start()
    while server.metrics()["vllm:num_requests_running"] == 0:
        time.sleep(0.02)
    began = time.monotonic()
    code, output = server.stop()
    assert code == 0, output
    assert time.monotonic() - began < 10
    thread.join()
    assert results in ([503], ["closed"])


def test_a_port_in_use_says_what_to_do(server):
    second = subprocess.run([BINARY, "serve", "--model", MODEL, "--port", str(server.port)], capture_output=True, text=True, timeout=120)
    assert second.returncode != 0
    lines = [line for line in second.stderr.splitlines() if "in use" in line]
    assert len(lines) == 1 and "--port" in lines[0], second.stderr


def test_json_logs_have_a_line_a_request_and_no_prompts(start_server):
    server = start_server("--log-format", "json")
    secret = "a very private sentence"
    assert post(server, "/v1/completions", {"prompt": secret, "max_tokens": 3, "ignore_eos": True})[0] == 200
    assert post(server, "/v1/completions", {"prompt": secret, "frobnicate": 1})[0] == 400
    _, output = server.stop()
    assert secret not in output
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line.get("route") == "/v1/completions"]
    assert [line["status"] for line in requests] == ["200", "400"]
    assert requests[0]["generated_tokens"] == "3" and float(requests[0]["ttft_ms"]) > 0
