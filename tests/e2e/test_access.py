"""Keys, signals and what a client must not be able to do."""

import json
import signal
import socket
import threading
import time

import openai
import pytest

from conftest import NAME
from test_load import open_request
from wire import post, raw, request


def write_keys(path, *keys):
    path.write_text(json.dumps({"keys": [{"name": f"user-{i}", "key": key} for i, key in enumerate(keys)]}))


def models(server, key):
    return openai.OpenAI(base_url=server.url + "/v1", api_key=key, max_retries=0).models.list().data[0].id


def test_keys_are_needed_read_again_and_never_logged(start_server, tmp_path):
    keys = tmp_path / "keys.json"
    write_keys(keys, "sk-first-key-1")
    server = start_server("--api-keys", str(keys), "--log-format", "json", "--log-level", "debug")
    assert models(server, "sk-first-key-1") == NAME
    with pytest.raises(openai.AuthenticationError):
        models(server, "sk-first-key-2")
    assert request(server, "GET", "/metrics")[0] == 401
    write_keys(keys, "sk-second-key-1")
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while True:
        try:
            assert models(server, "sk-second-key-1") == NAME
            break
        except openai.AuthenticationError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with pytest.raises(openai.AuthenticationError):
        models(server, "sk-first-key-1")
    code, output = server.stop()
    assert code == 0
    for key in ("sk-first-key-1", "sk-first-key-2", "sk-second-key-1"):
        assert key not in output
    assert any(json.loads(line).get("message") == "API keys read" for line in output.splitlines() if line.startswith("{"))


def test_a_rebound_name_is_refused(server):
    answer = raw(server, b"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403") and b"host_not_allowed" in answer


def test_sigterm_drains(start_server):
    server = start_server("--drain-timeout", "60")
    results = []
    body = {"prompt": "Count", "max_tokens": 300, "ignore_eos": True}
    thread = threading.Thread(target=lambda: results.append(post(server, "/v1/completions", body)))
    thread.start()
    while server.metrics()["vllm:num_requests_running"] == 0:
        time.sleep(0.01)
    server.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 10
    while request(server, "GET", "/ready")[0] != 503:
        assert time.monotonic() < deadline
    status, _, answer = post(server, "/v1/completions", {"prompt": "x", "max_tokens": 1})
    assert status == 503 and answer["error"]["code"] == "shutting_down"
    thread.join()
    status, _, answer = results[0]
    assert status == 200 and answer["usage"]["completion_tokens"] == 300, "what ran has finished"
    assert server.process.wait(timeout=30) == 0


def test_a_second_signal_stops(start_server):
    server = start_server("--drain-timeout", "3600")
    connection = open_request(server, {"prompt": "Write forever", "max_tokens": 1900, "ignore_eos": True, "stream": True})
    connection.recv(100)
    server.process.send_signal(signal.SIGTERM)
    while request(server, "GET", "/ready")[0] != 503:
        time.sleep(0.01)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) == 0
    received = b""
    while part := connection.recv(65536):
        received += part
    assert b"shutting_down" in received and received.rstrip().endswith(b"0"), "the stream was told why, and ended whole"


def test_the_trace_id_is_logged_and_returned(start_server):
    server = start_server("--log-format", "json")
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    status, answer_headers, _ = post(server, "/v1/completions", {"prompt": "x", "max_tokens": 2}, headers)
    assert status == 200
    version, trace_id, span, flags = answer_headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", trace, "01") and span != "b7ad6b7169203331"
    _, output = server.stop()
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    traced = [line for line in lines if line.get("trace_id") == trace]
    assert len(traced) == 1 and traced[0]["id"] == answer_headers["x-request-id"]


def test_slow_and_broken_senders_do_not_disturb_others(start_server):
    server = start_server("--header-ms-max", "500", "--body-ms-max", "500")
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    slow = []
    for data in (head, head + b"Content-Length: 1000\r\n\r\n{"):
        for _ in range(20):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            connection.sendall(data)
            slow.append(connection)
    assert post(server, "/v1/completions", {"prompt": "x", "max_tokens": 2})[0] == 200
    for connection in slow:
        assert connection.recv(12) == b"HTTP/1.1 408"
        connection.close()
    assert raw(server, head + b"X: " + b"a" * 100_000 + b"\r\n\r\n").startswith(b"HTTP/1.1 431")
    assert raw(server, head + b"Content-Length: 999999999\r\n\r\n").startswith(b"HTTP/1.1 413")
    pipelined = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200 + b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert raw(server, pipelined).count(b"HTTP/1.1 200") == 201
