"""/v1/messages as Anthropic's official client sees it."""

import anthropic
import pytest

from conftest import NAME
from wire import post

WEATHER = {"name": "get_weather", "description": "The weather in a city.", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string", "maxLength": 24}}, "required": ["city"],
    "additionalProperties": False}}
WATER = [{"role": "user", "content": "What is water made of?"}]


# That client has no parameter for it any more, but the API has.
GREEDY = {"extra_body": {"temperature": 0}}


@pytest.fixture(scope="module")
def claude(server):
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)


def test_text(claude, client):
    answer = claude.messages.create(model=NAME, max_tokens=60, system="You are brief.", messages=WATER, **GREEDY)
    assert answer.type == "message" and answer.role == "assistant" and answer.model == NAME
    same = client.chat.completions.create(model=NAME, temperature=0, max_tokens=60,
                                          messages=[{"role": "system", "content": "You are brief."}] + WATER)
    assert answer.content[0].text == same.choices[0].message.content
    assert answer.usage.input_tokens + answer.usage.cache_read_input_tokens == same.usage.prompt_tokens
    assert answer.usage.output_tokens == same.usage.completion_tokens
    assert answer.stop_reason == ("end_turn" if same.choices[0].finish_reason == "stop" else "max_tokens")
    blocks = [{"role": "user", "content": [{"type": "text", "text": "What is water "}, {"type": "text", "text": "made of?"}]}]
    assert claude.messages.create(model=NAME, max_tokens=60, messages=blocks, **GREEDY,
                                  system=[{"type": "text", "text": "You are brief."}]).content[0].text == answer.content[0].text
    counted = claude.messages.count_tokens(model=NAME, messages=WATER, system="You are brief.")
    assert counted.input_tokens == same.usage.prompt_tokens


def test_stream(claude):
    asked = dict(model=NAME, max_tokens=40, messages=WATER, **GREEDY)
    whole = claude.messages.create(**asked)
    with claude.messages.stream(**asked) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert final.stop_reason == whole.stop_reason and final.usage.output_tokens == whole.usage.output_tokens
    types = [event.type for event in claude.messages.create(**asked, stream=True)]
    assert types[:2] == ["message_start", "content_block_start"]
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_stop_sequences_and_prefill(claude):
    asked = dict(model=NAME, max_tokens=40, **GREEDY)
    whole = claude.messages.create(messages=WATER, **asked).content[0].text
    word = whole.split()[3]
    cut = claude.messages.create(messages=WATER, stop_sequences=[word], **asked)
    assert cut.stop_reason == "stop_sequence" and cut.stop_sequence == word
    assert cut.content[0].text == whole[:whole.index(word)]
    begun = WATER + [{"role": "assistant", "content": "Water is made of hydrogen and"}]
    assert "oxygen" in claude.messages.create(messages=begun, **asked).content[0].text


def test_tools(claude):
    asked = dict(model=NAME, max_tokens=80, tools=[WEATHER], **GREEDY)
    question = [{"role": "user", "content": "What is the weather in Paris?"}]
    for choice in ({"type": "any"}, {"type": "tool", "name": "get_weather"}):
        answer = claude.messages.create(messages=question, tool_choice=choice, **asked)
        assert answer.stop_reason == "tool_use"
        use = answer.content[-1]
        assert use.type == "tool_use" and use.name == "get_weather" and list(use.input) == ["city"]
        with claude.messages.stream(messages=question, tool_choice=choice, **asked) as stream:
            assert stream.get_final_message().content[-1].input == use.input
    history = question + [{"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
                          {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "sunny"}]}]
    told = claude.messages.create(messages=history, **{**asked, "tool_choice": {"type": "none"}})
    assert told.content[0].type == "text" and told.stop_reason in ("end_turn", "max_tokens")


def test_errors_have_that_apis_shape(server, claude):
    with pytest.raises(anthropic.BadRequestError) as refused:
        claude.messages.create(model=NAME, max_tokens=5, messages=WATER, thinking={"type": "enabled", "budget_tokens": 1024})
    assert refused.value.body["type"] == "error"
    assert refused.value.body["error"]["type"] == "invalid_request_error" and "thinking" in refused.value.body["error"]["message"]
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="other", max_tokens=5, messages=WATER)
    status, _, body = post(server, "/v1/messages", b"{")
    assert status == 400 and body["type"] == "error"


def test_keys_are_taken_and_refused_as_that_api_does(start_server, tmp_path):
    keys = tmp_path / "keys.json"
    keys.write_text('{"keys": [{"name": "ada", "key": "secret-of-ada"}]}')
    server = start_server("--api-keys", str(keys))
    asked = dict(model=NAME, max_tokens=2, messages=WATER)
    with anthropic.Anthropic(base_url=server.url, api_key="secret-of-ada", max_retries=0) as known:
        assert known.messages.create(**asked).usage.output_tokens == 2
    with anthropic.Anthropic(base_url=server.url, api_key="another", max_retries=0) as unknown:
        with pytest.raises(anthropic.AuthenticationError) as refused:
            unknown.messages.create(**asked)
    assert refused.value.body["type"] == "error" and refused.value.body["error"]["type"] == "authentication_error"
