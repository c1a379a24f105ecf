"""/v1/responses as the official client sees it."""

import json

import openai
import pytest

from conftest import NAME
from wire import post

WEATHER = {"type": "function", "name": "get_weather", "description": "The weather in a city.", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "maxLength": 24}}, "required": ["city"],
    "additionalProperties": False}}


def test_text(client):
    answer = client.responses.create(model=NAME, input="What is water made of?", instructions="You are brief.",
                                     temperature=0, max_output_tokens=60, metadata={"a": "b"})
    assert "hydrogen" in answer.output_text
    assert answer.object == "response" and answer.model == NAME and answer.metadata == {"a": "b"}
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    same = client.chat.completions.create(model=NAME, temperature=0, max_tokens=60, messages=[
        {"role": "system", "content": "You are brief."}, {"role": "user", "content": "What is water made of?"}])
    assert answer.output_text == same.choices[0].message.content
    assert answer.usage.input_tokens == same.usage.prompt_tokens
    cut = client.responses.create(model=NAME, input="What is water made of?", max_output_tokens=3, temperature=0)
    assert cut.status == "incomplete" and cut.incomplete_details.reason == "max_output_tokens"


def test_stream(client):
    asked = dict(model=NAME, input="What is water made of?", temperature=0, max_output_tokens=40)
    whole = client.responses.create(**asked)
    events = list(client.responses.create(**asked, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [events[0].type, events[1].type, events[-1].type] == [
        "response.created", "response.in_progress", "response." + whole.status]
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == whole.output_text
    with client.responses.stream(**asked) as stream:
        assert stream.get_final_response().output_text == whole.output_text if whole.status == "completed" else True


def test_conversation_with_a_tool(client):
    asked = dict(model=NAME, tools=[WEATHER], temperature=0, max_output_tokens=80)
    items = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.responses.create(input=items, tool_choice={"type": "function", "name": "get_weather"}, **asked)
    call = first.output[0]
    assert call.type == "function_call" and call.name == "get_weather" and list(json.loads(call.arguments)) == ["city"]
    items += [item.model_dump(exclude_none=True) for item in first.output]
    items += [{"type": "function_call_output", "call_id": call.call_id, "output": "It is sunny."}]
    second = client.responses.create(input=items, tool_choice="none", **asked)
    alone = client.responses.create(input=items[:1], tool_choice="none", **asked)
    assert second.output[0].type == "message" and second.usage.input_tokens > alone.usage.input_tokens
    events = list(client.responses.create(input=items[:1], tool_choice="required", stream=True, **asked))
    arguments = "".join(e.delta for e in events if e.type == "response.function_call_arguments.delta")
    assert arguments == call.arguments
    assert events[-1].response.output[0].arguments == call.arguments


def test_format(client):
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 150}}, "required": ["age"],
              "additionalProperties": False}
    answer = client.responses.create(model=NAME, input="Ada is 36.", max_output_tokens=60, temperature=0,
                                     text={"format": {"type": "json_schema", "name": "age", "schema": schema, "strict": True}})
    assert 0 <= json.loads(answer.output_text)["age"] <= 150


@pytest.mark.parametrize("field, value", [("previous_response_id", "resp_1"), ("background", True), ("store", True),
                                          ("include", ["reasoning.encrypted_content"]), ("frobnicate", 1)])
def test_refused_by_name(server, client, field, value):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=NAME, input="x", extra_body={field: value})
    assert refused.value.param == field
    assert post(server, "/v1/responses", {"input": "x", "max_output_tokens": 2})[0] == 200, "the server goes on"
