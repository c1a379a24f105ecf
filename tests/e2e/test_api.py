"""The API as the official client sees it."""

import math

import openai
import pytest

from conftest import NAME
from wire import events, post, request

# One that this small model answers in a sentence and ends by itself.
QUESTION = [{"role": "user", "content": "Hello! Who are you?"}]


def test_models(client):
    models = client.models.list().data
    assert [model.id for model in models] == [NAME]
    assert client.models.retrieve(NAME).id == NAME
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_chat_answers_sensibly(client):
    water = client.chat.completions.create(model=NAME, messages=[{"role": "user", "content": "What is water made of?"}],
                                           temperature=0, max_tokens=48)
    assert "hydrogen" in water.choices[0].message.content and "oxygen" in water.choices[0].message.content
    answer = client.chat.completions.create(model=NAME, messages=QUESTION, temperature=0, max_tokens=64)
    choice = answer.choices[0]
    assert "help" in choice.message.content
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert "<|im_end|>" not in choice.message.content
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.model == NAME and answer.object == "chat.completion"


def test_chat_stream_equals_whole(client):
    asked = dict(model=NAME, messages=QUESTION, temperature=0, max_tokens=64)
    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert all(c.usage is None for c in chunks[:-1])
    assert len({c.id for c in chunks}) == 1


def test_chat_has_many_chunks(client):
    chunks = list(client.chat.completions.create(model=NAME, messages=QUESTION, max_tokens=20, temperature=0,
                                                 extra_body={"ignore_eos": True}, stream=True))
    assert sum(1 for c in chunks if c.choices[0].delta.content) >= 10


def test_text_parts_and_history(client):
    parts = [{"role": "system", "content": "You are brief."},
             {"role": "user", "content": [{"type": "text", "text": "My name is "}, {"type": "text", "text": "Ada."}]}]
    first = client.chat.completions.create(model=NAME, messages=parts, max_tokens=16, temperature=0)
    # What the client library gives back goes in again, with all its empty members.
    history = parts + [first.choices[0].message.model_dump(), {"role": "user", "content": "What is my name?"}]
    second = client.chat.completions.create(model=NAME, messages=history, max_tokens=16, temperature=0)
    assert second.usage.prompt_tokens > first.usage.prompt_tokens


def test_completion(client):
    answer = client.completions.create(model=NAME, prompt="The capital of France is", max_tokens=5, temperature=0)
    assert "Paris" in answer.choices[0].text
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 5


def test_completion_stream_equals_whole(client):
    asked = dict(model=NAME, prompt="Once upon a time", max_tokens=24, temperature=0.8, seed=5)
    whole = client.completions.create(**asked)
    chunks = list(client.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].text for c in chunks if c.choices) == whole.choices[0].text
    assert chunks[-1].usage.completion_tokens == 24


def test_token_prompts(server, client):
    _, _, tokens = post(server, "/tokenize", {"prompt": "The capital of France is"})
    asked = dict(model=NAME, max_tokens=5, temperature=0)
    as_text = client.completions.create(prompt="The capital of France is", **asked)
    for prompt in (tokens["tokens"], [tokens["tokens"]], ["The capital of France is"]):
        answer = client.completions.create(prompt=prompt, **asked)
        assert answer.choices[0].text == as_text.choices[0].text
        assert answer.usage.prompt_tokens == tokens["count"]


def test_the_articles_dialect(server):
    status, _, answer = post(server, "/v1/completions", {"prompt": "解释牛顿三大定律并举例说明。", "max_new_tokens": 12,
                                                         "temperature": 0.7, "top_p": 0.9, "repetition_penalty": 1.1,
                                                         "ignore_eos": True})
    assert status == 200
    assert answer["text"] == answer["choices"][0]["text"]
    assert 0 < answer["ttft"] < 60
    assert answer["usage"]["completion_tokens"] == 12
    # With a prompt alone the server's default holds.
    status, _, answer = post(server, "/v1/completions", {"prompt": "Count: 1, 2, 3,", "max_new_tokens": 4})
    assert status == 200 and answer["usage"]["completion_tokens"] <= 4
    chunks = list(events(server, "/v1/completions", {"prompt": "Count: 1, 2,", "max_new_tokens": 4}))
    assert 0 < chunks[-1]["ttft"] < 60
    assert all("ttft" not in chunk for chunk in chunks[:-1])


def test_chat_logprobs(client):
    answer = client.chat.completions.create(model=NAME, messages=QUESTION, max_tokens=6, temperature=0, logprobs=True,
                                            top_logprobs=3, extra_body={"ignore_eos": True})
    content = answer.choices[0].logprobs.content
    assert len(content) == 6
    for entry in content:
        assert len(entry.top_logprobs) == 3
        assert entry.logprob <= 0 and math.isfinite(entry.logprob)
        assert entry.top_logprobs[0].logprob == entry.logprob, "greedy takes the likeliest"
        assert entry.top_logprobs[0].token == entry.token
        logprobs = [top.logprob for top in entry.top_logprobs]
        assert logprobs == sorted(logprobs, reverse=True)
    assert b"".join(bytes(e.bytes) for e in content).decode() == answer.choices[0].message.content


def test_completion_logprobs(client):
    answer = client.completions.create(model=NAME, prompt="The capital of France is", max_tokens=4, temperature=0, logprobs=2)
    logprobs = answer.choices[0].logprobs
    assert "".join(logprobs.tokens) == answer.choices[0].text
    assert len(logprobs.token_logprobs) == len(logprobs.top_logprobs) == len(logprobs.text_offset) == 4
    for token, logprob, top in zip(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs):
        assert len(top) == 2 and top[token] == logprob
    assert logprobs.text_offset == [len("".join(logprobs.tokens[:i])) for i in range(4)]
    streamed = list(client.completions.create(model=NAME, prompt="The capital of France is", max_tokens=4, temperature=0,
                                              logprobs=2, stream=True))
    again = [lp for c in streamed if c.choices[0].logprobs for lp in c.choices[0].logprobs.token_logprobs]
    assert again == logprobs.token_logprobs


def test_seeds_reproduce(client):
    def run(**more):
        return client.completions.create(model=NAME, prompt="Once upon a time", max_tokens=24, temperature=1.2, **more).choices[0].text

    assert run(seed=1) == run(seed=1)
    assert run(seed=1) != run(seed=2)
    assert run(seed=-7) == run(seed=-7)
    assert run() != run(), "without a seed each answer has its own"


def test_logit_bias_bans_and_forces(server, client):
    _, _, tokens = post(server, "/tokenize", {"prompt": " Paris"})
    paris = tokens["tokens"][0]
    asked = dict(model=NAME, prompt="The capital of France is", max_tokens=3, temperature=0)
    assert " Paris" in client.completions.create(**asked).choices[0].text
    assert " Paris" not in client.completions.create(**asked, logit_bias={str(paris): -100}).choices[0].text
    assert client.completions.create(**asked, logit_bias={str(paris): 100}).choices[0].text == " Paris" * 3


def test_stop_ids_min_tokens_and_ignore_eos(server, client):
    _, _, tokens = post(server, "/tokenize", {"prompt": " Paris"})
    asked = dict(model=NAME, prompt="The capital of France is", max_tokens=8, temperature=0)
    stopped = client.completions.create(**asked, extra_body={"stop_token_ids": tokens["tokens"]})
    assert stopped.choices[0].finish_reason == "stop" and stopped.choices[0].text == ""
    assert stopped.usage.completion_tokens == 1, "the token that ended the answer counts"
    kept = client.completions.create(**asked, extra_body={"stop_token_ids": tokens["tokens"], "min_tokens": 2})
    assert kept.usage.completion_tokens >= 2
    long = client.chat.completions.create(model=NAME, messages=[{"role": "user", "content": "Say hi."}], max_tokens=80,
                                          temperature=0, extra_body={"ignore_eos": True})
    assert long.choices[0].finish_reason == "length" and long.usage.completion_tokens == 80


def test_prefix_cache_is_counted(server, client):
    prompt = "A prompt that no other test sends. " * 20
    asked = dict(model=NAME, prompt=prompt, max_tokens=2, temperature=0)
    before = server.metrics()
    cold = client.completions.create(**asked)
    warm = client.completions.create(**asked)
    after = server.metrics()
    assert cold.usage.prompt_tokens_details.cached_tokens == 0
    cached = warm.usage.prompt_tokens_details.cached_tokens
    assert cold.usage.prompt_tokens / 2 < cached < cold.usage.prompt_tokens
    assert after["vllm:prefix_cache_hits_total"] - before["vllm:prefix_cache_hits_total"] == cached
    assert warm.choices[0].text == cold.choices[0].text
    salted = client.completions.create(**asked, extra_body={"cache_salt": "other"})
    assert salted.usage.prompt_tokens_details.cached_tokens == 0


def test_tokenize_and_detokenize(server):
    text = "Hello, 世界! <|im_end|> 🤗"
    _, _, vllm = post(server, "/tokenize", {"prompt": text, "return_token_strs": True})
    assert vllm["count"] == len(vllm["tokens"]) == len(vllm["token_strs"])
    assert vllm["max_model_len"] >= 2048
    _, _, llama = post(server, "/tokenize", {"content": text, "parse_special": False})
    assert llama == {"tokens": vllm["tokens"]}
    _, _, special = post(server, "/tokenize", {"content": "<|im_end|>"})
    assert len(special["tokens"]) == 1
    _, _, pieces = post(server, "/tokenize", {"content": text, "parse_special": False, "with_pieces": True})
    spelled = b"".join(p["piece"].encode() if isinstance(p["piece"], str) else bytes(p["piece"]) for p in pieces["tokens"])
    assert spelled.decode() == text
    status, _, back = post(server, "/detokenize", {"tokens": vllm["tokens"]})
    assert status == 200 and back["prompt"] == back["content"] == text


def test_tokenize_counts_what_chat_uses(server, client):
    _, _, counted = post(server, "/tokenize", {"messages": QUESTION})
    answer = client.chat.completions.create(model=NAME, messages=QUESTION, max_tokens=1)
    assert answer.usage.prompt_tokens == counted["count"]


def test_health_ready_page_and_metrics(server):
    assert request(server, "GET", "/health")[2]["status"] == "ok"
    assert request(server, "GET", "/ready")[0] == 200
    status, headers, page = request(server, "GET", "/")
    assert status == 200 and headers["content-type"].startswith("text/html") and "app.js" in page
    assert request(server, "HEAD", "/")[0] == 200
    metrics = server.metrics()
    for name in ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc",
                 "vllm:gpu_cache_usage_perc", "vllm:prompt_tokens_total", "vllm:generation_tokens_total",
                 "vllm:time_to_first_token_seconds_count", "vllm:inter_token_latency_seconds_count",
                 "vllm:e2e_request_latency_seconds_count", 'vllm:request_success_total{finished_reason="stop"}'):
        assert name in metrics


def test_neutral_values_of_real_clients(client):
    """What client libraries send without being asked."""
    answer = client.chat.completions.create(
        model=NAME, messages=[{"role": "user", "content": "Hi", "name": "eve"}], max_tokens=4, n=1, presence_penalty=0,
        frequency_penalty=0, logit_bias={}, user="someone", tools=[], response_format={"type": "text"}, store=False,
        metadata={"a": "b"}, service_tier="auto", parallel_tool_calls=True,
        extra_body={"best_of": 1, "use_beam_search": False, "top_k": -1, "skip_special_tokens": True, "stop": None})
    assert answer.usage.completion_tokens <= 4
