#!/usr/bin/env python3
"""hussar perf beside llama.cpp's llama-bench, in alternating runs of the same file with the same threads.

    benchmarks/side_by_side.py --hussar build/hussar --llama-bench PATH --threads 2 --runs 5 MODEL.gguf [MODEL.gguf ...]

For each row it prints both medians in tokens per second, the median of the paired ratios and the lowest and highest of them. The two
programs never run at once; each run is a fresh process with a warm-up of its own.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = fields.get("flags", "").split()
    wide = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8") if flag in flags]
    return f"{fields.get('model name')} family {fields.get('cpu family')} ({', '.join(wide)})"


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr.strip()[-2000:]}")
    return done.stdout


def hussar_rows(options, model, depth):
    command = [options.hussar, "perf", "--model", model, "--threads", str(options.threads), "--prompt", str(options.prompt),
               "--generate", str(options.generate), "--depth", str(depth), "--batch", "1", "--repetitions", "1", "--json"]
    rows = {}
    for line in run(command).splitlines():
        row = json.loads(line)
        rows[row["test"]] = (row["tokens_per_second"], row.get("roofline_fraction"))
    return rows


def llama_rows(options, model, depth):
    command = [options.llama_bench, "-m", model, "-t", str(options.threads), "-p", str(options.prompt), "-n", str(options.generate),
               "-d", str(depth), "-r", "1", "-o", "json", "-fa", options.flash_attention]
    rows = {}
    for row in json.loads(run(command)):
        name = f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"
        rows[name + (f"@d{depth}" if depth else "")] = row["avg_ts"]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--hussar", default="build/hussar")
    parser.add_argument("--llama-bench", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=128)
    parser.add_argument("--depth", default="0", help="comma-separated context depths (default 0)")
    parser.add_argument("--flash-attention", default="0", choices=["0", "1"], help="of llama.cpp")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(f"processor: {processor()}, {options.threads} threads, {options.runs} alternating runs")
    print(f"{'model':44} {'row':12} {'hussar':>9} {'llama.cpp':>9} {'ratio':>6} {'lowest':>6} {'highest':>7} {'roofline':>8}")
    for model in options.models:
        for depth in map(int, options.depth.split(",")):
            pairs = [(hussar_rows(options, model, depth), llama_rows(options, model, depth)) for _ in range(options.runs)]
            for name in pairs[0][1]:
                ours = [pair[0][name][0] for pair in pairs]
                theirs = [pair[1][name] for pair in pairs]
                ratios = sorted(a / b for a, b in zip(ours, theirs))
                fraction = statistics.median(pair[0][name][1] for pair in pairs)
                print(f"{pathlib.Path(model).name:44} {name:12} {statistics.median(ours):9.1f} {statistics.median(theirs):9.1f} "
                      f"{statistics.median(ratios):6.2f} {ratios[0]:6.2f} {ratios[-1]:7.2f} {fraction:8.2f}", flush=True)


if __name__ == "__main__":
    main()
