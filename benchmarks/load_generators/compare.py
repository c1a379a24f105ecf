#!/usr/bin/env python3
"""`hussar bench load`, Locust and AIPerf measure the same `hussar mock`, one after the other, and are compared with what the mock really sent.

    benchmarks/load_generators/compare.py --hussar build/hussar --locust PATH --aiperf PATH --users 100 --seconds 20

Needs `pip install locust aiperf` in an environment of its own; a tool whose path is left out is not run. Closed loop: so many users, each asks
again when it is answered. Truth is the mock's own record of each run: TTFT from the whole request's arrival to the moment before the first piece of
text is handed to the socket, ITL between such moments, E2E until the answer's end. One request more than `hussar bench` counts is the one by which
it looks at the server first. Printed: what each tool reports beside the truth of its own
run, in milliseconds, the requests it counted against those the mock ended, and the CPU time it took for each thousand pieces of text.
"""
import argparse
import json
import os
import pathlib
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


class Mock:
    def __init__(self, options, record):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.record = record
        self.process = subprocess.Popen(
            [options.hussar, "mock", "--port", str(self.port), "--ttft-ms", str(options.ttft_ms), "--itl-ms", str(options.itl_ms),
             "--output-tokens", str(options.output_tokens), "--record", str(record)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        sys.exit("the mock does not answer")

    def truth(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)
        rows = [json.loads(line) for line in self.record.read_text().splitlines()]
        rows = [row for row in rows if row["streamed"] and row["whole"] and row["chunks"]]
        ms = 1e-6
        sent = [[chunk["before_ns"] for chunk in row["chunks"]] for row in rows]
        return {"ttft": [(times[0] - row["received_ns"]) * ms for row, times in zip(rows, sent)],
                "itl": [(b - a) * ms for times in sent for a, b in zip(times, times[1:])],
                "e2e": [(row["ended_ns"] - row["received_ns"]) * ms for row in rows], "count": len(rows), "pieces": sum(map(len, sent))}


def run_hussar(options, url, folder):
    command = [options.hussar, "bench", "load", "--url", url, "--users", str(options.users), "--duration-s", str(options.seconds),
               "--input-tokens", str(options.input_tokens), "--output-tokens", str(options.output_tokens), "--metrics-url", "none", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 3):
        sys.exit(done.stderr[-2000:])
    summary = json.loads(done.stdout)["rows"][0]["summary"]
    figures = {kind: {"p50": summary[kind + "_ms"]["p50"], "p99": summary[kind + "_ms"]["p99"]} for kind in ("ttft", "itl", "e2e")}
    return figures, summary["ok"], " (it says itself: CLIENT-LIMITED)" if done.returncode == 3 else ""


def run_locust(options, url, folder):
    samples = folder / "samples"
    environment = dict(os.environ, SAMPLES=str(samples), OUTPUT_TOKENS=str(options.output_tokens), INPUT_TOKENS=str(options.input_tokens))
    command = [options.locust, "-f", str(HERE / "locust_stream.py"), "--headless", "--host", url, "-u", str(options.users), "-r", str(options.users),
               "-t", f"{options.seconds}s", "--stop-timeout", "30", "--only-summary"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode or not samples.exists():
        sys.exit(done.stderr[-2000:])
    by_kind = {"ttft": [], "itl": [], "e2e": []}
    for line in samples.read_text().splitlines():
        kind, ms = line.split()
        by_kind[kind].append(float(ms))
    return {kind: {"p50": quantile(values, 0.5), "p99": quantile(values, 0.99)} for kind, values in by_kind.items()}, len(by_kind["e2e"]), ""


def write_byte_tokenizer(folder):
    """A tokenizer of single bytes in Hugging Face's format: AIPerf wants one to make prompts up, and else fetches one."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": byte_level,
        "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "vocab": {letter: i for i, letter in enumerate(letters)}, "merges": []}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return str(folder)


def run_aiperf(options, url, folder):
    command = [options.aiperf, "profile", "-m", "mock", "--url", url, "--endpoint-type", "chat", "--streaming", "--tokenizer", write_byte_tokenizer(folder / "tokenizer"), "--use-server-token-count",
               "--concurrency", str(options.users), "--benchmark-duration", str(options.seconds), "--benchmark-grace-period", "30",
               "--synthetic-input-tokens-mean", str(options.input_tokens), "--synthetic-input-tokens-stddev", "0",
               "--extra-inputs", f"max_tokens:{options.output_tokens}", "--artifact-dir", str(folder / "aiperf"), "--ui", "none"]
    done = subprocess.run(command, capture_output=True, text=True)
    found = list((folder / "aiperf").rglob("profile_export_aiperf.json"))
    if not found:
        sys.exit((done.stdout + done.stderr)[-3000:])
    report = json.loads(found[0].read_text())
    names = {"ttft": "time_to_first_token", "itl": "inter_token_latency", "e2e": "request_latency"}
    figures = {kind: {"p50": report[name]["p50"], "p99": report[name]["p99"]} for kind, name in names.items()}
    return figures, int(report["request_count"]["avg"]), " (its ITL is each answer's mean gap)"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hussar", default="build/hussar")
    parser.add_argument("--locust")
    parser.add_argument("--aiperf")
    for name, default in (("users", 100), ("seconds", 20), ("ttft-ms", 100), ("itl-ms", 20), ("input-tokens", 200), ("output-tokens", 64), ("repetitions", 3)):
        parser.add_argument("--" + name, type=int, default=default)
    options = parser.parse_args()
    tools = [("hussar bench", run_hussar)]
    if options.locust:
        tools.append(("Locust", run_locust))
    if options.aiperf:
        tools.append(("AIPerf", run_aiperf))
    collected = {name: [] for name, _ in tools}
    notes = {}
    for _ in range(options.repetitions):
        for name, tool in tools:
            with tempfile.TemporaryDirectory() as folder:
                mock = Mock(options, pathlib.Path(folder) / "record.jsonl")
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                figures, counted, notes[name] = tool(options, f"http://127.0.0.1:{mock.port}", pathlib.Path(folder))
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                truth = mock.truth()
            cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            row = {f"{kind} {p}": (figures[kind][p], quantile(truth[kind], share)) for kind in ("ttft", "itl", "e2e") for p, share in (("p50", 0.5), ("p99", 0.99))}
            collected[name].append((row, counted, truth["count"], 1000 * cpu_s / max(1, truth["pieces"])))
            print(f"{name}: {counted} of {truth['count']} requests, {cpu_s:.1f} s CPU", file=sys.stderr)
    keys = list(collected[tools[0][0]][0][0])
    print(f"{options.users} users, TTFT {options.ttft_ms} ms, ITL {options.itl_ms} ms, {options.output_tokens} tokens; ms measured (truth), medians of {options.repetitions} runs\n")
    print("| tool | " + " | ".join(key.upper().replace("P", "p") for key in keys) + " | requests counted | CPU s per 1,000 pieces |")
    print("| --- |" + " ---: |" * (len(keys) + 2))
    for name, runs in collected.items():
        cells = [f"{statistics.median(run[0][key][0] for run in runs):.1f} ({statistics.median(run[0][key][1] for run in runs):.1f})" for key in keys]
        counted, ended = sum(run[1] for run in runs), sum(run[2] for run in runs)
        print(f"| {name}{notes[name]} | " + " | ".join(cells) + f" | {counted} of {ended} | {statistics.median(run[3] for run in runs):.3f} |")


if __name__ == "__main__":
    main()
