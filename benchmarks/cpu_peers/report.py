"""What the script says: progress, the head, a row's line, and every raw run."""

import datetime
import json
import os
import statistics
import sys
import time

from . import figures, machine
from .children import Failure

LINE_S = 60  # between two lines of progress where standard error is no terminal


class Progress:
    """On standard error: a line that changes, or one a minute."""

    def __init__(self, what):
        self.what, self.began, self.said = what, time.monotonic(), time.monotonic()
        self.terminal = sys.stderr.isatty()

    def say(self, text):
        now = time.monotonic()
        line = f"{self.what}: {text}, {now - self.began:.0f} s so far"
        if self.terminal:
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        elif now - self.said > LINE_S:
            self.said = now
            print(line, file=sys.stderr, flush=True)

    def clear(self):
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


class Raw:
    """Every run, written by a temporary name that is then renamed."""

    def __init__(self, path):
        self.path = path
        self.told = {"began": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "runs": [], "rows": []}

    def add(self, row, side, way, kind, run, told):
        self.told["runs"].append({"row": row.name, "side": side, "way": way, "kind": kind, "run": run, "figures": told})
        return told

    def write(self):
        if not self.path:
            return
        temporary = f"{self.path}.part"
        try:
            with open(temporary, "w") as file:
                json.dump(self.told, file, indent=1)
                file.write("\n")
            os.replace(temporary, self.path)
        except OSError as error:
            raise Failure(f"can't write {self.path}: {error.strerror}") from error


def print_head(options, hussar, peers, model, raw):
    name, flags = machine.processor()
    versions = {side.name: side.version() for side in (hussar, *peers)}
    peaks = hussar.peaks(model)
    raw.told["machine"] = {"processor": name, "flags": flags, "threads": options.threads, "isa": options.isa, "peaks": peaks}
    raw.told["versions"] = versions
    raw.write()  # a folder that can't be written to shows now
    print(f"processor: {name} ({', '.join(flags)})")
    cores = len(os.sched_getaffinity(0))
    print(f"threads: {options.threads} of {cores}; hussar's kernels: {options.isa}; alternating runs: {options.runs}")
    print(f"peaks measured now: {peaks}")
    print("; ".join(f"{side}: {version}" for side, version in versions.items()))
    print()
    table_line("row", "hussar", "best peer", "ratio", "bound", "target", "reached", "roofline", "which")
    table_line("-" * 27, *(f"{'-' * (width - 1)}:" for width in (8, 9, 6, 6, 6)), "-" * 20, "-------:", "-----")


def medians(runs, figure):
    return statistics.median(run[figure] for run in runs)


def table_line(name, ours, theirs, ratio, bound, target, reached, roofline, which):
    """Of a Markdown table."""
    numbers = f"{ours:>8} | {theirs:>9} | {ratio:>6} | {bound:>6} | {target:>6}"
    print(f"| {name:27} | {numbers} | {reached:20} | {roofline:>8} | {which} |", flush=True)


def line(name, ours, theirs, ratio, bound, target, reached, roofline, which):
    shown_bound = "" if bound is None else f"{bound:.2f}"
    table_line(name, f"{ours:.1f}", f"{theirs:.1f}", f"{ratio:.2f}", shown_bound, target, reached, roofline, which)


def print_row(row, target, ours, theirs, ways, notes, raw):
    """The best peer's line; then the others', the times to first token, and notes."""
    speed, roofline = medians(ours, "tokens_per_second"), medians(ours, "roofline")
    for number, peer in enumerate(sorted(theirs, key=lambda one: -medians(theirs[one], "tokens_per_second"))):
        peer_speed = medians(theirs[peer], "tokens_per_second")
        ratio, bound = figures.compare(*([run["tokens_per_second"] for run in side] for side in (ours, theirs[peer])))
        reached = figures.verdict(ratio, bound, target)
        if row.work == "prefill":
            reached = figures.prefill_verdict(reached, bound, target, peer_speed, speed, roofline)
        which = f"{peer}, {ways[peer]}"
        raw.told["rows"].append({"row": row.name, "figure": "tokens_per_second", "peer": peer, "way": ways[peer], "best": number == 0,
                                 "hussar": speed, "peer_median": peer_speed, "ratio": ratio, "bound": bound, "target": target,
                                 "reached": reached, "roofline": roofline})  # fmt: skip
        if number == 0:
            line(row.name, speed, peer_speed, ratio, bound, f"{target:g}", reached, f"{roofline:.2f}", which)
        else:
            line("  also", speed, peer_speed, ratio, bound, "", "", "", which)
        if row.ttft_target and number == 0:
            print_ttft(row, ours, theirs[peer], raw)
    for note in notes:
        print(f"  {note}", file=sys.stderr, flush=True)


def print_ttft(row, ours, theirs, raw):
    """How many times as long the peer's median time to first token is."""
    ratio, bound = figures.compare(*([run["ttft_ms"] for run in side] for side in (theirs, ours)))
    reached = figures.verdict(ratio, bound, row.ttft_target)
    mine, other = medians(ours, "ttft_ms"), medians(theirs, "ttft_ms")
    raw.told["rows"].append({"row": row.name, "figure": "ttft_ms", "hussar": mine, "peer_median": other, "ratio": ratio, "bound": bound,
                             "target": row.ttft_target, "reached": reached})  # fmt: skip
    line("  TTFT p50, ms", mine, other, ratio, bound, f"{row.ttft_target:g}", reached, "", "peer's / ours")
