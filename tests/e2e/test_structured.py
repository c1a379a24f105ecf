"""Answers within a schema, an expression, a choice or a grammar: each is whole and fits, by Python's own judges."""

import concurrent.futures
import json
import os
import pathlib
import re

import jsonschema
import pytest
from conftest import NAME
from wire import post

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "job": {"type": "string"},
                   "skills": {"type": "array", "items": {"type": "string"}}, "city": {"type": "string"}},
    "required": ["name", "age", "job", "skills", "city"],
    "additionalProperties": False,
}
TASK = ("张伟今年32岁，是一名软件工程师，擅长Python、Java和SQL，住在杭州。请把这些信息整理成JSON，字段名用英文小写"
        "（name、age、job、skills、city），skills用数组，不要解释。")


def schema_format(schema):
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


def ask(client, prompt=TASK, **fields):
    fields = {"max_tokens": 120, "temperature": 0.7, **fields}
    answer = client.chat.completions.create(model=NAME, messages=[{"role": "user", "content": prompt}], **fields)
    return answer.choices[0].finish_reason, answer.choices[0].message.content


def ask_within(client, structured, prompt="Say something.", **fields):
    return ask(client, prompt, extra_body={"structured_outputs": structured}, **fields)


def test_the_articles_task_is_always_legal_whole_and_of_the_right_types(client):
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        runs = list(pool.map(lambda seed: ask(client, seed=seed, response_format=schema_format(PERSON)), range(20)))
    for reason, text in runs:
        assert reason == "stop", text
        jsonschema.validate(json.loads(text), PERSON)


@pytest.mark.parametrize("tokens_max", [14, 20, 33, 50])
def test_few_tokens_still_make_a_whole_document(client, tokens_max):
    for seed in range(4):
        reason, text = ask(client, seed=seed, max_tokens=tokens_max, temperature=1.5, response_format=schema_format(
            {"type": "object", "properties": {"list": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}},
             "required": ["list"], "additionalProperties": False}))
        assert reason == "stop", text
        assert all(isinstance(item, list) for item in json.loads(text)["list"])


def test_too_few_tokens_are_refused_before_anything_is_generated(server):
    status, _, answer = post(server, "/v1/chat/completions", {
        "messages": [{"role": "user", "content": "x"}], "max_tokens": 5, "response_format": schema_format(PERSON)})
    assert status == 400 and answer["error"]["param"] == "max_tokens"
    assert "shortest answer" in answer["error"]["message"]


def test_any_object(client):
    for seed in range(5):
        reason, text = ask(client, seed=seed, max_tokens=60, response_format={"type": "json_object"})
        assert reason == "stop" and isinstance(json.loads(text), dict)


EXPRESSIONS = [r"[0-9]{3}-[0-9]{4}", r"(yes|no|maybe)( [a-z]+){0,3}\.", r"[A-Z][a-z]{2,8} is [0-9]+ years old"]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_regular_expressions(client, expression):
    for seed in range(4):
        reason, text = ask_within(client, {"regex": expression}, seed=seed, max_tokens=40)
        assert reason == "stop" and re.fullmatch(expression, text), text


def test_choices(client):
    choices = ["positive", "negative", "neutral", "杭州"]
    answers = {ask_within(client, {"choice": choices}, seed=seed, temperature=2.0) for seed in range(20)}
    assert {reason for reason, _ in answers} == {"stop"}
    assert {text for _, text in answers} <= set(choices) and len(answers) > 1


def test_grammars(client):
    grammar = 'root ::= term (" + " term)*\nterm ::= [1-9] | "(" root ")"'
    for seed in range(5):
        reason, text = ask_within(client, {"grammar": grammar}, seed=seed, max_tokens=30, temperature=1.5)
        assert reason == "stop"
        assert re.fullmatch(r"[1-9 +()]+", text) and eval(text) > 0  # noqa: S307: digits, signs and brackets only


def test_a_grammar_that_allows_everything_changes_nothing(client):
    free = ask(client, "Why is the sky blue?", max_tokens=40, temperature=0)
    bound = ask_within(client, {"regex": r"[\s\S]*"}, "Why is the sky blue?", max_tokens=42, temperature=0)
    assert bound[1].startswith(free[1])
    assert bound[0] == "stop"


def test_alone_and_together_it_is_the_same(client):
    prompts = [f"Describe person number {i} as JSON." for i in range(12)]

    def answer(i):
        return ask(client, prompts[i], seed=i, temperature=0.9, max_tokens=60, response_format=schema_format(PERSON))

    alone = [answer(i) for i in range(12)]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert list(pool.map(answer, range(12))) == alone


def test_a_reader_that_goes_away_leaves_the_others_alone(server, client):
    alone = ask(client, seed=1, response_format=schema_format(PERSON))
    stream = client.chat.completions.create(
        model=NAME, messages=[{"role": "user", "content": "Write a long list."}], max_tokens=1000, stream=True, temperature=1.5,
        extra_body={"structured_outputs": {"json": {"type": "array", "items": {"type": "integer"}, "minItems": 100}}})
    next(iter(stream))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        other = pool.submit(ask, client, seed=1, response_format=schema_format(PERSON))
        stream.close()
        assert other.result() == alone
    assert server.wait_until_idle()["hussar_kv_blocks{state=\"used\"}"] == 0


UNLIKE = {"type": "array", "items": {"enum": ["red", "green", "blue", "black"]}, "minItems": 3, "maxItems": 3, "uniqueItems": True}


def test_what_no_grammar_says_is_checked_and_drawn_again(start_server):
    """Half of the drawn lists hold a colour twice; who asks never sees one of those."""
    server = start_server()
    client = server.client
    discarded = 0
    for seed in range(30):
        answer = client.chat.completions.create(
            model=NAME, messages=[{"role": "user", "content": "Three colours."}], seed=seed, temperature=1.5, max_tokens=60,
            response_format=schema_format(UNLIKE))
        assert answer.choices[0].finish_reason == "stop"
        jsonschema.validate(json.loads(answer.choices[0].message.content), UNLIKE)
        details = answer.usage.completion_tokens_details
        discarded += details.discarded_tokens if details else 0
    assert discarded > 0
    metrics = server.metrics()
    assert metrics["hussar_schema_check_failed_total"] > 0
    assert metrics["hussar_surplus_tokens_total"] == discarded
    assert metrics["hussar_kv_blocks{state=\"used\"}"] == 0


def test_a_stream_shows_nothing_that_failed(client):
    for seed in range(10):
        fields = {"seed": seed, "temperature": 1.5, "max_tokens": 60, "response_format": schema_format(UNLIKE)}
        whole = ask(client, "Three colours.", **fields)
        chunks = list(client.chat.completions.create(
            model=NAME, messages=[{"role": "user", "content": "Three colours."}], stream=True, **fields))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert (chunks[-1].choices[0].finish_reason, text) == whole


def test_attempts_are_bounded_and_said_so(start_server):
    server = start_server("--schema-attempts-max", "3")
    never = {**UNLIKE, "minItems": 5, "maxItems": 5}
    body = {"messages": [{"role": "user", "content": "Five colours."}], "max_tokens": 100, "response_format": schema_format(never)}
    for stream in (False, True):
        status, _, answer = post(server, "/v1/chat/completions", {**body, "stream": stream})
        assert status == 422, answer
        error = answer["error"]
        assert error["code"] == "schema_unsatisfied" and error["param"].startswith("response_format")
        assert error["message"] == (
            "no answer satisfied the schema in 3 attempts: 'uniqueItems' at the root fails for the value at the root")
    assert server.metrics()['vllm:request_success_total{finished_reason="error"}'] == 2


def nested_one_of(depth):
    inner = {"type": "integer"}
    for level in range(depth):
        inner = {"oneOf": [{"type": "object", "properties": {f"{side}{level}": inner}, "required": [f"{side}{level}"]}
                           for side in "ab"]}
    return inner


HOSTILE = {
    "nested oneOf": {"json": nested_one_of(14)},
    "60,000 alternatives": {"json": {"enum": [f"value number {i}" for i in range(60_000)]}},
    "an expression of many alternatives": {"regex": "|".join(f"value {i} of {i * 7}" for i in range(40_000))},
    "a long string": {"json": {"type": "string", "minLength": 10**9}},
    "a schema without an instance": {"json": {"$ref": "#"}},
    "a list within itself": {"json": {"type": "array", "minItems": 1, "items": {"$ref": "#"}}},
    "an expression that is none": {"regex": "(a+)+b)"},
}


def test_schemas_are_compiled_in_the_background(start_server):
    server = start_server()
    assert ask(server.client, response_format=schema_format(PERSON))[0] == "stop"
    children = [pid for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir() for pid in (task / "children").read_text().split()]
    assert children and all(os.getpriority(os.PRIO_PROCESS, int(pid)) >= 10 for pid in children)


def test_hostile_schemas_cost_their_senders_a_400(start_server):
    server = start_server()
    prompt = {"prompt": "Once upon a time", "max_tokens": 400, "temperature": 0.8, "seed": 5, "ignore_eos": True}
    alone = post(server, "/v1/completions", prompt)[2]["choices"][0]["text"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for name, structured in HOSTILE.items():
            beside = pool.submit(post, server, "/v1/completions", prompt)
            status, _, answer = post(server, "/v1/completions", {"prompt": "x", "structured_outputs": structured})
            assert status == 400, name
            assert answer["error"]["param"].startswith("structured_outputs."), (name, answer)
            assert "\n" not in answer["error"]["message"]
            assert beside.result()[2]["choices"][0]["text"] == alone
    metrics = server.metrics()
    assert metrics["hussar_schema_refused_total"] == len(HOSTILE)
    assert metrics['vllm:request_success_total{finished_reason="error"}'] == 0


def test_expressions_with_many_readings_are_answered_or_refused(server, client):
    status, _, answer = post(server, "/v1/completions", {
        "prompt": "x", "max_tokens": 60, "structured_outputs": {"regex": "(a+)+b"}})
    assert status == 400 or re.fullmatch("(a+)+b", answer["choices"][0]["text"])
