"""Our JSON Schema validator against the draft's test suite and python's jsonschema."""

import json
import pathlib

import jsonschema_specifications
import pytest
from schema_suite import DRAFT, TESTS, Validator, groups, python_validator, remotes

REMOTES = remotes()
MANDATORY = groups(TESTS)
# What the suite holds at the version that tools/setup fetches; fewer would mean that files were not read.
MANDATORY_GROUPS, MANDATORY_TESTS = 368, 1257

# Formats that are checked when asserted.
CHECKED_FORMATS = [
    "date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri", "uri-reference", "json-pointer",
    "relative-json-pointer", "regex", "ecmascript-regex", "unknown",
]  # fmt: skip
UNCHECKED_FORMATS = ["idn-email", "idn-hostname", "iri", "iri-reference", "uri-template"]

# Optional parts of the suite where ours goes another way that the draft allows.
OTHERWISE = {
    "optional/cross-draft.json",  # refuses other drafts
    "optional/dependencies-compatibility.json",  # takes "dependencies", no keyword of this draft, for a description
}
# python's jsonschema takes no notice of $vocabulary, so that this one instance fails it.
PYTHON_IS_WRONG = [
    "vocabulary.json: schema that uses custom metaschema with with no validation vocabulary: no validation: invalid number, but it still validates"
]


@pytest.fixture(scope="module")
def ours():
    validator = Validator(REMOTES)
    yield validator
    validator.close()


def complaints(ours, group, **more):
    """Where our verdicts differ from the suite's."""
    answer = ours.verdicts(group.schema, [test["data"] for test in group.tests], **more)
    if "error" in answer:
        return [f"{group.name}: {answer['error']}"]
    return [
        f"{group.name}: {test['description']}: {verdict}"
        for test, verdict in zip(group.tests, answer["verdicts"], strict=True)
        if verdict["verdict"] != ("valid" if test["valid"] else "invalid")
    ]


def test_suite_is_whole():
    assert len(MANDATORY) == MANDATORY_GROUPS
    assert sum(len(group.tests) for group in MANDATORY) == MANDATORY_TESTS


def test_every_mandatory_instance(ours):
    found = [complaint for group in MANDATORY for complaint in complaints(ours, group)]
    assert found == []


def test_every_mandatory_instance_as_python_judges_it(ours):
    differing, instances = [], 0
    for group in MANDATORY:
        theirs = python_validator(group.schema, REMOTES)
        answer = ours.verdicts(group.schema, [test["data"] for test in group.tests])
        for test, verdict in zip(group.tests, answer["verdicts"], strict=True):
            instances += 1
            if theirs.is_valid(test["data"]) != (verdict["verdict"] == "valid"):
                differing.append(f"{group.name}: {test['description']}")
    assert differing == PYTHON_IS_WRONG
    assert instances == MANDATORY_TESTS


@pytest.mark.parametrize("file", sorted({group.file for group in groups(TESTS, "optional/*.json")} - OTHERWISE))
def test_optional_parts(ours, file):
    assert [complaint for group in groups(TESTS, file) for complaint in complaints(ours, group)] == []


def test_other_drafts_are_refused():
    validator = Validator(remotes(["draft2020-12", "draft2019-09"]))
    for group in groups(TESTS, "optional/cross-draft.json"):
        answer = validator.verdicts(group.schema, [])
        assert answer["code"] == "unsupported" and "'$schema'" in answer["error"] and "2019-09" in answer["error"]
    validator.close()


def test_dependencies_only_describes(ours):
    for group in groups(TESTS, "optional/dependencies-compatibility.json"):
        answer = ours.verdicts(group.schema, [test["data"] for test in group.tests])
        assert {verdict["verdict"] for verdict in answer["verdicts"]} == {"valid"}, group.name


@pytest.mark.parametrize("name", CHECKED_FORMATS)
def test_asserted_format(ours, name):
    cases = groups(TESTS, f"optional/format/{name}.json")
    assert cases
    assert [complaint for group in cases for complaint in complaints(ours, group, formats="assert")] == []


@pytest.mark.parametrize("name", UNCHECKED_FORMATS)
def test_unchecked_format_is_refused_by_name_when_asserted(ours, name):
    answer = ours.verdicts({"properties": {"a": {"format": name}}}, [{}], formats="assert")
    assert answer["code"] == "unsupported"
    assert name in answer["error"] and "'format' at \"/properties/a\"" in answer["error"]


def test_formats_only_describe_by_default(ours):
    for group in groups(TESTS, "optional/format/*.json"):
        answer = ours.verdicts(group.schema, [test["data"] for test in group.tests])
        assert {verdict["verdict"] for verdict in answer["verdicts"]} == {"valid"}, group.name


DESCRIBING = {"title", "description", "$comment", "default", "deprecated", "examples"}


def without_descriptions(value, names_of_members=False):
    """A metaschema without what only describes; below "properties" and the like, names are no keywords."""
    if isinstance(value, list):
        return [without_descriptions(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: without_descriptions(item, not names_of_members and key in {"properties", "$defs"})
        for key, item in value.items()
        if names_of_members or key not in DESCRIBING
    }


def test_built_in_metaschemas_are_those_of_the_draft(ours):
    """Each is asked for by its URI, as the constant that a schema made of it must equal."""
    folder = pathlib.Path(jsonschema_specifications.__file__).parent / "schemas/draft202012"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 9
    for path in files:
        metaschema = json.loads(path.read_text(encoding="utf-8"))
        answer = ours.ask({"builtin": metaschema["$id"]})
        assert json.loads(answer["text"]) == without_descriptions(metaschema), path.name


def test_all_schemas_of_the_suite_are_schemas(ours):
    schemas = [group.schema for group in MANDATORY]
    answer = ours.verdicts({"$ref": DRAFT}, schemas)
    assert {verdict["verdict"] for verdict in answer["verdicts"]} == {"valid"}
