"""Random schemas and instances: our verdicts against python's jsonschema, and what is no schema against the draft's metaschema."""

import json
import os
import random

import jsonschema
import pytest
from schema_suite import DRAFT, Validator, python_validator

SEED = int(os.environ.get("HUSSAR_SEED", "20261125"))
SCHEMAS = 1500
INSTANCES = 12
NAMES = ["a", "b", "c", "ab", "é"]
# Halves are exact in binary, so that python's own arithmetic is too.
NUMBERS = [0, 1, -1, 2, 3, 1.5, 2.0, -0.5, 10, 1e2]
STRINGS = ["", "a", "b", "ab", "abc", "é", "中文", "🐲"]
PATTERNS = ["^a", "b$", "^[a-z]+$", ".", "^..?$", "^(a|b)*$"]
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]


def value(rng, depth):
    kind = rng.random()
    if depth == 0 or kind < 0.5:
        return rng.choice([None, True, False, rng.choice(NUMBERS), rng.choice(NUMBERS), rng.choice(STRINGS)])
    if kind < 0.75:
        return [value(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    return {name: value(rng, depth - 1) for name in rng.sample(NAMES, rng.randint(0, 4))}


class SchemaMaker:
    """Random schemas. A reference leads to a definition of a higher number, or to the root from inside the instance's parts, so that
    evaluation comes to an end."""

    def __init__(self, rng):
        self.rng = rng
        self.definitions = rng.randint(0, 3)

    def root(self):
        schema = self.schema(3, -1, False)
        while not isinstance(schema, dict):
            schema = self.schema(3, -1, False)
        schema["$schema"] = DRAFT
        schema["$defs"] = {f"d{i}": self.schema(2, i, False) for i in range(self.definitions)}
        return schema

    def schema(self, depth, level, inside):
        if self.rng.random() < 0.1:
            return self.rng.random() < 0.7
        makers = [self.values, self.numbers, self.strings, self.arrays, self.objects, self.references]
        if depth > 0:
            makers += [self.items, self.items, self.members, self.members, self.in_place, self.in_place, self.unevaluated]
        schema = {}
        for _ in range(self.rng.randint(0, 3)):
            schema.update(self.rng.choice(makers)(depth, level, inside))
        return schema

    def some(self, keywords):
        return {key: make() for key, make in keywords.items() if self.rng.random() < 0.5}

    def count(self):
        return self.rng.choice([0, 1, 2, 3, 2.0])

    def below(self, depth, level):
        return self.schema(depth - 1, level, True)

    def values(self, *_):
        rng = self.rng
        return rng.choice([
            {"type": rng.choice(TYPES)}, {"type": rng.sample(TYPES, rng.randint(1, 4))}, {"const": value(rng, 2)},
            {"enum": [value(rng, 2) for _ in range(rng.randint(1, 5))]},
        ])  # fmt: skip

    def numbers(self, *_):
        number = lambda: self.rng.choice(NUMBERS)  # noqa: E731
        return self.some({
            "minimum": number, "maximum": number, "exclusiveMinimum": number, "exclusiveMaximum": number,
            "multipleOf": lambda: self.rng.choice([1, 2, 3, 0.5]),
        })  # fmt: skip

    def strings(self, *_):
        return self.some({"minLength": self.count, "maxLength": self.count, "pattern": lambda: self.rng.choice(PATTERNS)})

    def arrays(self, *_):
        return self.some({"minItems": self.count, "maxItems": self.count, "uniqueItems": lambda: self.rng.random() < 0.7})

    def objects(self, *_):
        names = lambda: self.rng.sample(NAMES, self.rng.randint(0, 2))  # noqa: E731
        return self.some({
            "minProperties": self.count, "maxProperties": self.count, "required": names,
            "dependentRequired": lambda: {name: names() for name in names()},
        })  # fmt: skip

    def references(self, depth, level, inside):
        targets = [f"#/$defs/d{i}" for i in range(level + 1, self.definitions)] + (["#"] if inside else [])
        return {"$ref": self.rng.choice(targets)} if targets else {}

    def items(self, depth, level, inside):
        schema = lambda: self.below(depth, level)  # noqa: E731
        return self.some({
            "prefixItems": lambda: [schema() for _ in range(self.rng.randint(1, 3))], "items": schema, "contains": schema,
            "minContains": self.count, "maxContains": self.count,
        })  # fmt: skip

    def members(self, depth, level, inside):
        rng = self.rng
        schema = lambda: self.below(depth, level)  # noqa: E731
        some_names = lambda: rng.sample(NAMES, rng.randint(0, 3))  # noqa: E731
        return self.some({
            "properties": lambda: {name: schema() for name in some_names()},
            "patternProperties": lambda: {source: schema() for source in rng.sample(PATTERNS, rng.randint(0, 2))},
            "additionalProperties": schema, "propertyNames": schema,
            "dependentSchemas": lambda: {name: self.schema(depth - 1, level, inside) for name in some_names()},
        })  # fmt: skip

    def in_place(self, depth, level, inside):
        schema = lambda: self.schema(depth - 1, level, inside)  # noqa: E731
        several = lambda: [schema() for _ in range(self.rng.randint(1, 3))]  # noqa: E731
        return self.rng.choice([
            {"allOf": several()}, {"anyOf": several()}, {"oneOf": several()}, {"not": schema()},
            {"if": schema(), "then": schema(), "else": schema()}, {"if": schema(), "else": schema()},
        ])  # fmt: skip

    def unevaluated(self, depth, level, inside):
        return self.some({"unevaluatedItems": lambda: self.below(depth, level), "unevaluatedProperties": lambda: self.below(depth, level)})


@pytest.fixture(scope="module")
def ours():
    validator = Validator()
    yield validator
    validator.close()


def test_same_verdicts(ours):
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    counts = {True: 0, False: 0}
    for _ in range(SCHEMAS):
        schema = SchemaMaker(rng).root()
        instances = [value(rng, 3) for _ in range(INSTANCES)]
        theirs = python_validator(schema, {})
        answer = ours.verdicts(schema, instances)
        assert "verdicts" in answer, (answer, json.dumps(schema))
        for instance, verdict in zip(instances, answer["verdicts"], strict=True):
            expected = theirs.is_valid(instance)
            assert verdict["verdict"] == ("valid" if expected else "invalid"), (json.dumps(schema), json.dumps(instance), verdict)
            counts[expected] += 1
    assert min(counts.values()) > SCHEMAS * INSTANCES * 0.2


def spoiled(rng, schema):
    """The schema with one keyword's value exchanged for any other."""
    keywords = [key for key in schema if key not in {"$schema", "$defs", "$ref", "const"}]
    if not keywords:
        return schema
    return {**schema, rng.choice(keywords): value(rng, 2)}


def test_what_is_no_schema_is_none_to_both(ours):
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    refused = 0
    for _ in range(SCHEMAS):
        schema = spoiled(rng, SchemaMaker(rng).root())
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
            expected = True
        except jsonschema.SchemaError:
            expected = False
        answer = ours.verdicts(schema, [])
        # The metaschema as our validator applies it says the same.
        assert (ours.verdicts({"$ref": DRAFT}, [schema])["verdicts"][0]["verdict"] == "valid") == expected, json.dumps(schema)
        if expected:
            assert "verdicts" in answer or answer["code"] in {"unsupported", "not_found"}, (answer, json.dumps(schema))
        elif schema.get("if") is not None or not {"then", "else"} & schema.keys():
            assert answer.get("code") == "invalid", (answer, json.dumps(schema))
            refused += 1
    assert refused > SCHEMAS * 0.2
