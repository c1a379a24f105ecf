"""Tools and their calls as the official client and LangChain see them."""

import asyncio
import json

import openai
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field

from conftest import NAME
from wire import post

CITY = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 24}}, "required": ["city"],
        "additionalProperties": False}
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "The weather in a city.", "parameters": CITY}}
ADD = {"type": "function", "function": {"name": "add", "description": "Adds two numbers.", "parameters": {
    "type": "object", "properties": {"a": {"$ref": "#/$defs/digit"}, "b": {"$ref": "#/$defs/digit"}},
    "required": ["a", "b"], "additionalProperties": False, "$defs": {"digit": {"type": "integer", "minimum": 0, "maximum": 9}}}}}


def called_before(city, call_id):
    """A turn in which the model called the tool and told of its result."""
    arguments = json.dumps({"city": city})
    return [{"role": "user", "content": f"What is the weather in {city}?"},
            {"role": "assistant", "content": None,
             "tool_calls": [{"id": call_id, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}]},
            {"role": "tool", "tool_call_id": call_id, "content": "sunny"},
            {"role": "assistant", "content": f"It is sunny in {city}."}]


# Two such turns, and this small model goes on in the same way.
HISTORY = called_before("Oslo", "call_1") + called_before("Rome", "call_2")
QUESTION = HISTORY + [{"role": "user", "content": "What is the weather in Paris?"}]


def test_calls_of_its_own_accord(client):
    # Of several answers of a small model some call and some don't; it confuses the two tags, so one is kept from it.
    asked = dict(model=NAME, messages=QUESTION, tools=[WEATHER], temperature=0.7, seed=1, n=16, max_tokens=60,
                 extra_body={"bad_words": ["tool_response"]})
    answer = client.chat.completions.create(**asked)
    calling = [choice for choice in answer.choices if choice.message.tool_calls]
    assert calling, [choice.message.content for choice in answer.choices]
    for choice in calling:
        assert choice.finish_reason in ("tool_calls", "length")
        for call in choice.message.tool_calls:
            assert call.id.startswith("call_") and call.function.name == "get_weather"
            assert isinstance(json.loads(call.function.arguments), dict)
    streamed = {}
    for chunk in client.chat.completions.create(**asked, stream=True):
        for choice in chunk.choices:
            for call in choice.delta.tool_calls or []:
                streamed.setdefault(choice.index, []).append((call.index, call.function.name, call.function.arguments))
    assert streamed == {choice.index: [(i, call.function.name, call.function.arguments)
                                       for i, call in enumerate(choice.message.tool_calls)] for choice in calling}
    # What the client gives back goes in again.
    message = calling[0].message
    more = QUESTION + [message.model_dump(exclude_none=True)]
    more += [{"role": "tool", "tool_call_id": call.id, "content": "rainy"} for call in message.tool_calls]
    told = client.chat.completions.create(model=NAME, messages=more, tools=[WEATHER], temperature=0, max_tokens=30)
    assert told.usage.prompt_tokens > answer.usage.prompt_tokens
    without = client.chat.completions.create(**asked, tool_choice="none")
    assert all(choice.message.tool_calls is None for choice in without.choices)


@pytest.mark.parametrize("choice", [{"type": "function", "function": {"name": "get_weather"}}, "required"])
def test_forced_calls(client, choice):
    asked = dict(model=NAME, messages=[{"role": "user", "content": "Hello!"}], tools=[WEATHER, ADD], tool_choice=choice,
                 temperature=1, max_tokens=120)
    for seed in range(3):
        whole = client.chat.completions.create(**asked, seed=seed).choices[0]
        assert whole.finish_reason == "tool_calls" and len(whole.message.tool_calls) == 1
        function = whole.message.tool_calls[0].function
        arguments = json.loads(function.arguments)
        if function.name == "get_weather":
            assert list(arguments) == ["city"] and len(arguments["city"]) <= 24
        else:
            assert choice == "required" and sorted(arguments) == ["a", "b"]
            assert all(value in range(10) for value in arguments.values())
    chunks = list(client.chat.completions.create(**asked, seed=2, stream=True))
    deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert [d.function.name for d in deltas if d.function.name] == [function.name]
    assert len([d.id for d in deltas if d.id]) == 1
    assert "".join(d.function.arguments or "" for d in deltas) == function.arguments
    if choice != "required":
        assert len(deltas) > 3, "arguments come as they are written"


def test_what_can_not_be_promised_is_refused(client):
    strict = {"type": "function", "function": {**WEATHER["function"], "strict": True}}
    wrong = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {"type": "thing"}}}
    asked = dict(model=NAME, messages=QUESTION, max_tokens=40)
    with pytest.raises(openai.BadRequestError, match=r"tools\[0\].function.parameters"):
        client.chat.completions.create(**asked, tools=[wrong])
    assert client.chat.completions.create(**asked, tools=[strict], tool_choice="required").choices[0].message.tool_calls
    with pytest.raises(openai.BadRequestError, match="tool_choice"):
        client.chat.completions.create(**asked, tools=[ADD], tool_choice={"type": "function", "function": {"name": "f"}})
    with pytest.raises(openai.BadRequestError, match="response_format"):
        client.chat.completions.create(**asked, tools=[ADD], response_format={"type": "json_object"})


def test_tools_are_counted_as_they_are_sent(server, client):
    plain = post(server, "/tokenize", {"messages": QUESTION})[2]["count"]
    offered = post(server, "/tokenize", {"messages": QUESTION, "tools": [WEATHER]})[2]["count"]
    answer = client.chat.completions.create(model=NAME, messages=QUESTION, tools=[WEATHER], max_tokens=1)
    assert answer.usage.prompt_tokens == offered > plain


def test_async_streams(server):
    async def ask(client, city):
        text = ""
        stream = await client.chat.completions.create(
            model=NAME, messages=[{"role": "user", "content": f"What is the weather in {city}?"}], tools=[WEATHER],
            tool_choice="required", max_tokens=60, stream=True)
        async for chunk in stream:
            for call in chunk.choices[0].delta.tool_calls or []:
                text += call.function.arguments or ""
        return json.loads(text)

    async def ask_all():
        async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0) as client:
            return await asyncio.gather(*(ask(client, city) for city in ("Oslo", "Rome", "Paris", "Lima")))

    assert all(list(arguments) == ["city"] for arguments in asyncio.run(ask_all()))


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


class Person(BaseModel):
    """A person."""
    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=150)


@pytest.fixture(scope="module")
def chat_model(server):
    return ChatOpenAI(model=NAME, base_url=server.url + "/v1", api_key="none", temperature=0, max_tokens=120, max_retries=0)


def test_langchain_tools(chat_model):
    forced = chat_model.bind_tools([get_weather], tool_choice="any")
    question = HumanMessage("What is the weather in Paris?")
    answer = forced.invoke([question])
    assert [call["name"] for call in answer.tool_calls] == ["get_weather"]
    result = get_weather.invoke(answer.tool_calls[0])
    assert isinstance(result, ToolMessage)
    told = chat_model.bind_tools([get_weather]).invoke([question, answer, result])
    assert told.usage_metadata["input_tokens"] > answer.usage_metadata["input_tokens"]
    gathered = None
    for chunk in forced.stream([question]):
        gathered = chunk if gathered is None else gathered + chunk
    assert [(call["name"], call["args"]) for call in gathered.tool_calls] == [
        (call["name"], call["args"]) for call in answer.tool_calls]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_langchain_structured_output(chat_model, method):
    person = chat_model.with_structured_output(Person, method=method).invoke("Ada is 36 years old.")
    assert isinstance(person, Person) and 0 <= person.age <= 150
