#!/usr/bin/env python3
"""Are deadlines that were accepted kept, on a real model under more load than the server can carry?

    benchmarks/overload/promises.py [--model FILE] [--seconds 60] [--clients 32]

Clients ask with random prompts, token limits and priorities, every other time with a random deadline. Printed is how many deadlines were accepted,
how many of those were kept, how late the others were cut, and how many were refused. What is refused costs its client nothing but a fifth of a second.
"""

import argparse
import http.client
import json
import pathlib
import random
import sys
import threading
import time

from overload import MODEL, Server


class Counts:
    def __init__(self):
        self.lock = threading.Lock()
        self.kept = self.late = self.refused = self.plain = self.other = 0
        self.left = []  # of kept deadlines, what was left of them, as a share


def client(port, seed, until, warm, counts):
    rng = random.Random(seed)
    while time.monotonic() < until:
        body = {"prompt": f"{seed} {rng.random()}: " + "the river rises in spring " * rng.randint(1, 40), "max_tokens": rng.randint(4, 64),
                "ignore_eos": True, "temperature": 0.7, "seed": rng.randrange(1 << 30), "priority": rng.randint(-20, 20)}
        deadline_ms = rng.randint(200, 8000) if rng.random() < 0.5 and time.monotonic() > warm else None
        if deadline_ms:
            body["deadline_ms"] = deadline_ms
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        took_ms = (time.monotonic() - began) * 1000
        connection.close()
        with counts.lock:
            if answer.status == 200 and not deadline_ms:
                counts.plain += 1
            elif answer.status == 200 and json.loads(text)["choices"][0]["finish_reason"] == "length":
                counts.kept += 1
                counts.left.append(1 - took_ms / deadline_ms)
            elif answer.status in (200, 504):
                counts.late += 1
            elif answer.status in (400, 429):
                counts.refused += bool(deadline_ms)
            else:
                counts.other += 1
        if answer.status in (400, 429):
            time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=MODEL)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--running", type=int, default=8)
    parser.add_argument("--queue", type=int, default=64)
    parser.add_argument("--wait-ms", type=int, default=300_000)
    options = parser.parse_args()
    server = Server(options)
    counts = Counts()
    warm = time.monotonic() + 10
    until = warm + options.seconds
    threads = [threading.Thread(target=client, args=(server.port, i, until, warm, counts)) for i in range(options.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.stop()
    promised = counts.kept + counts.late
    print(f"{promised} deadlines accepted, {counts.kept} kept ({100 * counts.kept / max(1, promised):.1f} %), {counts.late} late; {counts.refused} "
          f"refused; {counts.plain} answers without a deadline; {counts.other} other outcomes")
    if counts.left:
        left = sorted(counts.left)
        print(f"of a kept deadline was left: p5 {100 * left[len(left) // 20]:.0f} %, median {100 * left[len(left) // 2]:.0f} %")
    return 1 if counts.other else 0


if __name__ == "__main__":
    sys.exit(main())
