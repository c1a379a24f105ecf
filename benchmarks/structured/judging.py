"""Judges of answers that should be JSON of a given form, independent of the server: Python's json and jsonschema."""

import datetime
import json
import math
import pathlib
import re
import sys

import jsonschema

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/grammar"))
from schema_suite import exact  # noqa: E402

FENCE = re.compile(r"```[a-zA-Z]*\n(.*?)(?:```|\Z)", re.DOTALL)
OBJECTS_TRIED_MAX = 32
# Keywords that say that something is missing, not that it is wrong.
INCOMPLETE = {"required", "dependentRequired", "minItems", "minProperties", "contains", "minContains"}

FORMATS = jsonschema.FormatChecker(["date", "email", "ipv4", "ipv6", "uuid"])


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value):
    return not isinstance(value, str) or datetime.datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("hostname")
def is_hostname(value):
    label = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    return not isinstance(value, str) or (len(value) <= 253 and re.fullmatch(rf"{label}(\.{label})*", value) is not None)


class Among(tuple):
    """Values each of which is right."""


def refuse(word):
    raise ValueError(f"{word} is no JSON")


def finite(digits):
    return float(digits) if math.isfinite(float(digits)) else refuse(digits)


def strict_json(text):
    """json.loads as strict as RFC 8259: no NaN, and finite numbers. ValueError else."""
    return json.loads(text, parse_constant=refuse, parse_float=finite)


def has_name_twice(text):
    """Whether an object of a JSON text has two members of one name, which JSON allows and some readers refuse."""
    found = []
    json.loads(text, object_pairs_hook=lambda pairs: found.append(len(dict(pairs)) < len(pairs)))
    return any(found)


def first_json(text):
    """The first JSON in an answer: all of it, what stands in a fence, or the first object or array that is whole. ValueError when there is none."""
    for candidate in [text, *FENCE.findall(text)]:
        try:
            return strict_json(candidate)
        except ValueError:
            continue
    decoder = json.JSONDecoder()
    for start in [match.start() for match in re.finditer(r"[{\[]", text)][:OBJECTS_TRIED_MAX]:
        try:
            return decoder.raw_decode(text, start)[0]
        except ValueError:
            continue
    raise ValueError("no JSON")


def errors_of(schema, value):
    """What jsonschema finds wrong with a value."""
    return list(jsonschema.Draft202012Validator(exact(schema), format_checker=FORMATS).iter_errors(exact(json.dumps(value))))


def is_complete(errors):
    """Whether nothing is missing; of the branches of a oneOf or anyOf, in one of them."""
    return not any(error.validator in INCOMPLETE or
                   (error.context and not any(is_complete(branch) for branch in by_branch(error))) for error in errors)


def by_branch(error):
    branches = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    return branches.values()


def same(expected, got):
    """Equal as JSON: true is not 1, and 1.0 is 1."""
    if isinstance(expected, Among):
        return any(same(value, got) for value in expected)
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, dict):
        return isinstance(got, dict) and expected.keys() == got.keys() and all(same(value, got[key]) for key, value in expected.items())
    if isinstance(expected, list):
        return isinstance(got, list) and len(expected) == len(got) and all(map(same, expected, got))
    return expected == got


def leaves(value, path=()):
    """{path: value} of all that has no parts."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if parts is None:
        return {path: value}
    return {at: leaf for key, part in parts for at, leaf in leaves(part, (*path, key)).items()}


def right_leaves(expected, got):
    """(how many are right, of how many that were expected or given)."""
    wanted, given = leaves(expected), leaves(got)
    right = sum(path in given and same(value, given[path]) for path, value in wanted.items())
    return right, len(wanted.keys() | given.keys())


def wilson(hits, trials, z=1.96):
    """The 95 % interval of a share."""
    if trials == 0:
        return 0.0, 1.0
    share = hits / trials
    middle = share + z * z / (2 * trials)
    margin = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (middle - margin) / (1 + z * z / trials)), min(1.0, (middle + margin) / (1 + z * z / trials))


def share_text(hits, trials):
    low, high = wilson(hits, trials)
    return f"{100 * hits / max(1, trials):.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
