"""The JSON Schema test suite (draft 2020-12), python's jsonschema as the second judge, and our validator through its test tool."""

import dataclasses
import decimal
import json
import os
import pathlib
import subprocess

import jsonschema
import referencing
import referencing.jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("HUSSAR_BUILD", ROOT / "build"))
# Unpacked by tools/setup test.
SUITE = ROOT / "build/third_party/jsonschema-4.26.0/json"
TESTS = SUITE / "tests/draft2020-12"
DRAFT = "https://json-schema.org/draft/2020-12/schema"

# Division must be exact for numbers of as many digits as a random text has.
decimal.getcontext().prec = 4000
WHOLE_DIGITS_MAX = 1000


@dataclasses.dataclass
class Group:
    file: str
    description: str
    schema: object
    tests: list

    @property
    def name(self):
        return f"{self.file}: {self.description}"


def groups(folder, pattern="*.json"):
    """All groups of the files that match, in a fixed order."""
    found = []
    for path in sorted(folder.glob(pattern)):
        for group in json.loads(path.read_text(encoding="utf-8")):
            found.append(Group(path.relative_to(TESTS).as_posix(), group["description"], group["schema"], group["tests"]))
    return found


def remotes(drafts=("draft2020-12",)):
    """What the suite serves at localhost:1234, by URI: what is of no draft in particular, and of these drafts."""
    documents = {}
    for path in sorted((SUITE / "remotes").rglob("*.json")):
        name = path.relative_to(SUITE / "remotes").as_posix()
        if name.startswith("draft") and name.split("/")[0] not in drafts:
            continue
        documents[f"http://localhost:1234/{name}"] = json.loads(path.read_text(encoding="utf-8"))
    return documents


def exact_number(digits):
    number = decimal.Decimal(digits)
    return int(number) if number.adjusted() < WHOLE_DIGITS_MAX and number == number.to_integral_value() else number


def exact(value):
    """A value, or a JSON text, with decimals in place of floats: as doubles, 0.07 would be no multiple of 0.01. 1.0 becomes 1, for which alone
    jsonschema takes it where an integer is wanted."""
    return json.loads(value if isinstance(value, str) else json.dumps(value), parse_float=exact_number)


def python_validator(schema, documents):
    """jsonschema's own verdicts, with the suite's documents at hand."""
    registry = referencing.Registry().with_resources(
        (uri, referencing.Resource.from_contents(document, default_specification=referencing.jsonschema.DRAFT202012))
        for uri, document in documents.items()
    )
    return jsonschema.Draft202012Validator(schema, registry=registry)


class Validator:
    """Our validator, one process for many schemas."""

    def __init__(self, documents=None):
        self.process = subprocess.Popen([str(BUILD / "validate_schema")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        if documents:
            self.ask({"documents": {uri: json.dumps(document) for uri, document in documents.items()}})

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the validator died"
        return json.loads(line)

    def verdicts(self, schema, instances, **more):
        """The answer for values (they become JSON text here)."""
        return self.ask({"schema": json.dumps(schema), "instances": [json.dumps(i) for i in instances], **more})

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0
