#!/usr/bin/env python3
"""Does every answer fit its schema while others load the server, and are its values right?

    benchmarks/structured/tasks.py [--model FILE] [--users 25] [--results FILE] [--from 0] [--to 300] [--seconds-max 0]

Starts `hussar serve`, lets `hussar bench load` press it with --users users in closed loop, and meanwhile asks 100 times for the article's JSON task
and for 200 further schema tasks (task_set.py), at temperature 0.7, each with a seed of its own, every other one streamed; each once with
response_format and once without, with the same prompt. Printed are, beside each other, how many answers are legal JSON, complete, and of the right
types (valid for python's jsonschema, formats included), how many were cut or ended with an error, and how many have the right values: all that the
expected object has and nothing else, so that what is empty or invented is wrong. Without response_format the first JSON in an answer is judged;
"legal" demands that the answer is nothing else.

--results keeps the answers in a file: what is in it is not asked again, so that a run can be made in pieces of --seconds-max seconds, and what is
printed is of the whole file. The exit code is 1 when an answer with response_format was not legal, complete, valid and uncut or a user's request
failed, and 3 when runs are left.

Needs the tests' Python packages and build/article_lines (a target of the tests).
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from asking import ROOT, Answers, Crowd, ask, blocks_left, start_server
from judging import errors_of, first_json, has_name_twice, is_complete, right_leaves, same, share_text, strict_json
from task_set import make_tasks

MODEL = ROOT / "build/models/smollm2-135m-instruct-q4_1.gguf"
ARTICLE_RUNS, FURTHER_TASKS = 100, 200
TOKENS_MAX = 256
TEMPERATURE = 0.7


def article_lines(*lines):
    """What the pressure test's own judge says (build/article_lines)."""
    tool = pathlib.Path(os.environ.get("HUSSAR_BUILD", ROOT / "build")) / "article_lines"
    done = subprocess.run([tool], input="".join(json.dumps(line) + "\n" for line in lines), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def run_list():
    """(key, prompt, schema) of every run, in their order."""
    article = article_lines(["tasks"])[0][0]
    runs = [(f"article/{i}", article["prompt"], article["schema"]) for i in range(ARTICLE_RUNS)]
    return runs + [(f"{task.name}/{i}", task.prompt, task.schema) for i, task in enumerate(make_tasks(FURTHER_TASKS))]


def ask_run(port, index, run, with_grammar):
    key, prompt, schema = run
    fields = {"temperature": TEMPERATURE, "seed": index, "max_tokens": TOKENS_MAX}
    if with_grammar:
        fields["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    answer = ask(port, prompt, index % 2 == 0, **fields)
    return {"key": key, "grammar": with_grammar, "stream": index % 2 == 0, **vars(answer)}


def ask_all(options, runs, answers):
    """Asks for what is missing while the crowd is there; how many runs are left."""
    todo = [(index, run, grammar) for index, run in runs for grammar in (True, False) if not answers.has(key=run[0], grammar=grammar)]
    if not todo:
        return 0
    until = time.monotonic() + options.seconds_max if options.seconds_max else float("inf")
    server = start_server(options.model, options.users + options.at_once)
    crowd = Crowd(server, options.users) if options.users else None
    running = []
    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        waiting, futures = iter(todo), set()
        while True:
            while len(futures) < options.at_once and time.monotonic() < until and (next_run := next(waiting, None)):
                futures.add(pool.submit(ask_run, server.port, *next_run))
            if not futures:
                break
            done, futures = concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                answers.add(future.result())
            running.append(server.load()["running"]["requests"])
    outcomes = crowd.stop() if crowd else {}
    blocks = blocks_left(server)
    server.stop()
    answers.add({"crowd": outcomes, "running_mean": statistics.mean(running), "kv_blocks_left": blocks})
    return sum(not answers.has(key=run[0], grammar=grammar) for _, run, grammar in todo)


class Verdict:
    """Of an answer: each of its flags is a column of the table; `leaves` are the right members and those that were expected or given."""

    def __init__(self, row, schema, expected):
        self.asked_well = row["status"] == 200
        self.cut, self.error = row["finish_reason"] == "length", not self.asked_well or row["finish_reason"] == "error"
        self.legal = self.inside = self.complete = self.valid = self.values = self.twice = False
        self.leaves = right_leaves(expected, None) if expected is not None else (0, 0)
        self.why = row["error"]
        try:
            value = first_json(row["text"])
        except ValueError as error:
            self.why = self.why or str(error)
            return
        self.inside = True
        try:
            strict_json(row["text"])
            self.legal, self.twice = self.asked_well, has_name_twice(row["text"])
        except ValueError as error:
            self.why = self.why or str(error)
        errors = errors_of(schema, value)
        self.complete, self.valid = is_complete(errors), not errors
        self.why = self.why or "; ".join(f"{error.json_path}: {error.message}" for error in errors)[:200]
        if expected is not None:
            self.values, self.leaves = same(expected, value), right_leaves(expected, value)

    def take(self, verdict):
        """From the pressure test's judge, which knows what else the article's fields may be called."""
        self.values = verdict["values_right"]
        self.complete |= verdict["complete"]
        self.valid |= verdict["types_right"]


def judge(rows):
    """(row, verdict) of all answers."""
    expected = {f"{task.name}/{i}": task.expected for i, task in enumerate(make_tasks(FURTHER_TASKS))}
    schemas = {key: schema for key, _, schema in run_list()}
    judged = [(row, Verdict(row, schemas[row["key"]], expected.get(row["key"]))) for row in rows if "key" in row]
    of_article = [(row, verdict) for row, verdict in judged if row["key"].startswith("article/")]
    task = article_lines(["tasks"])[0][0]["id"]
    for (row, verdict), scores in zip(of_article, article_lines(*[["judge", task, row["text"]] for row, _ in of_article])):
        if row["grammar"]:
            verdict.values = scores["values_right"]
        else:
            verdict.take(scores)
    return judged


def print_table(judged):
    print("| task | response_format | runs | legal | legal inside | complete | right types | cut | error | right values | right fields | tokens, mean | s, median |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, is_of in (("article's", True), ("further", False)):
        for grammar in (True, False):
            group = [(row, v) for row, v in judged if row["key"].startswith("article/") == is_of and row["grammar"] == grammar]
            if not group:
                continue
            count = len(group)
            shares = [f"{100 * sum(getattr(v, what) for _, v in group) / count:.1f} %" for what in ("legal", "inside", "complete", "valid")]
            right, wanted = (sum(v.leaves[i] for _, v in group) for i in (0, 1))
            print(f"| {name} | {'yes' if grammar else 'no'} | {count} | {' | '.join(shares)} | {sum(v.cut for _, v in group)} | "
                  f"{sum(v.error for _, v in group)} | {share_text(sum(v.values for _, v in group), count)} | "
                  f"{f'{100 * right / wanted:.1f} %' if wanted else ''} | {statistics.mean(row['tokens'] for row, _ in group):.0f} | "
                  f"{statistics.median(row['seconds'] for row, _ in group):.2f} |")


def report(answers):
    """Prints; whether all promises were kept."""
    judged = judge(answers.rows)
    print_table(judged)
    broken = [f"{row['key']}: {v.why or row['finish_reason']}: {row['text'][-160:]!r}" for row, v in judged
              if row["grammar"] and not (v.legal and v.complete and v.valid and row["finish_reason"] == "stop")]
    outcomes, running = collections.Counter(), []
    for row in answers.rows:
        if "crowd" in row:
            outcomes.update(row["crowd"])
            running.append(row["running_mean"])
            if row["kv_blocks_left"]:
                broken.append(f"{row['kv_blocks_left']} KV blocks are in use after all")
    failed = {name: count for name, count in outcomes.items() if name not in ("ok", "unfinished") and count}
    if failed:
        broken.append(f"other users' requests failed: {failed}")
    unasked = [f"{row['key']} without response_format: {v.why}" for row, v in judged if not row["grammar"] and not v.asked_well]
    if running:
        print(f"other users' requests: {dict(outcomes)}; {statistics.mean(running):.1f} answers ran at a time")
    twice = sum(verdict.twice for row, verdict in judged if row["grammar"])
    print(f"with response_format, {twice} answers have a name twice, as JSON allows where the schema leaves names open")
    for line in broken + unasked:
        print(f"BROKEN: {line}")
    return not broken and not unasked


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=MODEL)
    parser.add_argument("--users", type=int, default=25, help="who load the server meanwhile")
    parser.add_argument("--at-once", type=int, default=8, help="tasks under way at a time")
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--to", type=int, default=ARTICLE_RUNS + FURTHER_TASKS, dest="last")
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--seconds-max", type=float, default=0, help="then nothing more is asked; 0: no limit")
    options = parser.parse_args()
    answers = Answers(options.results)
    runs = list(enumerate(run_list()))[options.first:options.last]
    left = ask_all(options, runs, answers)
    kept = report(answers)
    if left:
        print(f"{left} answers are left")
    return 1 if not kept else 3 if left else 0


if __name__ == "__main__":
    sys.exit(main())
