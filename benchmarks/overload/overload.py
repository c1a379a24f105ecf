#!/usr/bin/env python3
"""Ten times what the server can carry: does it keep its promises to those whom it admitted, and refuse the others at once?

    benchmarks/overload/overload.py [--model FILE] [--runs 3] [--seconds 60] [--factor 10]

Each run starts `hussar serve` anew and presses it with `hussar bench load`: users in closed loop find what it can carry, an open loop at 70 % of
that gives the usual time to first token, and one at ten times as much the overload. Meanwhile a client of our own asks twice a second and notes
how long a refusal takes, and the server's resident memory is read twice a second. Printed are, for each run, the p95 of the time to first token of
admitted requests beside its bound (the usual one and what may wait), outcomes by status, the times to refuse, memory at the start, at its highest
and at the end, and what is left in the queue and in the KV pool. The exit code is 1 when a promise was broken.
"""

import argparse
import http.client
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HUSSAR_BINARY", str(ROOT / "build/hussar"))
MODEL = ROOT / "build/models/smollm2-135m-instruct-q4_1.gguf"
SUSTAINABLE_SHARE = 0.7  # of the closed loop's throughput: an open loop at all of it would queue without end
REFUSAL_MS_MAX = 50


class Server:
    def __init__(self, options, *flags):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--model", str(options.model), "--port", str(self.port), "--running-max", str(options.running),
             "--queue-max", str(options.queue), "--queue-wait-ms-max", str(options.wait_ms), "--log-level", "warning",
             *flags],
            stdout=self.log, stderr=subprocess.STDOUT)
        while True:
            try:
                urllib.request.urlopen(self.url + "/ready", timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    sys.exit("the server did not start")
                time.sleep(0.05)

    def resident_mb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def load(self):
        with urllib.request.urlopen(self.url + "/v1/load", timeout=30) as answer:
            return json.load(answer)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=60) != 0:
            sys.exit("the server did not end cleanly")


def press(server, options, *flags):
    """The summary of one run of `hussar bench load`."""
    done = subprocess.run(
        [BINARY, "bench", "load", "--url", server.url, "--api", "completions", "--input-tokens", str(options.input), "--output-tokens",
         str(options.output), "--force-length", "--temperature", "0.7", "--json", *flags], capture_output=True, text=True, check=False)
    if not done.stdout:
        sys.exit(f"hussar bench load failed: {done.stderr}")
    return json.loads(done.stdout)["rows"][0]["summary"]


class Watch:
    """Asks and looks twice a second until it is stopped."""

    def __init__(self, server):
        self.server, self.refusals_ms, self.resident_mb = server, [], []
        self.admitted, self.other = 0, []
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.ask), threading.Thread(target=self.look)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        while not self.done.wait(0.5):
            began = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=300)
            connection.request("POST", "/v1/completions", json.dumps({"prompt": "x", "max_tokens": 1}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 429:
                self.refusals_ms.append((time.monotonic() - began) * 1000)
            elif answer.status == 200:
                self.admitted += 1
            else:
                self.other.append(answer.status)
            connection.close()

    def look(self):
        while not self.done.wait(0.5):
            self.resident_mb.append(self.server.resident_mb())

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join()


def one_run(options):
    server = Server(options)
    closed = press(server, options, "--users", str(options.running), "--duration-s", "20", "--warmup-s", "4")
    rate = SUSTAINABLE_SHARE * closed["qps_steady"]
    usual = press(server, options, "--rate", f"{rate:.4f}", "--duration-s", str(options.seconds), "--warmup-s", "4")
    before_mb = server.resident_mb()
    watch = Watch(server)
    overload = press(server, options, "--rate", f"{rate * options.factor:.4f}", "--duration-s", str(options.seconds), "--drain-s", "120")
    watch.stop()
    time.sleep(1)
    left = server.load()
    after_mb = server.resident_mb()
    server.stop()
    bound_ms = usual["ttft_ms"]["p95"] + options.wait_ms
    refused_ms = sorted(watch.refusals_ms)
    percentile = lambda share: refused_ms[min(len(refused_ms) - 1, int(share * len(refused_ms)))] if refused_ms else 0.0
    failed = {name: count for name, count in overload["outcomes"].items() if name not in ("ok", "http_429", "refused")}
    print(f"sustainable {rate:.2f}/s, p95 TTFT {usual['ttft_ms']['p95']:.0f} ms; pressed with {rate * options.factor:.1f}/s for {options.seconds} s")
    print(f"  admitted: {overload['ok']} answered, p95 TTFT {overload['ttft_ms']['p95']:.0f} ms (bound {bound_ms:.0f} ms), outcomes {overload['outcomes']}")
    print(f"  refused: {len(refused_ms)} probes, p50 {percentile(0.5):.1f} ms, p99 {percentile(0.99):.1f} ms, most {percentile(1):.1f} ms")
    print(f"  resident memory: {before_mb:.0f} MB before, at most {max(watch.resident_mb, default=0):.0f} MB, {after_mb:.0f} MB after")
    print(f"  left: {left['queue']['waiting']} waiting, {left['running']['requests']} running, {left['kv_blocks']['used']} KV blocks")
    sys.stdout.flush()
    broken = []
    if failed or watch.other:
        broken.append(f"other outcomes than answers and 429s: {failed} {watch.other}")
    if overload["ttft_ms"]["p95"] > bound_ms:
        broken.append("p95 TTFT above its bound")
    if refused_ms and refused_ms[-1] > REFUSAL_MS_MAX:
        broken.append(f"a refusal took more than {REFUSAL_MS_MAX} ms")
    if left["queue"]["waiting"] or left["running"]["requests"] or left["kv_blocks"]["used"]:
        broken.append("something is left")
    for what in broken:
        print(f"  BROKEN: {what}")
    return overload["ttft_ms"]["p95"], bound_ms, broken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=MODEL)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--factor", type=float, default=10)
    parser.add_argument("--running", type=int, default=16)
    parser.add_argument("--queue", type=int, default=64)
    parser.add_argument("--wait-ms", type=int, default=2000)
    parser.add_argument("--input", type=int, default=128)
    parser.add_argument("--output", type=int, default=64)
    options = parser.parse_args()
    results = [one_run(options) for _ in range(options.runs)]
    print(f"p95 TTFT of admitted requests, median of {options.runs} runs: {statistics.median(r[0] for r in results):.0f} ms, "
          f"bound {statistics.median(r[1] for r in results):.0f} ms")
    return 1 if any(broken for _, _, broken in results) else 0


if __name__ == "__main__":
    sys.exit(main())
