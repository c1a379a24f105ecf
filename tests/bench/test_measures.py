"""src/bench/measures.h on random records, recomputed here from the formulas that every report prints."""

import json
import os
import random
import subprocess

import numpy as np
import pytest

BUILD = os.environ.get("HUSSAR_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
SEED = int(os.environ.get("HUSSAR_SEED", "20261122"))
ERRORS = ["connect_failed", "first_token_timeout", "http_429", "http_5xx", "in_band_error", "truncated", "bad_json"]
NO_LIMIT = {"ttft_ms": -1, "tpot_ms": -1, "itl_ms": -1, "e2e_ms": -1}
SLICES = 20


def evaluate(lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([os.path.join(BUILD, "measure_lines")], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def random_record(rng, known):
    scheduled = rng.randint(0, 8_000_000_000)
    sent = scheduled + rng.choice([0, rng.randint(0, 50_000_000)])
    record = {
        "stage": rng.choice([-1, 0, 0, 0, 1]),
        "scheduled_ns": rng.choice([scheduled, scheduled, -1]),
        "sent_ns": sent,
        "connected_ns": sent + rng.randint(0, 2_000_000),
        "first_token_ns": -1,
        "last_token_ns": -1,
        "end_ns": sent + rng.randint(3_000_000, 3_000_000_000),
        "connection_reused": rng.random() < 0.5,
        "streamed": rng.random() < 0.8,
        "outcome": rng.choices(["ok", "cancelled", "unfinished", rng.choice(ERRORS)], [12, 1, 1, 3])[0],
        "prompt_tokens": rng.randint(1, 900),
        "cached_tokens": rng.choice([-1, rng.randint(0, 100)]),
        "output_tokens": -1,
        "server_ttft_s": rng.choice([-1, rng.random()]),
        "chunks": [],
    }
    if record["outcome"] in ("ok", "cancelled", "truncated") and record["streamed"]:
        at = sent + rng.randint(2_000_000, 300_000_000)
        style = rng.choice(["known", "unknown", "mixed"])
        for _ in range(rng.randint(1, 30)):
            tokens = 0 if style == "unknown" or (style == "mixed" and rng.random() < 0.5) else rng.randint(1, 4)
            record["chunks"].append([at, tokens])
            at += rng.choice([0, rng.randint(0, 40_000_000)])
        record["first_token_ns"], record["last_token_ns"] = record["chunks"][0][0], record["chunks"][-1][0]
        record["end_ns"] = record["last_token_ns"] + rng.randint(0, 1_000_000)
        record["output_tokens"] = sum(max(1, tokens) for _, tokens in record["chunks"]) + rng.randint(0, 5)
    elif record["outcome"] == "ok":
        record["last_token_ns"] = rng.choice([-1, record["end_ns"]])
        record["output_tokens"] = rng.randint(0, 60)
    if not known and rng.random() < 0.05:
        record[rng.choice(["output_tokens", "prompt_tokens"])] = -1
    return record


def end_of_text(record):
    return record["last_token_ns"] if record["last_token_ns"] >= 0 else record["end_ns"]


def token_times(record):
    """(time, tokens) pairs of one answer."""
    if not record["streamed"]:
        return [(end_of_text(record), record["output_tokens"])]
    silent = [at for at, tokens in record["chunks"] if tokens == 0]
    rest = record["output_tokens"] - sum(tokens for _, tokens in record["chunks"])
    pairs = [(at, tokens) for at, tokens in record["chunks"] if tokens > 0]
    return pairs + ([(at, rest / len(silent)) for at in silent] or [(record["chunks"][-1][0], rest)])


def gaps(record):
    times = [at for at, _ in record["chunks"]] if record["streamed"] else []
    return [(b - a) / 1e6 for a, b in zip(times, times[1:])]


def latency_lists(answers):
    lists = {name: [] for name in ("ttft_ms", "ttft_scheduled_ms", "e2e_ms", "e2e_scheduled_ms", "tpot_ms", "itl_ms")}
    lists |= {"normalised_ms_per_token": [], "connect_ms": [], "server_ttft_ms": []}
    for r in answers:
        start = {"": r["sent_ns"], "_scheduled": r["scheduled_ns"] if r["scheduled_ns"] >= 0 else r["sent_ns"]}
        for suffix, at in start.items():
            lists[f"e2e{suffix}_ms"].append((end_of_text(r) - at) / 1e6)
            if r["streamed"]:
                lists[f"ttft{suffix}_ms"].append((r["first_token_ns"] - at) / 1e6)
        if r["streamed"] and r["output_tokens"] >= 2:
            lists["tpot_ms"].append((end_of_text(r) - r["first_token_ns"]) / 1e6 / (r["output_tokens"] - 1))
        if r["output_tokens"] >= 1:
            lists["normalised_ms_per_token"].append((end_of_text(r) - r["sent_ns"]) / 1e6 / r["output_tokens"])
        if not r["connection_reused"]:
            lists["connect_ms"].append((r["connected_ns"] - r["sent_ns"]) / 1e6)
        if r["server_ttft_s"] >= 0:
            lists["server_ttft_ms"].append(r["server_ttft_s"] * 1e3)
        lists["itl_ms"] += gaps(r)
    return lists


def coalesced(record):
    if not record["streamed"]:
        return 0
    tokens = [tokens for _, tokens in record["chunks"]]
    if 0 in tokens and record["output_tokens"] >= 0:
        return record["output_tokens"] - len(tokens)
    return sum(k - 1 for k in tokens if k > 0)


def within_slo(r, slo):
    start = r["scheduled_ns"] if r["scheduled_ns"] >= 0 else r["sent_ns"]
    if 0 <= slo["e2e_ms"] < (end_of_text(r) - start) / 1e6:
        return False
    if slo["ttft_ms"] >= 0 and not (r["streamed"] and (r["first_token_ns"] - start) / 1e6 <= slo["ttft_ms"]):
        return False
    if slo["tpot_ms"] >= 0 and r["output_tokens"] != 1:
        if not r["streamed"] or r["output_tokens"] < 2:
            return False
        if (end_of_text(r) - r["first_token_ns"]) / 1e6 / (r["output_tokens"] - 1) > slo["tpot_ms"]:
            return False
    return slo["itl_ms"] < 0 or (r["streamed"] and all(gap <= slo["itl_ms"] for gap in gaps(r)))


def check_distribution(got, values, name):
    assert got["count"] == len(values), name
    if not values:
        assert got == {"count": 0}
        return
    expected = {f"p{q}": np.quantile(values, q / 100) for q in (50, 90, 95, 99)}
    expected |= {"p999": np.quantile(values, 0.999), "mean": np.mean(values), "min": min(values), "max": max(values)}
    for key, value in expected.items():
        assert got[key] == pytest.approx(float(value), rel=1e-9, abs=1e-9), (name, key)
    assert got["p50_exact"] == (len(values) >= 6) and got["p99_exact"] == (len(values) >= 368)
    assert got["p50_interval"][0] <= got["p50"] <= got["p50_interval"][1]


def steady_tokens(records, begin, end, arrivals):
    return sum(tokens for r in records for at, tokens in arrivals(r) if begin <= at < end)


def prompt_time(record):
    at = record["first_token_ns"] if record["first_token_ns"] >= 0 else end_of_text(record)
    return [(at, record["prompt_tokens"])]


def check_rates(got, records, counted, answers, window, slo):
    begin, end, _ = window
    all_answers = [r for r in records if r["outcome"] == "ok"]
    seen = [r for r in all_answers if r["end_ns"] >= begin]
    ended = [r for r in all_answers if begin <= r["end_ns"] < end]
    steady_s = (end - begin) / 1e9
    whole_s = (max(r["end_ns"] for r in counted) - min(r["sent_ns"] for r in counted)) / 1e9
    expected = {"steady_s": steady_s, "whole_s": whole_s, "qps_steady": len(ended) / steady_s}
    expected |= {"qps_whole": len(answers) / whole_s}
    expected["goodput_qps"] = sum(within_slo(r, slo) for r in ended) / steady_s if slo else None

    def rate(value, known, length):
        return value / length if known else None

    def unknown(of, field):
        return any(r[field] < 0 for r in of)

    outputs, prompts = (sum(max(0, r[field]) for r in answers) for field in ("output_tokens", "prompt_tokens"))
    known = not unknown(answers, "output_tokens")
    both = known and not unknown(answers, "prompt_tokens")
    expected["output_tokens_per_s_whole"] = rate(outputs, known, whole_s)
    expected["total_tokens_per_s_whole"] = rate(outputs + prompts, both, whole_s)
    known = not unknown(seen, "output_tokens")
    both = known and not unknown(seen, "prompt_tokens")
    came = steady_tokens(all_answers, begin, end, token_times) if known else None
    expected["output_tokens_per_s_steady"] = rate(came, known, steady_s)
    total = came + steady_tokens(all_answers, begin, end, prompt_time) if both else None
    expected["total_tokens_per_s_steady"] = rate(total, both, steady_s)
    for name, value in expected.items():
        assert got[name] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)), name


def check_summary(got, records, window, slo):
    counted = [r for r in records if r["stage"] >= 0]
    answers = [r for r in counted if r["outcome"] == "ok"]
    outcomes = [r["outcome"] for r in counted]
    errors = sum(outcome in ERRORS for outcome in outcomes)
    assert got["outcomes"] == {name: outcomes.count(name) for name in set(outcomes)}
    assert (got["requests"], got["ok"], got["errors"]) == (len(counted), len(answers), errors)
    assert (got["cancelled"], got["unfinished"]) == (outcomes.count("cancelled"), outcomes.count("unfinished"))
    for name, values in latency_lists(answers).items():
        check_distribution(got[name], values, name)
    assert got["coalesced_gaps"] == sum(coalesced(r) for r in answers)
    for name in ("prompt", "output", "cached"):
        assert got[f"{name}_tokens"] == sum(max(0, r[f"{name}_tokens"]) for r in answers)
    assert got["tokens_unknown"] == sum(r["output_tokens"] < 0 for r in answers)
    assert got["prompts_unknown"] == sum(r["prompt_tokens"] < 0 for r in answers)
    check_rates(got, records, counted, answers, window, slo)


def check_samples(samples, records, window):
    begin, end, _ = window
    answers = [r for r in records if r["stage"] >= 0 and r["outcome"] == "ok"]
    for name, values in latency_lists(answers).items():
        assert samples.get(name, []) == pytest.approx(values, abs=0.51e-4), name
    if "itl_ms" in samples:
        assert samples["itl_ms_group_sizes"] == [len(gaps(r)) for r in answers if gaps(r)]
    seconds = (end - begin) / SLICES / 1e9
    for i, rate in enumerate(samples["qps_slices"]):
        low, high = begin + (end - begin) * i / SLICES, begin + (end - begin) * (i + 1) / SLICES
        ended = sum(r["outcome"] == "ok" and low <= r["end_ns"] < high for r in records)
        assert rate == pytest.approx(ended / seconds)


def scenario(rng):
    known = rng.random() < 0.7
    begin = rng.randint(0, 2_000_000_000)
    # Slices of whole nanoseconds, so that both sides cut them at the same places.
    length = SLICES * rng.randint(50_000_000, 350_000_000)
    slo = rng.choice([None, NO_LIMIT, {name: rng.choice([-1, rng.uniform(1, 900)]) for name in NO_LIMIT}])
    records = [random_record(rng, known) for _ in range(rng.choice([3, 12, 60, 500]))]
    return {"records": records, "window": [begin, begin + length, 12_000_000_000], "slo": slo, "count_max": 1 << 30}


def test_random_records_equal_the_formulas():
    print(f"HUSSAR_SEED={SEED}")
    rng = random.Random(SEED)
    lines = [line for line in (scenario(rng) for _ in range(60)) if any(r["stage"] >= 0 for r in line["records"])]
    for line, answer in zip(lines, evaluate(lines), strict=True):
        check_summary(answer["summary"], line["records"], line["window"], line["slo"])
        check_samples(answer["samples"], line["records"], line["window"])


def test_slices_average_to_the_steady_rates():
    print(f"HUSSAR_SEED={SEED}")
    rng = random.Random(SEED + 1)
    line = scenario(rng)
    line["records"] = [random_record(rng, True) for _ in range(300)]
    answer = evaluate([line])[0]
    for metric in ("qps", "output_tokens_per_s"):
        mean = np.mean(answer["samples"][f"{metric}_slices"])
        assert mean == pytest.approx(answer["summary"][f"{metric}_steady"], rel=1e-9)


def test_thinned_samples_are_a_part_in_order_and_keep_their_groups():
    print(f"HUSSAR_SEED={SEED}")
    rng = random.Random(SEED + 2)
    line = scenario(rng)
    line["records"] = [random_record(rng, True) for _ in range(400)]
    whole, thin = evaluate([line, line | {"count_max": 100}])
    for name, values in whole["samples"].items():
        if name.endswith("_slices") or name == "itl_ms_group_sizes":
            continue
        kept = thin["samples"][name]
        assert len(kept) == min(100, len(values))
        rest = iter(values)
        assert all(value in rest for value in kept), f"{name}: not a subsequence"
    sizes = thin["samples"]["itl_ms_group_sizes"]
    assert sum(sizes) == 100 and min(sizes) >= 1
    # 100 of several thousand gaps: hardly two of one request in a row.
    assert len(sizes) > 50
