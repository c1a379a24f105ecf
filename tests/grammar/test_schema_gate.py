"""The gate against the JSON Schema test suite, draft 2020-12: every schema is refused by name, or its grammar agrees with the suite on every
instance, and whatever the grammar writes is valid for python's jsonschema, unless the gate asks for a check of the finished instance.

The grammar is exact up to the order of properties, white space and the spelling of numbers and strings, so a valid instance counts as reached
when one of its spellings is.
"""

import collections
import itertools
import json
import random
import subprocess

import jsonschema
import pytest
from schema_suite import BUILD, TESTS, Validator, exact, groups

SPELLINGS_MAX = 1000
DRAWS = 8
ENFORCED_SHARE_MIN = 0.75
# Valid instances with properties that one branch lists and the one that they are written by does not.
BRANCHES_TOGETHER = [
    "anyOf.json: anyOf complex types: both anyOf valid (complex)",
    "dependentSchemas.json: dependent subschema incompatible with root: matches dependency",
    "dynamicRef.json: A $dynamicRef that initially resolves to a schema without a matching $dynamicAnchor behaves like a normal $ref to $anchor: "
    "The recursive part doesn't need to validate against the root",
]

# The standard takes `format` for an annotation; the gate enforces it, so that texts of another format can't be written.
ANNOTATION_FILES = {"format.json"}


def spellings(value):
    """Texts of a value, compact: objects in every order of their members, integral floats as integers too."""
    if isinstance(value, dict):
        names = list(value)
        orders = itertools.permutations(names) if len(names) <= 6 else [names]
        for order in orders:
            parts = [[f"{json.dumps(name, ensure_ascii=False)}:{text}" for text in spellings(value[name])] for name in order]
            for combination in itertools.product(*parts):
                yield "{" + ",".join(combination) + "}"
    elif isinstance(value, list):
        for combination in itertools.product(*[list(spellings(item)) for item in value]):
            yield "[" + ",".join(combination) + "]"
    elif isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        yield str(int(value))
        yield repr(value)
    else:
        yield json.dumps(value, ensure_ascii=False)


def run_tool(lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([BUILD / "schema_lines"], input=text, capture_output=True, text=True, check=True, timeout=600)
    return [json.loads(line) for line in done.stdout.split("\n") if line]


@pytest.fixture(scope="module")
def seed():
    value = random.SystemRandom().randrange(2**31)
    print(f"seed {value}")
    return value


@pytest.fixture(scope="module")
def answers(seed):
    """With all properties that the standard allows."""
    return ask_for_all(seed, {"any_properties": True})


@pytest.fixture(scope="module")
def usual_answers(seed):
    """As the server compiles them: where an object's properties are listed, others come only where the schema speaks of them."""
    return ask_for_all(seed, {})


def ask_for_all(seed, options):
    """(group, what the tool says, for each test whether one of its spellings is written)."""
    found, lines = [], []
    for group in groups(TESTS):
        texts, owners = [], []
        for index, test in enumerate(group.tests):
            for text in itertools.islice(spellings(test["data"]), SPELLINGS_MAX):
                texts.append(text)
                owners.append(index)
        found.append((group, owners))
        lines.append({"schema": group.schema, "texts": texts, "draws": DRAWS, "seed": seed, **options})
    results = []
    for (group, owners), answer in zip(found, run_tool(lines), strict=True):
        written = [False] * len(group.tests)
        for owner, accepted in zip(owners, answer.get("accepts", []), strict=False):
            written[owner] |= accepted
        results.append((group, answer, written))
    return results


def test_every_grammar_compiles(answers, usual_answers):
    assert [g.name + ": " + a["compile_error"] for g, a, _ in answers + usual_answers if "compile_error" in a] == []


def test_no_invalid_instance_is_written(answers, usual_answers):
    wrong = []
    for group, answer, written in answers + usual_answers:
        if "refused" in answer or answer["checks"]:
            continue
        wrong += [f"{group.name}: {t['description']}" for t, w in zip(group.tests, written) if w and not t["valid"]]
    assert wrong == []


def test_every_valid_instance_can_be_written(answers):
    lost = []
    for group, answer, written in answers:
        if "refused" in answer or group.file in ANNOTATION_FILES:
            continue
        lost += [f"{group.name}: {t['description']}" for t, w in zip(group.tests, written) if t["valid"] and not w]
    assert lost == []


def members(value):
    """(name, value) of all objects within."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield name, item
            yield from members(item)
    elif isinstance(value, list):
        for item in value:
            yield from members(item)


def test_only_properties_that_nobody_asked_for_are_left_out(usual_answers):
    lost = []
    for group, answer, written in usual_answers:
        if "refused" in answer or group.file in ANNOTATION_FILES:
            continue
        listed = {name for keyword, value in members(group.schema) if keyword == "properties" for name in value}
        for test, was_written in zip(group.tests, written):
            if test["valid"] and not was_written and all(name in listed for name, _ in members(test["data"])):
                lost.append(f"{group.name}: {test['description']}")
    assert lost == BRANCHES_TOGETHER


def test_what_is_written_is_valid(answers, usual_answers):
    wrong = []
    for group, answer, _ in answers + usual_answers:
        if "refused" in answer:
            continue
        assert answer["accepts_shortest"], group.name
        if answer["checks"]:
            continue
        validator = jsonschema.Draft202012Validator(exact(group.schema))
        for text in [answer["shortest"], *filter(None, answer["draws"])]:
            if not validator.is_valid(exact(text)):
                wrong.append(f"{group.name}: {text}")
    assert wrong == []


def test_the_share_that_is_enforced(usual_answers):
    refusals = collections.Counter(a["refused"]["keyword"] or a["refused"]["reason"] for _, a, _ in usual_answers if "refused" in a)
    checked = sum(1 for _, a, _ in usual_answers if a.get("checks"))
    # A schema that nothing satisfies is enforced by refusing it.
    hopeless = sum(1 for g, a, _ in usual_answers if "refused" in a and not any(t["valid"] for t in g.tests))
    enforced = sum(1 for _, a, _ in usual_answers if "refused" not in a)
    share = (enforced + hopeless) / len(usual_answers)
    print(f"{len(usual_answers)} schemas: {enforced - checked} by the grammar, {checked} with a check, {hopeless} that nothing satisfies refused")
    print(f"enforced: {100 * share:.1f} %; refusals by keyword: {dict(refusals.most_common())}")
    assert share >= ENFORCED_SHARE_MIN


# Schemas as clients send them, and some that are hard on a grammar.
FURTHER = [
    {"type": "string", "maxLength": 30},
    {"type": "string", "minLength": 3, "maxLength": 40},
    {"type": "object", "properties": {"a": {"type": "string", "maxLength": 25}, "b": {"type": "string", "maxLength": 2}}, "required": ["a", "b"]},
    {"type": "string", "pattern": "^[a-z]{2,4}( [a-z]+)*$", "maxLength": 20},
    {"type": "array", "items": {"type": "number", "exclusiveMinimum": -1.5, "maximum": 3}, "minItems": 2, "maxItems": 4},
    {"type": "array", "items": {"multipleOf": 0.01, "minimum": 0, "type": "number"}, "minItems": 3},
    {"type": "object", "additionalProperties": {"type": "integer"}, "propertyNames": {"pattern": "^[a-z]+$"}, "minProperties": 1, "maxProperties": 3},
    {"oneOf": [{"type": "object", "properties": {"kind": {"const": k}, k: {"type": "integer"}}, "required": ["kind", k]} for k in "abc"]},
    {"type": "object", "properties": {"n": {"not": {"enum": [1, "x", None]}}}, "required": ["n"]},
    {"type": "object", "patternProperties": {"^a": {"type": "integer"}, "b$": {"minimum": 5}}, "additionalProperties": False, "minProperties": 1},
    {"$defs": {"t": {"type": "object", "properties": {"l": {"$ref": "#/$defs/t"}, "v": {"type": "boolean"}}, "required": ["v"], "additionalProperties": False}}, "$ref": "#/$defs/t"},
]  # fmt: skip
FORMATS = [
    "date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri", "uri-reference", "json-pointer",
    "relative-json-pointer",
]  # fmt: skip


def test_further_schemas(seed):
    answers = run_tool([{"schema": schema, "draws": 40, "seed": seed} for schema in FURTHER])
    for schema, answer in zip(FURTHER, answers, strict=True):
        assert answer.get("checks") == [], (schema, answer)
        validator = jsonschema.Draft202012Validator(exact(schema))
        texts = [answer["shortest"], *filter(None, answer["draws"])]
        assert len(texts) > 10, schema
        assert [text for text in texts if not validator.is_valid(exact(text))] == [], schema


def test_formats_are_written_as_the_validator_reads_them(seed):
    """The texts of each format, by our own validator, which shares no code with the gate."""
    answers = run_tool([{"schema": {"type": "string", "format": name}, "draws": 40, "seed": seed} for name in FORMATS])
    validator = Validator()
    for name, answer in zip(FORMATS, answers, strict=True):
        texts = [answer["shortest"], *filter(None, answer["draws"])]
        assert len(texts) > 5, name
        request = {"schema": json.dumps({"format": name}), "instances": texts, "formats": "assert"}
        verdicts = [verdict["verdict"] for verdict in validator.ask(request)["verdicts"]]
        assert [text for text, verdict in zip(texts, verdicts, strict=True) if verdict != "valid"] == [], name
    validator.close()
