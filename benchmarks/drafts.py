#!/usr/bin/env python3
"""What does guessing ahead bring, task by task?

    benchmarks/drafts.py [--model FILE] [--runs 7] [--draft-tokens 8]

Three servers, without drafts, with those that make tokens come faster, and with all there are, answer the same request in turn, one user at a time.
Printed are tokens per second, the ratio to the server without drafts (median of the paired ratios, lowest and highest), and how many tokens were
guessed and how many of those were right. The exit code is 1 when an answer is not the same, byte for byte, on all three.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent / "overload"))
from overload import MODEL, Server  # noqa: E402

CODE = """def total(orders):
    result = 0
    for order in orders:
        if order.paid:
            result += order.price * order.count
    return result


def unpaid(orders):
    result = []
    for order in orders:
        if not order.paid:
            result.append(order)
    return result
"""
TASKS = {
    "rewrite code": (f"Rename the variable result to answer in this code and print all of the code again:\n{CODE}", 0.0),
    "extract records": ("List as JSON objects with name, age and city, one a line: Anna is 31 and lives in Rome. Ben is 45 and lives in Oslo. Cleo is 28 "
                        "and lives in Lima. Dan is 52 and lives in Bern. Eve is 39 and lives in Cairo.", 0.0),
    "tell a story": ("Write a short story about a lighthouse keeper.", 0.8),
}  # fmt: skip


def post(server, path, body):
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)


def ask(server, prompt, temperature):
    """Tokens per second and the text."""
    began = time.monotonic()
    answer = post(server, "/v1/chat/completions", {"messages": [{"role": "user", "content": prompt}], "max_tokens": 200, "temperature": temperature, "seed": 3})
    return answer["usage"]["completion_tokens"] / (time.monotonic() - began), answer["choices"][0]["message"]["content"]


def drafts(server):
    """Guessed and right, so far."""
    with urllib.request.urlopen(server.url + "/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return [next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"vllm:spec_decode_num_{what}_tokens_total")) for what in ("draft", "accepted")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=MODEL)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--draft-tokens", type=int, default=8)
    options = parser.parse_args()
    options.running, options.queue, options.wait_ms = 8, 64, 300_000
    servers = {mode: Server(options, "--draft-tokens", str(tokens), *(["--draft-mode", mode] if tokens else []))
               for mode, tokens in (("off", 0), ("faster", options.draft_tokens), ("always", options.draft_tokens))}  # fmt: skip
    different = False
    for task, (prompt, temperature) in TASKS.items():
        rates, texts = {mode: [] for mode in servers}, set()
        before = {mode: drafts(server) for mode, server in servers.items()}
        for run in range(options.runs + 1):
            for mode, server in servers.items():
                rate, text = ask(server, prompt, temperature)
                texts.add(text)
                if run > 0:  # the first one fills the prefix cache
                    rates[mode].append(rate)
        different |= len(texts) > 1
        print(f"{task}: {statistics.median(rates['off']):.0f} tok/s without drafts" + ("" if len(texts) == 1 else "; THE TEXTS ARE NOT THE SAME"))
        for mode in ("faster", "always"):
            ratios = sorted(a / b for a, b in zip(rates[mode], rates["off"], strict=True))
            guessed, right = (now - then for now, then in zip(drafts(servers[mode]), before[mode], strict=True))
            print(f"  {mode}: {statistics.median(rates[mode]):.0f} tok/s, {statistics.median(ratios):.2f} x [{ratios[0]:.2f}, {ratios[-1]:.2f}], "
                  f"{right:.0f} of {guessed:.0f} guesses right")
        sys.stdout.flush()
    for server in servers.values():
        server.stop()
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
