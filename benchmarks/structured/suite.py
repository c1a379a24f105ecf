#!/usr/bin/env python3
"""The JSON Schema test suite, draft 2020-12, against a server: is each schema enforced, or refused by name?

    benchmarks/structured/suite.py [MODEL ...] [--seeds 5] [--temperatures 0.7,1.0] [--results FILE] [--seconds-max 0]

Sends every mandatory schema of the suite as response_format to `hussar serve`, with several seeds, on each MODEL: a file, or "random" for a small
model of random weights, which writes what no sensible model would. Without a MODEL these are SmolLM2 at temperatures 0.7 and 1.0, and "random" at
1.5. Every answer that ended with `stop` must be valid for python's jsonschema. A schema counts as enforced when at least 95 % of its runs end in a
valid instance, or when it is refused and the suite knows no valid instance of it. Printed are the share of enforced schemas, the refusals by
keyword, and the other ends.

--results keeps the answers in a file: what is in it is not asked again, so that a run can be made in pieces of --seconds-max seconds, and what is
printed is of the whole file. The exit code is 1 when an answer was not valid, a request failed otherwise than by a 400, or less than 75 % of the
schemas are enforced, and 3 when runs are left.

Needs the tests' Python packages, and the suite, which `tools/setup test` unpacks.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import re
import sys
import tempfile
import time

from asking import ROOT, Answers, ask, start_server
from judging import strict_json

sys.path.insert(0, str(ROOT / "tests/grammar"))
sys.path.insert(0, str(ROOT / "tests/oracle"))
from make_models import SPECS, write_model  # noqa: E402
from schema_suite import TESTS, exact, groups, python_validator, remotes  # noqa: E402

MODEL = ROOT / "build/models/smollm2-135m-instruct-q4_1.gguf"
RANDOM = "random"
TEMPERATURES = {RANDOM: [1.5]}
TEMPERATURES_OF_A_FILE = [0.7, 1.0]
VALID_SHARE_MIN, ENFORCED_SHARE_MIN = 0.95, 0.75
PROMPT_SCHEMA_CHARACTERS_MAX = 600


def model_name(model):
    return model if model == RANDOM else pathlib.Path(model).stem


def prompt_of(group, model):
    schema = json.dumps(group.schema)
    shown = model != RANDOM and len(schema) <= PROMPT_SCHEMA_CHARACTERS_MAX
    return "Write one JSON value as an example." + (f" It must fit this JSON Schema: {schema}" if shown else "")


def ask_group(port, model, group, temperature, options, until, had):
    """The answers of one schema that are not had yet; one when it is refused."""
    rows = []
    for seed in range(options.seeds):
        if time.monotonic() > until or any(row["status"] == 400 for row in rows):
            break
        if seed in had:
            continue
        answer = ask(port, prompt_of(group, model), seed % 2 == 1, temperature=temperature, seed=seed, max_tokens=options.max_tokens,
                     response_format={"type": "json_schema", "json_schema": {"name": "suite", "schema": group.schema}})
        rows.append({"model": model_name(model), "group": group.name, "temperature": temperature, "seed": seed, **vars(answer)})
    return rows


def seeds_had(model, options, answers):
    """{(group, temperature): seeds}; a schema that was refused needs no further ones."""
    had = collections.defaultdict(set)
    for row in answers.rows:
        if row["model"] == model_name(model):
            had[row["group"], row["temperature"]] |= set(range(options.seeds)) if row["status"] == 400 else {row["seed"]}
    return had


def todo_of(model, temperatures, options, answers):
    had = seeds_had(model, options, answers)
    return [(group, temperature) for temperature in temperatures for group in groups(TESTS) if len(had[group.name, temperature]) < options.seeds]


def ask_model(model, temperatures, options, until, answers):
    """Asks for what is missing; how many schemas are left."""
    todo, had = todo_of(model, temperatures, options, answers), seeds_had(model, options, answers)
    if not todo or time.monotonic() > until:
        return len(todo)
    with tempfile.TemporaryDirectory() as folder:
        file = model
        if model == RANDOM:
            file = pathlib.Path(folder) / "random.gguf"
            write_model(str(file), SPECS["llama-f32"])
        server = start_server(file, options.at_once)
        with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
            futures = [pool.submit(ask_group, server.port, model, group, temperature, options, until, had[group.name, temperature])
                       for group, temperature in todo]
            for future in concurrent.futures.as_completed(futures):
                for row in future.result():
                    answers.add(row)
        server.stop()
    return len(todo_of(model, temperatures, options, answers))


def fault_of(row, validator):
    """What breaks a promise: nothing, for a refusal, a valid answer, or one that says that it is none."""
    if row["status"] == 400 or row["finish_reason"] == "error":
        return None
    if row["status"] != 200:
        return f"status {row['status']}: {row['error']}"
    if row["finish_reason"] != "stop":
        return f"ended with {row['finish_reason']}: {row['text'][-80:]!r}"
    try:
        strict_json(row["text"])
    except ValueError as error:
        return f"no JSON ({error}): {row['text'][-80:]!r}"
    return None if validator.is_valid(exact(row["text"])) else f"not valid: {row['text'][:200]}"


def keyword_of(message):
    """What a refusal names."""
    reason = message.partition("can't be used: ")[2]
    named = re.match("'([^']+)'", reason)
    return named[1] if named else reason


class Counts:
    """Of one model and temperature."""

    def __init__(self):
        self.enforced, self.hopeless, self.weak = [], [], []
        self.refusals, self.ends = collections.Counter(), collections.Counter()

    def add(self, group, rows, faults):
        if rows[0]["status"] == 400:
            if any(test["valid"] for test in group.tests):
                self.refusals[keyword_of(rows[0]["error"])] += 1
            else:
                self.hopeless.append(group.name)
            return
        valid = sum(fault is None and row["finish_reason"] == "stop" for row, fault in zip(rows, faults))
        self.ends.update(row["finish_reason"] or row["status"] for row in rows)
        (self.enforced if valid >= VALID_SHARE_MIN * len(rows) else self.weak).append(f"{group.name} ({valid} of {len(rows)})")


def report(answers):
    """Prints; whether all promises were kept."""
    documents, by_name = remotes(), {group.name: group for group in groups(TESTS)}
    validators = {name: python_validator(exact(group.schema), documents) for name, group in by_name.items()}
    kept, counts = True, collections.defaultdict(Counts)
    sorted_rows = collections.defaultdict(list)
    for row in answers.rows:
        sorted_rows[row["model"], row["temperature"], row["group"]].append(row)
    for (model, temperature, name), rows in sorted_rows.items():
        faults = [fault_of(row, validators[name]) for row in rows]
        counts[model, temperature].add(by_name[name], rows, faults)
        for row, fault in zip(rows, faults):
            if fault:
                kept = False
                print(f"BROKEN: {model}, temperature {temperature}, seed {row['seed']}, {name}: {fault}")
    for (model, temperature), found in counts.items():
        total = sum(1 for key in sorted_rows if key[:2] == (model, temperature))
        share = (len(found.enforced) + len(found.hopeless)) / total
        print(f"{model}, temperature {temperature}: {total} schemas, {len(found.enforced)} enforced, {len(found.hopeless)} that nothing satisfies "
              f"refused: {100 * share:.1f} %; {sum(found.refusals.values())} refused, by keyword {dict(found.refusals.most_common())}; "
              f"answers by end: {dict(found.ends)}")
        for name in found.weak:
            print(f"  too few valid answers: {name}")
        if model != RANDOM and total == len(by_name):
            kept &= share >= ENFORCED_SHARE_MIN
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=[str(MODEL), RANDOM])
    parser.add_argument("--temperatures", help="in place of each model's own, separated by commas")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--max-tokens", type=int, default=192)
    parser.add_argument("--at-once", type=int, default=24, help="answers under way at a time")
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--seconds-max", type=float, default=0, help="then nothing more is asked; 0: no limit")
    options = parser.parse_args()
    answers = Answers(options.results)
    until = time.monotonic() + options.seconds_max if options.seconds_max else float("inf")
    left = 0
    for model in options.models:
        temperatures = TEMPERATURES.get(model, TEMPERATURES_OF_A_FILE)
        if options.temperatures:
            temperatures = [float(value) for value in options.temperatures.split(",")]
        left += ask_model(model, temperatures, options, until, answers)
    kept = report(answers)
    if left:
        print(f"{left} schemas are left")
    return 1 if not kept else 3 if left else 0


if __name__ == "__main__":
    sys.exit(main())
