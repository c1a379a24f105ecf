"""Several choices and prompts in one request, and the fields that vLLM's clients send, as the official client sees them."""

import pytest

import openai

from conftest import NAME
from wire import post

STORY = "It was a bright cold day in April, and the clocks were striking thirteen. " * 6


def texts(answer):
    return [choice.text for choice in answer.choices]


def test_choices_share_their_prompt(server, client):
    """The engine computes a prompt of several choices once, but for the last block of it, which is each choice's own."""
    _, _, tokens = post(server, "/tokenize", {"prompt": STORY})
    count = tokens["count"]
    before = server.wait_until_idle()
    answer = client.completions.create(model=NAME, prompt=STORY, n=6, max_tokens=4, temperature=1, seed=3,
                                       extra_body={"cache_salt": "choices", "ignore_eos": True})
    after = server.wait_until_idle()
    assert len(answer.choices) == 6
    assert [choice.index for choice in answer.choices] == list(range(6))
    assert answer.usage.prompt_tokens == count, "counted once"
    assert answer.usage.completion_tokens == 6 * 4
    computed = (after["vllm:prompt_tokens_total"] - before["vllm:prompt_tokens_total"]
                - (after["vllm:prefix_cache_hits_total"] - before["vllm:prefix_cache_hits_total"]))
    cached_by_others = (6 * count - computed) / 5
    assert cached_by_others == (count - 1) // 16 * 16, "all whole blocks of 16 tokens before the last token"
    assert after["vllm:generation_tokens_total"] - before["vllm:generation_tokens_total"] == 24


def test_choices_differ_and_reproduce(client):
    asked = dict(model=NAME, prompt="Once upon a time", max_tokens=16, temperature=1.2, seed=7)
    several = client.completions.create(**asked, n=4)
    assert len(set(texts(several))) == 4
    assert texts(client.completions.create(**asked, n=4)) == texts(several)
    assert texts(client.completions.create(**asked)) == texts(several)[:1], "the first is what it would be alone"
    assert texts(client.completions.create(**asked, n=2, best_of=2)) == texts(several)[:2]
    with pytest.raises(openai.BadRequestError, match="best_of"):
        client.completions.create(**asked, n=2, best_of=3)


def test_several_prompts_are_as_if_alone(server, client):
    prompts = ["The capital of France is", "Water is made of", "Once upon a time"]
    asked = dict(model=NAME, max_tokens=6, temperature=0.9, seed=11, extra_body={"ignore_eos": True})
    alone = [client.completions.create(prompt=prompt, **asked) for prompt in prompts]
    together = client.completions.create(prompt=prompts, **asked)
    assert texts(together) == [answer.choices[0].text for answer in alone]
    assert together.usage.prompt_tokens == sum(answer.usage.prompt_tokens for answer in alone)
    assert together.usage.completion_tokens == 18
    ids = [post(server, "/tokenize", {"prompt": prompt})[2]["tokens"] for prompt in prompts]
    assert texts(client.completions.create(prompt=ids, **asked)) == texts(together)
    twice = client.completions.create(prompt=prompts[:2], n=2, **asked)
    assert texts(twice)[0::2] == texts(together)[:2]


def test_choices_stream(client):
    asked = dict(model=NAME, messages=[{"role": "user", "content": "Tell me a story."}], n=3, max_tokens=12,
                 temperature=1, seed=2)
    whole = client.chat.completions.create(**asked)
    collected = {}
    ends = {}
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    for chunk in chunks:
        for choice in chunk.choices:
            collected[choice.index] = collected.get(choice.index, "") + (choice.delta.content or "")
            if choice.finish_reason:
                ends[choice.index] = choice.finish_reason
    assert collected == {choice.index: choice.message.content for choice in whole.choices}
    assert ends == {choice.index: choice.finish_reason for choice in whole.choices}
    assert chunks[-1].usage == whole.usage.model_copy(update={"prompt_tokens_details": chunks[-1].usage.prompt_tokens_details})


def test_echo(server, client):
    prompt = "The capital of France is"
    asked = dict(model=NAME, max_tokens=3, temperature=0)
    plain = client.completions.create(prompt=prompt, **asked)
    echoed = client.completions.create(prompt=prompt, echo=True, **asked)
    assert echoed.choices[0].text == prompt + plain.choices[0].text
    ids = post(server, "/tokenize", {"prompt": prompt})[2]["tokens"]
    assert client.completions.create(prompt=ids, echo=True, **asked).choices[0].text == echoed.choices[0].text
    streamed = list(client.completions.create(prompt=prompt, echo=True, stream=True, **asked))
    assert "".join(chunk.choices[0].text for chunk in streamed) == echoed.choices[0].text
    with pytest.raises(openai.BadRequestError, match="echo"):
        client.completions.create(prompt=prompt, echo=True, logprobs=1, **asked)


def test_allowed_tokens_and_bad_words(server, client):
    asked = dict(model=NAME, prompt="The capital of France is", max_tokens=8, temperature=0)
    paris, lyon = (post(server, "/tokenize", {"prompt": word})[2]["tokens"][0] for word in (" Paris", " Lyon"))
    allowed = client.completions.create(**asked, extra_body={"allowed_token_ids": [paris, lyon], "return_token_ids": True})
    assert set(allowed.choices[0].token_ids) <= {paris, lyon} and len(allowed.choices[0].token_ids) == 8
    assert "Paris" in client.completions.create(**asked).choices[0].text
    for words in (["Paris"], [" Paris"], ["nothing", "Paris"]):
        assert "Paris" not in client.completions.create(**asked, extra_body={"bad_words": words}).choices[0].text
    # A word of several tokens is kept from being completed, not from being begun.
    text = client.completions.create(**asked).choices[0].text
    ids = post(server, "/tokenize", {"prompt": text})[2]["tokens"]
    word = post(server, "/detokenize", {"tokens": ids[:3]})[2]["prompt"]
    changed = client.completions.create(**asked, extra_body={"bad_words": [word], "return_token_ids": True})
    assert changed.choices[0].token_ids[:2] == ids[:2] and changed.choices[0].token_ids[2] != ids[2]


def test_truncated_prompts(server, client, start_server):
    ids = post(server, "/tokenize", {"prompt": STORY})[2]["tokens"]
    asked = dict(model=NAME, max_tokens=3, temperature=0)
    cut = client.completions.create(prompt=ids, extra_body={"truncate_prompt_tokens": 9, "return_token_ids": True}, **asked)
    assert cut.usage.prompt_tokens == 9 and cut.choices[0].prompt_token_ids == ids[-9:]
    assert cut.choices[0].text == client.completions.create(prompt=ids[-9:], **asked).choices[0].text
    small = start_server("--ctx", "128")
    long = small.client.completions.create(prompt=STORY * 9, max_tokens=2, model=NAME,
                                           extra_body={"truncate_prompt_tokens": -1})
    assert long.usage.prompt_tokens == 128 - 2


def test_stop_strings_and_special_tokens_shown(client):
    asked = dict(model=NAME, prompt="Count: 1, 2, 3,", max_tokens=12, temperature=0)
    whole = client.completions.create(**asked).choices[0].text
    stop = whole[3:5]
    cut = whole.index(stop)
    assert client.completions.create(**asked, stop=stop).choices[0].text == whole[:cut]
    shown = client.completions.create(**asked, stop=stop, extra_body={"include_stop_str_in_output": True})
    assert shown.choices[0].text == whole[:cut + len(stop)]
    chat = dict(model=NAME, messages=[{"role": "user", "content": "Say hi."}], max_tokens=64, temperature=0)
    ended = client.chat.completions.create(**chat, extra_body={"include_stop_str_in_output": True, "skip_special_tokens": False})
    assert ended.choices[0].message.content.endswith("<|im_end|>")
    assert "<|im_end|>" not in client.chat.completions.create(**chat, extra_body={"skip_special_tokens": False}).choices[0].message.content


def test_token_ids(client):
    asked = dict(model=NAME, messages=[{"role": "user", "content": "Say hi."}], max_tokens=24, temperature=0)
    whole = client.chat.completions.create(**asked, extra_body={"return_token_ids": True})
    assert len(whole.prompt_token_ids) == whole.usage.prompt_tokens
    ids = whole.choices[0].token_ids
    assert len(ids) == whole.usage.completion_tokens
    chunks = list(client.chat.completions.create(**asked, stream=True, extra_body={"return_token_ids": True}))
    assert chunks[0].prompt_token_ids == whole.prompt_token_ids
    assert [i for chunk in chunks for i in getattr(chunk.choices[0], "token_ids", None) or []] == ids
    named = client.chat.completions.create(**asked, logprobs=True, extra_body={"return_tokens_as_token_ids": True})
    assert [entry.token for entry in named.choices[0].logprobs.content] == [f"token_id:{i}" for i in ids][:len(named.choices[0].logprobs.content)]


def test_continue_the_last_message(server, client):
    messages = [{"role": "user", "content": "What is the capital of France?"}, {"role": "assistant", "content": "The capital is"}]
    answer = client.chat.completions.create(model=NAME, messages=messages, max_tokens=4, temperature=0,
                                            extra_body={"continue_final_message": True, "add_generation_prompt": False})
    assert "Paris" in answer.choices[0].message.content
    _, _, continued = post(server, "/tokenize", {"messages": messages, "continue_final_message": True})
    _, _, spelled = post(server, "/detokenize", {"tokens": continued["tokens"]})
    assert spelled["prompt"].endswith("assistant\nThe capital is")
    assert continued["count"] == answer.usage.prompt_tokens
    _, _, closed = post(server, "/tokenize", {"messages": messages, "add_generation_prompt": False})
    _, _, spelled = post(server, "/detokenize", {"tokens": closed["tokens"]})
    assert spelled["prompt"].endswith("The capital is<|im_end|>\n")
