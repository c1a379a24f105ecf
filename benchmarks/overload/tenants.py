#!/usr/bin/env python3
"""Two tenants of equal weight, one of which floods the server: what does that cost the other?

    benchmarks/overload/tenants.py [--model FILE] [--requests 40] [--flood 200] [--runs 3]

The small tenant asks one question after the other. Its mean latency is measured twice on the same server: while the big one keeps exactly half of
the slots busy, and while the big one has --flood requests under way or waiting, and sends again what is refused. Printed are both means and their
ratio, which is to stay below 1.3; the exit code is 1 when it does not, or when a request of the small one failed.
"""

import argparse
import http.client
import json
import pathlib
import statistics
import sys
import tempfile
import threading
import time

from overload import MODEL, Server

RATIO_MAX = 1.3


def ask(port, key, seed, options):
    """Status and seconds."""
    body = {"prompt": f"Question {seed}: " + "why does the river rise in spring? " * 8, "max_tokens": options.output, "ignore_eos": True,
            "temperature": 0.7, "seed": seed}
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, time.monotonic() - began


class Big:
    """So many requests of the big tenant at any time."""

    def __init__(self, port, concurrency, options):
        self.port, self.options, self.done = port, options, threading.Event()
        self.answered = self.refused = 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.pour, args=(i,)) for i in range(concurrency)]
        for thread in self.threads:
            thread.start()

    def pour(self, index):
        seed = index * 1_000_000
        while not self.done.is_set():
            seed += 1
            status, _ = ask(self.port, "sk-big-tenant", seed, self.options)
            with self.lock:
                self.answered += status == 200
                self.refused += status == 429
            if status != 200:
                self.done.wait(0.2)

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join()


def small_mean(server, concurrency, options, first_seed):
    big = Big(server.port, concurrency, options)
    time.sleep(options.settle)
    results = []
    for i in range(options.requests):
        results.append(ask(server.port, "sk-small-tenant", first_seed + i, options))
        time.sleep(0.05)
    big.stop()
    failed = [status for status, _ in results if status != 200]
    return statistics.mean(seconds for _, seconds in results), failed, big


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=MODEL)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--flood", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--running", type=int, default=8)
    parser.add_argument("--queue", type=int, default=256)
    parser.add_argument("--wait-ms", type=int, default=300_000)
    parser.add_argument("--output", type=int, default=48)
    parser.add_argument("--settle", type=float, default=4)
    options = parser.parse_args()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as keys:
        json.dump({"keys": [{"name": "big", "key": "sk-big-tenant"}, {"name": "small", "key": "sk-small-tenant"}]}, keys)
        keys.flush()
        server = Server(options, "--api-keys", keys.name)
        ratios, broken = [], False
        for run in range(options.runs):
            half, half_failed, _ = small_mean(server, options.running // 2, options, 1000 * run + 1)
            flood, flood_failed, big = small_mean(server, options.flood, options, 1000 * run + 501)
            ratios.append(flood / half)
            broken |= bool(half_failed or flood_failed)
            print(f"half of the slots {half * 1000:.0f} ms, flood of {options.flood} {flood * 1000:.0f} ms, ratio {flood / half:.2f}; "
                  f"big one: {big.answered} answered, {big.refused} refused; small one failed: {half_failed + flood_failed}")
            sys.stdout.flush()
        server.stop()
    print(f"median ratio {statistics.median(ratios):.2f}, to stay below {RATIO_MAX}")
    return 1 if broken or statistics.median(ratios) > RATIO_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
