"""More than the server can carry: it refuses politely, keeps what it promised, and is empty afterwards.

Counts only; how long things take is measured by benchmarks/overload.
"""

import collections
import concurrent.futures
import json
import resource
import socket
import threading
import time

from test_load import open_request, wait_for
from wire import events, post, request


def ask(server, index, headers=None, **fields):
    body = {"prompt": f"Request {index}: tell me", "max_tokens": 12, "ignore_eos": True, "temperature": 0.8, "seed": index, **fields}
    return post(server, "/v1/completions", body, headers)


def test_only_429s_beside_complete_answers(start_server):
    server = start_server("--running-max", "4", "--queue-max", "8")
    with concurrent.futures.ThreadPoolExecutor(48) as pool:
        answers = list(pool.map(lambda i: ask(server, i), range(240)))
    statuses = collections.Counter(status for status, _, _ in answers)
    assert set(statuses) == {200, 429}, statuses
    for status, headers, answer in answers:
        if status == 200:
            assert answer["usage"]["completion_tokens"] == 12 and answer["choices"][0]["finish_reason"] == "length"
        else:
            assert answer["error"]["code"] in ("queue_full", "queue_wait")
            assert int(headers["retry-after"]) >= 1
    after = server.wait_until_idle()
    assert after['hussar_kv_blocks{state="used"}'] == 0
    assert after["hussar_requests_accepted_total"] == statuses[200]
    assert after['vllm:request_success_total{finished_reason="length"}'] == statuses[200]
    refused = sum(value for name, value in after.items() if name.startswith("hussar_refused_total"))
    assert refused == statuses[429]


def test_an_infeasible_deadline_is_refused_and_a_feasible_one_is_kept(start_server):
    server = start_server()
    for i in range(4):  # the server learns what steps cost
        assert ask(server, i)[0] == 200
    status, headers, answer = ask(server, 9, {"X-Request-Deadline-Ms": "1"}, max_tokens=1500)
    assert status in (400, 429) and answer["error"]["code"] == "deadline_infeasible"
    assert answer["error"]["param"] == "deadline_ms"
    feasible_ms = int(headers["x-feasible-deadline-ms"])
    assert feasible_ms > 1
    assert server.metrics()["hussar_deadline_refused_total"] == 1
    assert ask(server, 9, deadline_ms=feasible_ms * 20, max_tokens=20)[0] == 200
    load = request(server, "GET", "/v1/load")[2]
    assert load["feasible"]["generated_tokens_per_second"] > 0 and load["feasible"]["requests_per_second"] > 0


def test_an_expired_deadline_frees_the_blocks(start_server):
    server = start_server()  # knows nothing of its speed yet, so that it can't refuse
    status, _, answer = ask(server, 1, deadline_ms=1500, max_tokens=1900)
    assert status == 200 and answer["choices"][0]["finish_reason"] == "deadline"
    assert 0 < answer["usage"]["completion_tokens"] < 1900
    after = server.wait_until_idle(seconds=5)
    assert after['hussar_kv_blocks{state="used"}'] == 0
    assert after['vllm:request_success_total{finished_reason="deadline"}'] == 1


def test_random_cancels_deadlines_and_priorities_leave_nothing_behind(start_server):
    server = start_server("--running-max", "4", "--queue-max", "16")

    def one(i):
        if i % 3 == 0:
            connection = open_request(server, {"prompt": f"Cancel {i}", "max_tokens": 400, "ignore_eos": True, "stream": True})
            time.sleep(0.01 * (i % 7))
            connection.close()
            return "cancelled"
        fields = {"deadline_ms": 50 + 40 * (i % 40)} if i % 3 == 1 else {"priority": i % 5 - 2}
        return ask(server, i, **fields)[0]

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        results = collections.Counter(pool.map(one, range(120)))
    assert set(results) <= {200, 400, 429, 504, "cancelled"}, results
    after = server.wait_until_idle()
    assert after['hussar_kv_blocks{state="used"}'] == 0
    finished = sum(value for name, value in after.items() if name.startswith("vllm:request_success_total"))
    assert finished == after["hussar_requests_accepted_total"], "every accepted request ended once"


def test_ten_thousand_idle_connections(start_server):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    server = start_server("--connections-max", "10050", "--idle-ms-max", "120000")
    connections = []
    try:
        for _ in range(10_000):
            connections.append(socket.create_connection(("127.0.0.1", server.port), timeout=30))
        wait_for(server, "hussar_http_connections", 10_000)
        assert ask(server, 1)[0] == 200, "others are served beside them"
        for connection in connections[::1000]:  # and they are alive
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
    finally:
        for connection in connections:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    deadline = time.monotonic() + 20
    while server.metrics()["hussar_http_connections"] > 10:
        assert time.monotonic() < deadline, "closed connections stay"
        time.sleep(0.05)


def test_one_too_many_connection_is_turned_away(start_server):
    server = start_server("--connections-max", "4")
    held = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(4)]
    deadline = time.monotonic() + 10
    while True:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as one_more:
            answer = one_more.recv(4096)
        if answer.startswith(b"HTTP/1.1 503"):
            break
        assert time.monotonic() < deadline
    for connection in held:
        connection.close()


def test_a_stream_that_nobody_reads_is_cut_and_frees_its_blocks(start_server):
    server = start_server("--backlog-bytes-max", "8192", "--write-ms-max", "1000")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    connection.connect(("127.0.0.1", server.port))
    body = json.dumps({"prompt": "Write", "max_tokens": 1900, "ignore_eos": True, "stream": True, "logprobs": 20, "n": 4}).encode()
    connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    wait_for(server, "vllm:num_requests_running", 1)
    after = server.wait_until_idle(seconds=60)
    assert after['vllm:request_success_total{finished_reason="abort"}'] >= 1
    assert after['hussar_kv_blocks{state="used"}'] == 0
    connection.close()


def test_a_flood_of_one_key_leaves_the_other_its_share(start_server, tmp_path):
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"name": "flood", "key": "sk-flood-1"}, {"name": "small", "key": "sk-small-1"}]}))
    server = start_server("--api-keys", str(keys), "--running-max", "8", "--queue-max", "64")
    flood = {"Authorization": "Bearer sk-flood-1"}
    small = {"Authorization": "Bearer sk-small-1"}
    stop = threading.Event()
    flooded = collections.Counter()

    def pour(seed):
        while not stop.is_set():
            flooded[ask(server, seed, flood, max_tokens=40)[0]] += 1

    pourers = [threading.Thread(target=pour, args=(i,)) for i in range(96)]
    for thread in pourers:
        thread.start()
    try:
        while flooded[429] == 0:
            time.sleep(0.01)
        answers = [ask(server, 1000 + i, small)[0] for i in range(12)]
    finally:
        stop.set()
        for thread in pourers:
            thread.join()
    assert answers == [200] * 12, "the small one is never refused"
    assert set(flooded) == {200, 429}
