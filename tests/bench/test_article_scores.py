"""src/bench/article's judges and scores against Python's json and plain counting."""

import collections
import json
import math
import os
import pathlib
import random
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ.get("HUSSAR_BUILD", str(ROOT / "build"))
SEED = int(os.environ.get("HUSSAR_SEED", "20261125"))


def evaluate(lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([os.path.join(BUILD, "article_lines")], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def rng():
    print(f"HUSSAR_SEED={SEED}")
    return random.Random(SEED)


@pytest.fixture(scope="module")
def tasks():
    return {task["id"]: task for task in evaluate([["tasks"]])[0]}


def is_legal(text):
    """Python's json, told to be as strict as RFC 8259 and as the product: no NaN, no key twice, whole Unicode only."""
    def refuse(*_):
        raise ValueError

    def no_key_twice(pairs):
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError
        return dict(pairs)

    def finite(number):
        value = float(number)
        return value if math.isfinite(value) else refuse()

    try:
        value = json.loads(text.strip(" \t\r\n"), parse_constant=refuse, object_pairs_hook=no_key_twice, parse_float=finite)
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates
        return True
    except (ValueError, RecursionError):
        return False


PIECES = ['{', '}', '[', ']', ':', ',', '"', '"name"', '"张伟"', '"a\\"b"', '"\\u5f20"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\x"', "'x'",
          '32', '-0', '01', '1.5', '.5', '1.', '1e3', '1e999', '-', '+1', '0x10', 'true', 'false', 'null', 'True', 'None', 'NaN',
          'Infinity', ' ', '\n', '\t', '\u00a0', '\ufeff', '//c', '/**/', '```', '```json\n', '```\n', '好的', 'Here:', '\x01', '\x7f', '\\']


def test_legality_is_that_of_pythons_json(rng, tasks):
    expected = expected_answer(tasks["person-zh"])
    answers = ["".join(rng.choices(PIECES, k=rng.randint(0, 9))) for _ in range(4000)]
    whole = [json.dumps(expected, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 2])) for _ in range(20)]
    for text in whole:  # one edit each, which most often breaks it
        answers.append(text)
        for _ in range(100):
            at = rng.randrange(len(text))
            answers.append(text[:at] + rng.choice(["", rng.choice(PIECES)]) + text[at + rng.randint(0, 2):])
    legal = 0
    for answer, verdict in zip(answers, evaluate(["judge", "person-zh", answer] for answer in answers), strict=True):
        assert verdict["legal"] == is_legal(answer), answer
        assert verdict["legal_inside"] or not verdict["legal"]
        assert ("syntax" in verdict["faults"]) == (not verdict["legal_inside"])
        legal += verdict["legal"]
    assert 200 < legal < len(answers) - 200  # both kinds were there


def expected_answer(task):
    return {field["name"]: field["accepted"][0] for field in task["fields"]}


def mutate(rng, task):
    """An answer with known faults, and those faults."""
    answer, faults = {}, set()
    fields = list(task["fields"])
    rng.shuffle(fields)
    for field in fields:
        name, value = field["name"], rng.choice(field["accepted"])
        what = rng.choice(["right"] * 12 + ["missing", "renamed", "value", "type"])
        if what == "missing":
            faults.add("missing_field")
            continue
        if what == "renamed":
            name = rng.choice(field["other_names"])
            if task["names_keys"] or not re.fullmatch("[a-z0-9_]+", name):
                faults.add("wrong_name")
        if what == "value":
            value = {"string": "another one", "integer": 123456, "number": 0.125, "list": ["another one"], "boolean": not value}[field["type"]]
            faults.add("wrong_value")
        if what == "type":
            value, fault = rng.choice({
                "string": [(5, "wrong_type"), (["x"], "wrong_type"), (None, "wrong_type")],
                "integer": [(str(value), "number_in_quotes"), (0.5, "wrong_type"), ("many", "wrong_type"), (True, "wrong_type")],
                "number": [(str(value), "number_in_quotes"), (None, "wrong_type")],
                "list": [(", ".join(value) if field["type"] == "list" else "", "array_as_string"), ([1], "wrong_type"), ({}, "wrong_type")],
                "boolean": [("true", "wrong_type"), (1, "wrong_type")],
            }[field["type"]])
            faults.add(fault)
        answer[name] = value
    if rng.random() < 0.2:
        answer["zz_note"] = {"nested": ["a"]}
        faults.add("extra_field")
    return answer, faults


def test_known_faults_are_found_and_no_others(rng, tasks):
    lines, expected = [], []
    for _ in range(3000):
        task = rng.choice(list(tasks.values()))
        answer, faults = mutate(rng, task)
        text = json.dumps(answer, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 1]))
        wrapping = rng.choice(["", "", "", "fence", "before", "behind", "both"])
        if wrapping == "fence":
            text = f"```json\n{text}\n```"
            faults = faults | {"fence"}
        elif wrapping:
            text = {"before": f"Sure:\n{text}", "behind": f"{text}\n以上。", "both": f"好的\n```\n{text}\n```\nok"}[wrapping]
            faults = faults | {"extra_text"} | ({"fence"} if wrapping == "both" else set())
        lines.append(["judge", task["id"], text])
        expected.append((faults, wrapping == ""))
    clean = 0
    for line, verdict, (faults, legal) in zip(lines, evaluate(lines), expected, strict=True):
        assert set(verdict["faults"]) == faults, line
        assert verdict["legal"] == legal and verdict["legal_inside"], line
        assert verdict["complete"] == (not faults & {"missing_field", "wrong_name"}), line
        clean += not faults
    assert clean > 50


def test_schemas_accept_the_expected_answers_alone(tasks):
    for task in tasks.values():
        schema, answer = task["schema"], expected_answer(task)
        assert schema["required"] == list(answer) == list(schema["properties"])
        assert schema["additionalProperties"] is False


UNSPACED = "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U000323af"
UNIT = re.compile(f"[{UNSPACED}]|[A-Za-z0-9]+(?:['’][A-Za-z0-9]+)*")


def units_of(text):
    return [unit.lower() for unit in UNIT.findall(text)]


def ngrams(units, n):
    return [tuple(units[i:i + n]) for i in range(len(units) - n + 1)]


def length_score(wanted, got):
    if got > wanted:
        return 100 * max(0, 1 - (got / wanted - 1) / 3)
    return 100 * max(0, 1 - (wanted / got - 1) / 2) if got else 0


def random_text(rng):
    words = ["量子", "计算", "未来", "总而言之，", "the", "Cat", "don't", "ma’am", "3.5", "，", "。", "\n", "—", "x", "\ufffd", "カナ"]
    pieces = rng.choices(words, k=rng.randint(0, 300))
    if rng.random() < 0.4:  # a tail that goes round and round
        loop = rng.choices(words, k=rng.randint(1, 12))
        pieces += loop * rng.randint(2, 60)
    return " ".join(pieces) if rng.random() < 0.5 else " ".join(pieces).replace(" 量", "量").replace(" 计", "计")


def test_long_text_scores_are_what_counting_gives(rng):
    texts = [random_text(rng) for _ in range(300)]
    wanted = [rng.randint(1, 2000) for _ in texts]
    lines = [["long", text, length] for text, length in zip(texts, wanted)]
    for text, length, scores in zip(texts, wanted, evaluate(lines), strict=True):
        units = units_of(text)
        assert scores["length"] == len(units), text
        assert scores["characters"] == sum(bool(re.match(f"[{UNSPACED}]", unit)) for unit in units)
        assert scores["score"] == pytest.approx(length_score(length, len(units)), abs=1e-9)
        assert scores["marks"] == text.count("\ufffd")
        for n, share in enumerate(scores["distinct"], 1):
            grams = ngrams(units, n)
            assert share == (pytest.approx(len(set(grams)) / len(grams), abs=1e-12) if grams else None)
        fours = ngrams(units, 4)
        assert scores["seq_rep_4"] == (pytest.approx(1 - len(set(fours)) / len(fours), abs=1e-12) if fours else None)
        assert scores["begins"] == repetition_begins(fours)
        check_phrases(units, scores["phrases"])


def repetition_begins(fours):
    """By the definition: the earliest of the window starts from which on every window is repetitive."""
    starts = [start for start in range(0, len(fours), 200) if 2 * len(fours[start:start + 200]) >= 200]
    first_place = {}
    for place, gram in enumerate(fours):
        first_place.setdefault(gram, place)

    def repetitive(start):
        window = range(start, min(start + 200, len(fours)))
        return sum(first_place[fours[i]] < i for i in window) / len(window) >= 0.5

    for start in starts:
        if all(repetitive(later) for later in starts if later >= start):
            return start
    return None


def places_apart(units, phrase):
    """How often it comes without overlapping itself."""
    count = at = 0
    while at + len(phrase) <= len(units):
        if units[at:at + len(phrase)] == phrase:
            count, at = count + 1, at + len(phrase)
        else:
            at += 1
    return count


def check_phrases(units, phrases):
    for text, count, length, first in phrases:
        phrase = units[first:first + length]
        assert units_of(text) == phrase
        assert 2 <= count <= places_apart(units, phrase)
    # The first fills at least as much as any phrase of 4 to 40 units can.
    grams = collections.Counter(gram for n in range(4, 41) for gram in set(ngrams(units, n)))
    most = max((len(gram) * count for gram in grams if (count := places_apart(units, list(gram))) >= 2), default=0) \
        if len(units) < 120 else None
    if most is not None:
        assert (phrases[0][1] * phrases[0][2] if phrases else 0) == most
