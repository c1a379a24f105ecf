"""Whatever is sent, the answer is a 4xx with OpenAI's error object that names the field, and the server goes on."""

import concurrent.futures
import json

import openai
import pytest

from conftest import NAME
from wire import events, post, raw, request

COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"
HI = [{"role": "user", "content": "Hi"}]


def completion(**fields):
    return COMPLETIONS, {"prompt": "x", "max_tokens": 2, **fields}


def chat(**fields):
    return CHAT, {"messages": HI, "max_tokens": 2, **fields}


# (path, body), status, param
FIELDS = [
    (completion(frobnicate=1), 400, "frobnicate"),
    (chat(frobnicate=None), 400, "frobnicate"),
    (completion(Prompt="x"), 400, "Prompt"),
    (completion(model="gpt-4"), 404, "model"),
    (chat(model="gpt-4"), 404, "model"),
    (completion(model=1), 400, "model"),
    ((COMPLETIONS, {}), 400, "prompt"),
    ((COMPLETIONS, {"prompt": None}), 400, "prompt"),
    (completion(prompt=5), 400, "prompt"),
    (completion(prompt=""), 400, "prompt"),
    (completion(prompt=[]), 400, "prompt"),
    (completion(prompt=["a", 1]), 400, "prompt[1]"),
    (completion(prompt=["a"] * 200), 400, "prompt"),
    (completion(prompt=[1, "a"]), 400, "prompt[1]"),
    (completion(prompt=[-1]), 400, "prompt[0]"),
    (completion(prompt=[10**9]), 400, "prompt[0]"),
    (completion(prompt=[2**70]), 400, "prompt[0]"),
    (completion(prompt=[1.5]), 400, "prompt[0]"),
    (completion(max_tokens=0), 400, "max_tokens"),
    (completion(max_tokens=-1), 400, "max_tokens"),
    (completion(max_tokens=1.5), 400, "max_tokens"),
    (completion(max_tokens="9"), 400, "max_tokens"),
    (completion(max_tokens=10**12), 400, "max_tokens"),
    (completion(max_tokens=1e308), 400, "max_tokens"),
    (completion(max_tokens=4, max_new_tokens=5), 400, "max_new_tokens"),
    (chat(max_tokens=4, max_completion_tokens=5), 400, "max_completion_tokens"),
    (completion(temperature=-1), 400, "temperature"),
    (completion(temperature=3), 400, "temperature"),
    (completion(temperature="warm"), 400, "temperature"),
    (completion(temperature=True), 400, "temperature"),
    (completion(top_p=1.5), 400, "top_p"),
    (completion(top_p=-0.5), 400, "top_p"),
    (completion(top_k=-2), 400, "top_k"),
    (completion(min_p=7), 400, "min_p"),
    (completion(repetition_penalty=0), 400, "repetition_penalty"),
    (completion(presence_penalty=9), 400, "presence_penalty"),
    (completion(frequency_penalty=-9), 400, "frequency_penalty"),
    (completion(logit_bias={"x": 1}), 400, "logit_bias.x"),
    (completion(logit_bias={"99999999": 1}), 400, "logit_bias.99999999"),
    (completion(logit_bias={"1": 1000}), 400, "logit_bias.1"),
    (completion(logit_bias=5), 400, "logit_bias"),
    (completion(seed=0.5), 400, "seed"),
    (completion(seed=2**65), 400, "seed"),
    (completion(stop=7), 400, "stop"),
    (completion(stop=""), 400, "stop"),
    (completion(stop=["x"] * 100), 400, "stop"),
    (completion(stop=["x" * 10000]), 400, "stop[0]"),
    (completion(stop_token_ids=[10**8]), 400, "stop_token_ids[0]"),
    (completion(stop_token_ids="x"), 400, "stop_token_ids"),
    (completion(min_tokens=5), 400, "min_tokens"),
    (completion(ignore_eos="yes"), 400, "ignore_eos"),
    (completion(logprobs=99), 400, "logprobs"),
    (completion(logprobs=True), 400, "logprobs"),
    (completion(stream=1), 400, "stream"),
    (completion(stream_options={"include_usage": True}), 400, "stream_options"),
    (completion(stream=True, stream_options={"x": 1}), 400, "stream_options.x"),
    (completion(n=0), 400, "n"),
    (completion(n=1000), 400, "n"),
    (completion(n=2, best_of=3), 400, "best_of"),
    (completion(best_of=2), 400, "best_of"),
    (completion(echo=True, logprobs=1), 400, "echo"),
    (chat(echo=True), 400, "echo"),
    (completion(allowed_token_ids=[]), 400, "allowed_token_ids"),
    (completion(bad_words=[""]), 400, "bad_words[0]"),
    (completion(truncate_prompt_tokens=0), 400, "truncate_prompt_tokens"),
    (completion(skip_special_tokens=False, stop="x"), 400, "skip_special_tokens"),
    (chat(chat_template_kwargs={"messages": []}), 400, "chat_template_kwargs.messages"),
    (chat(continue_final_message=True, add_generation_prompt=True), 400, "continue_final_message"),
    (completion(suffix="z"), 400, "suffix"),
    (completion(use_beam_search=True), 400, "use_beam_search"),
    (completion(guided_regex="a+"), 400, "guided_regex"),
    (completion(cache_salt="x" * 1000), 400, "cache_salt"),
    ((CHAT, {"max_tokens": 2}), 400, "messages"),
    (chat(messages=[]), 400, "messages"),
    (chat(messages="hi"), 400, "messages"),
    (chat(messages=[5]), 400, "messages[0]"),
    (chat(messages=[{"role": "user"}]), 400, "messages[0].content"),
    (chat(messages=[{"content": "x"}]), 400, "messages[0].role"),
    (chat(messages=[{"role": "emperor", "content": "x"}]), 400, "messages[0].role"),
    (chat(messages=[{"role": "tool", "content": "x"}]), 400, "messages[0].tool_call_id"),
    (chat(messages=[{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "["}}]}]), 400,
     "messages[0].tool_calls[0].function.arguments"),
    (chat(messages=HI + [{"role": "user", "content": "x", "mood": "good"}]), 400, "messages[1].mood"),
    (chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]), 400, "messages[0].content[0]"),
    (chat(tools=[{"type": "function", "function": {"name": "f g"}}]), 400, "tools[0].function.name"),
    (chat(tools=[{"type": "retrieval"}]), 400, "tools[0].type"),
    (chat(tool_choice="required"), 400, "tool_choice"),
    (chat(response_format={"type": "xml"}), 400, "response_format.type"),
    (chat(top_logprobs=2), 400, "top_logprobs"),
    (chat(logprobs=True, top_logprobs=50), 400, "top_logprobs"),
    (chat(logprobs=1), 400, "logprobs"),
    (("/tokenize", {}), 400, "prompt"),
    (("/tokenize", {"prompt": 1}), 400, "prompt"),
    (("/detokenize", {"tokens": [-5]}), 400, "tokens[0]"),
    (("/detokenize", {"tokens": "x"}), 400, "tokens"),
]


@pytest.mark.parametrize("asked, status, param", FIELDS, ids=[f"{i}-{case[2]}" for i, case in enumerate(FIELDS)])
def test_bad_fields(server, asked, status, param):
    got, _, answer = post(server, *asked)
    assert got == status, answer
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["error"]["param"] == param, answer
    assert param.split(".")[-1].split("[")[0] in answer["error"]["message"]


BODIES = [
    (b"", 400), (b"{", 400), (b"null", 400), (b"[]", 400), (b'"x"', 400), (b"\x00\x01\x02", 400),
    (b'{"prompt": "x", "temperature": NaN}', 400), (b'{"prompt": "x", "temperature": Infinity}', 400),
    (b'{"prompt": "x", "temperature": 1e999}', 400), (b'{"prompt": "\xff\xfe"}', 400), (b'{"prompt": "\xed\xa0\x80"}', 400),
    (b'{"prompt": "\\ud800"}', 400), (b'{"prompt": "x", "prompt": "y"}', 400), (b'{"prompt": "x",}', 400),
    (b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400), (b'{"prompt": "x"} trailing', 400),
    (b" " * (9 << 20), 413),
]


@pytest.mark.parametrize("body, status", BODIES, ids=range(len(BODIES)))
def test_bad_bodies(server, body, status):
    got, _, answer = post(server, COMPLETIONS, body)
    assert got == status, answer
    assert answer["error"]["message"] and answer["error"]["code"]


def test_context_overflow(server, client):
    limit = post(server, "/tokenize", {"prompt": "x"})[2]["max_model_len"]
    for body in ({"prompt": "word " * (limit + 10)}, {"prompt": "x", "max_tokens": limit}, {"prompt": "x", "max_tokens": 10 * limit}):
        status, _, answer = post(server, COMPLETIONS, body)
        assert status == 400 and answer["error"]["code"] == "context_length_exceeded", answer
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=NAME, messages=[{"role": "user", "content": "word " * (limit + 10)}])
    assert caught.value.code == "context_length_exceeded"


def test_http_itself(server):
    for data, status in (
            (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
            (b"DELETE /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
            (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
            (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
            (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", 413),
            (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
            (b"complete nonsense\r\n\r\n", 400),
            (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", 400)):
        answer = raw(server, data)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (data[:50], answer[:200])
        assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["code"]
    status, headers, _ = request(server, "GET", COMPLETIONS)
    assert status == 405 and headers["allow"] == "POST"
    assert post(server, COMPLETIONS, {"prompt": "x"}, {"Content-Type": "text/plain"})[0] == 415
    assert post(server, COMPLETIONS, {"prompt": "x"}, {"Content-Encoding": "gzip"})[0] == 415


def test_the_clients_exceptions(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=NAME, messages=HI, extra_body={"frobnicate": 1})
    assert caught.value.param == "frobnicate" and caught.value.code == "unsupported_parameter"
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-4", messages=HI)
    assert missing.value.code == "model_not_found"


def test_bad_input_does_not_touch_another_request(server):
    """A stream that runs while every bad request above is sent says what it says alone."""
    asked = {"prompt": "Once upon a time", "max_tokens": 150, "temperature": 0.9, "seed": 11, "ignore_eos": True}
    alone = post(server, COMPLETIONS, asked)[2]["text"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        stream = pool.submit(lambda: "".join(c["choices"][0]["text"] for c in events(server, COMPLETIONS, asked)))
        for case in FIELDS:
            assert post(server, *case[0])[0] == case[1]
        for body, status in BODIES:
            assert post(server, COMPLETIONS, body)[0] == status
        assert stream.result() == alone


def test_unknown_fields_can_be_named_instead(start_server):
    server = start_server("--unknown-fields", "warn")
    status, headers, _ = post(server, CHAT, {"messages": HI, "max_tokens": 1, "frobnicate": 1, "nicate": {}})
    assert status == 200 and headers["x-hussar-ignored-fields"] == "frobnicate, nicate"
    assert post(server, CHAT, {"messages": HI, "audio": {}})[0] == 400


def test_the_server_still_answers(server, client):
    """Last in this file: after all of the above."""
    assert client.chat.completions.create(model=NAME, messages=HI, max_tokens=2).usage.completion_tokens >= 1
    assert server.wait_until_idle()['hussar_kv_blocks{state="used"}'] == 0
