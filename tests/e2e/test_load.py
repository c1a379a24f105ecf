"""Many requests at once: the same answers as alone, nothing lost, nothing leaked."""

import concurrent.futures
import json
import socket
import threading
import time

from conftest import NAME
from wire import events, post


def unique_prompt(server, tokens, mark):
    """Exactly `tokens` token ids that begin differently for each mark, so that no prefix cache helps."""
    words = f"Chapter {mark}. " + " ".join(f"In {mark + i} the river rose by {i * 7 % 90} feet." for i in range(tokens // 6))
    ids = post(server, "/tokenize", {"prompt": words})[2]["tokens"]
    assert len(ids) >= tokens
    return ids[:tokens]


def answer_of(client, prompt, seed):
    answer = client.completions.create(model=NAME, prompt=prompt, max_tokens=16, temperature=0.9, top_p=0.95, seed=seed, logprobs=5)
    choice = answer.choices[0]
    return choice.text, choice.logprobs.tokens, choice.logprobs.token_logprobs, choice.logprobs.top_logprobs


def test_alone_and_among_fifteen_others(start_server):
    """Bit-identical text and log-probabilities, with the prefix cache off so that both runs compute everything."""
    server = start_server("--prefix-cache", "off")
    prompts = [f"{'Tell me more. ' * (i * 5)}Question {i}: why is the sky blue?" for i in range(16)]
    alone = [answer_of(server.client, prompt, seed) for seed, prompt in enumerate(prompts)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda i: answer_of(server.client, prompts[i], i), range(16)))
    assert together == alone


def test_cached_prefixes_change_nothing(client):
    prompt = "The same long story is read again and again. " * 12
    first = answer_of(client, prompt + "A", 3)
    again = answer_of(client, prompt + "A", 3)
    answer_of(client, prompt + "B", 3)
    assert answer_of(client, prompt + "A", 3) == again == first


def test_sixteen_long_streams(server):
    """16 streams of 1,024-token prompts: no error, tokens equal the engine's counters, blocks back to zero."""
    prompts = [unique_prompt(server, 1024, 1000 * (i + 1)) for i in range(16)]
    before = server.wait_until_idle()
    most_running = [0]
    done = threading.Event()

    def watch():
        while not done.is_set():
            most_running[0] = max(most_running[0], server.metrics()["vllm:num_requests_running"])
            time.sleep(0.1)

    def stream(prompt):
        body = {"prompt": prompt, "max_tokens": 24, "temperature": 0.8, "seed": 1, "ignore_eos": True, "logprobs": 0,
                "stream_options": {"include_usage": True}}
        chunks = list(events(server, "/v1/completions", body))
        tokens = sum(len(c["choices"][0]["logprobs"]["tokens"]) for c in chunks if c["choices"] and c["choices"][0]["logprobs"])
        return chunks[-1]["usage"], tokens

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            results = list(pool.map(stream, prompts))
    finally:
        done.set()
        watcher.join()
    after = server.wait_until_idle()
    for usage, tokens in results:
        assert usage["prompt_tokens"] == 1024 and usage["completion_tokens"] == 24 == tokens
    delta = lambda name: after[name] - before[name]
    assert delta("vllm:generation_tokens_total") == 16 * 24
    assert delta("vllm:prompt_tokens_total") == 16 * 1024
    assert delta('vllm:request_success_total{finished_reason="length"}') == 16
    assert after['hussar_kv_blocks{state="used"}'] == 0 and after["vllm:kv_cache_usage_perc"] == 0
    assert most_running[0] >= 8, "they did not run side by side"


def open_request(server, body):
    """Sends a request and returns its connection without reading the answer."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    data = json.dumps(body).encode()
    connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       + f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return connection


def wait_for(server, metric, least):
    deadline = time.monotonic() + 10
    while server.metrics()[metric] < least:
        assert time.monotonic() < deadline, f"{metric} stayed below {least}"
        time.sleep(0.01)


def test_a_disconnect_frees_the_blocks(server):
    aborted = 'vllm:request_success_total{finished_reason="abort"}'
    for stream in (True, False):
        before = server.wait_until_idle()
        connection = open_request(server, {"prompt": f"Write forever {stream}", "max_tokens": 1500, "ignore_eos": True, "stream": stream})
        if stream:
            connection.recv(200)
        wait_for(server, "vllm:num_requests_running", 1)
        assert server.metrics()['hussar_kv_blocks{state="used"}'] > 0
        connection.close()
        after = server.wait_until_idle(seconds=5)
        assert after['hussar_kv_blocks{state="used"}'] == 0
        assert after[aborted] - before[aborted] == 1


def test_a_full_queue_is_a_429_with_retry_after(start_server):
    server = start_server("--running-max", "1", "--queue-max", "1")
    body = {"prompt": "Write forever", "max_tokens": 1000, "ignore_eos": True, "stream": True}
    first = open_request(server, body)
    wait_for(server, "vllm:num_requests_running", 1)
    second = open_request(server, body)
    wait_for(server, "vllm:num_requests_waiting", 1)
    status, headers, answer = post(server, "/v1/completions", {"prompt": "x", "max_tokens": 1})
    assert status == 429 and int(headers["retry-after"]) >= 1
    assert answer["error"]["code"] == "queue_full"
    first.close()
    second.close()
    server.wait_until_idle()
    assert post(server, "/v1/completions", {"prompt": "x", "max_tokens": 1})[0] == 200
