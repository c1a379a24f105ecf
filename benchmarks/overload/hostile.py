#!/usr/bin/env python3
"""What do hostile schemas cost those who ask for something else at the same time?

    benchmarks/overload/hostile.py [--model FILE] [--seconds 30] [--runs 5] [--only NAME]

Users stream answers in a closed loop; the 99th percentile of the time between their tokens is measured by `hussar bench load`, with nobody else there
and while a sender asks for one schema after the other that is made to cost: nested oneOf, expressions with many readings, 60,000 alternatives, strings
of a thousand million characters, references in a circle, a quarter of a second after each answer the next. No two of its requests are alike, so that nothing is remembered. Each pair of runs prints
both percentiles and their ratio; the median ratio is to stay at or below 1.2. The exit code is 1 when it does not, when a hostile request got
anything but a 400, or when a user's request failed.
"""

import argparse
import collections
import http.client
import json
import os
import pathlib
import statistics
import sys
import threading
import time

from overload import MODEL, Server, press

RATIO_MAX = 1.2


def nested_one_of(depth):
    inner = {"type": "integer"}
    for level in range(depth):
        inner = {"oneOf": [{"type": "object", "properties": {f"{side}{level}": inner}, "required": [f"{side}{level}"]} for side in "ab"]}
    return inner


def bodies():
    """(name, body with %d where a number makes it unlike the last one)"""
    schemas = {
        "nested oneOf": {"json": {"title": "%d", **nested_one_of(14)}},
        "60,000 alternatives": {"json": {"title": "%d", "enum": [f"value number {i}" for i in range(60_000)]}},
        "40,000 alternatives of an expression": {"regex": "%d|" + "|".join(f"value {i} of {i * 7}" for i in range(40_000))},
        "a long string": {"json": {"title": "%d", "type": "string", "minLength": 10**9}},
        "a reference to itself": {"json": {"title": "%d", "$ref": "#"}},
        "a list within itself": {"json": {"title": "%d", "type": "array", "minItems": 1, "items": {"$ref": "#"}}},
    }
    return [(name, json.dumps({"prompt": "x", "max_tokens": 60, "structured_outputs": schema})) for name, schema in schemas.items()]


class Sender:
    """Asks until it is stopped."""

    def __init__(self, port, only, pause_s):
        self.pause_s = pause_s
        self.port, self.done, self.answers, self.seconds = port, threading.Event(), collections.Counter(), collections.defaultdict(list)
        self.bodies = [(name, body) for name, body in bodies() if only in name]
        self.count = int(time.time())  # unlike those of an earlier run on the same server
        self.thread = None

    def start(self):
        self.done.clear()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        # Senders are elsewhere: what this one takes of the processor is not the server's doing.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while not self.done.is_set():
            for name, body in self.bodies:
                self.count += 1
                began = time.monotonic()
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
                connection.request("POST", "/v1/completions", body.replace("%d", str(self.count)), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                connection.close()
                self.answers[name, answer.status] += 1
                self.seconds[name].append(time.monotonic() - began)
                if self.done.wait(self.pause_s):
                    return

    def stop(self):
        self.done.set()
        self.thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=MODEL)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="schemas whose name holds this")
    parser.add_argument("--pause", type=float, default=0.25, help="seconds between two of them: a flood of bytes is another matter")
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--running", type=int, default=8)
    parser.add_argument("--queue", type=int, default=64)
    parser.add_argument("--wait-ms", type=int, default=300_000)
    parser.add_argument("--input", type=int, default=128)
    parser.add_argument("--output", type=int, default=1900, help="long, so that few tokens wait for another user's prompt")
    options = parser.parse_args()
    server = Server(options)
    sender = Sender(server.port, options.only, options.pause)
    ratios, failed = [], 0

    def p99_ms():
        nonlocal failed
        summary = press(server, options, "--users", str(options.users), "--duration-s", str(options.seconds), "--warmup-s", "4")
        failed += sum(count for name, count in summary["outcomes"].items() if name != "ok")
        return summary["itl_ms"]["p99"], summary["itl_ms"]["p50"]

    for _ in range(options.runs):
        quiet, quiet_p50 = p99_ms()
        sender.start()
        pressed, pressed_p50 = p99_ms()
        sender.stop()
        ratios.append(pressed / quiet)
        print(f"p99 of the time between tokens: {quiet:.1f} ms alone, {pressed:.1f} ms beside hostile schemas, ratio {ratios[-1]:.2f} "
              f"(p50 {quiet_p50:.1f} and {pressed_p50:.1f} ms)")
        sys.stdout.flush()
    server.stop()
    for (name, status), count in sorted(sender.answers.items()):
        print(f"  {name}: {count} answered {status}, at most {max(sender.seconds[name]):.1f} s")
    print(f"median ratio {statistics.median(ratios):.2f}, to stay at or below {RATIO_MAX}")
    wrong = [key for key in sender.answers if key[1] != 400]
    if wrong or failed:
        print(f"BROKEN: {wrong} {failed} requests of users failed")
    return 1 if wrong or failed or statistics.median(ratios) > RATIO_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
