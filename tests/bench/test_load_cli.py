"""`hussar bench load` and `limit` as their users see them: against the mock, against small servers of this file, and against
nothing at all. Counts and exit codes only: what takes how long belongs to benchmarks."""

import contextlib
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HUSSAR_BINARY", str(ROOT / "build/hussar"))
# A busy machine makes the client late; then the run says so with 3, and its counts hold nevertheless.
RAN = (0, 3)
SECONDS_MAX = 120


def bench(*args):
    return subprocess.run([BINARY, "bench", *args], capture_output=True, text=True, timeout=SECONDS_MAX)


@contextlib.contextmanager
def mock(*flags):
    process = subprocess.Popen([BINARY, "mock", "--port", "0", "--ttft-ms", "2", "--itl-ms", "1", *flags], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://\S+", process.stdout.readline())[0]
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def url():
    with mock() as address:
        yield address


def results(folder):
    return json.loads((folder / "results.json").read_text())


def requests(folder):
    return [json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()]


def row(report, name):
    return next(row for row in report["rows"] if row["id"] == name)


def assert_refused(run, *parts):
    assert run.returncode == 2, (run.returncode, run.stdout, run.stderr)
    lines = run.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("hussar bench "), run.stderr
    assert run.stdout == ""
    for part in parts:
        assert part in lines[0], lines[0]


def test_a_closed_loop_sends_as_many_as_it_should(url, tmp_path):
    run = bench("load", "--url", url, "--users", "4", "--requests", "40", "--warmup-requests", "6", "--input-tokens", "30", "--output-tokens",
                "uniform:5:9", "--force-length", "--seed", "3", "--out", str(tmp_path / "out"))
    assert run.returncode in RAN, run.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "index.html", "results.json", "requests.jsonl", "tables.md", "tables.zh.md", "tables.csv"}
    records = requests(tmp_path / "out")
    assert len([record for record in records if record["stage"] == 0]) == 40
    assert len([record for record in records if record["stage"] == -1]) == 6
    assert {record["outcome"] for record in records} == {"ok"}
    assert {record["user"] for record in records} == {0, 1, 2, 3}
    summary = row(results(tmp_path / "out"), "load")["summary"]
    assert summary["ok"] == 40 and summary["errors"] == 0
    assert all(5 <= record["output_tokens"] <= 9 for record in records)


@pytest.mark.parametrize("api", ["chat", "completions", "article"])
@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_every_dialect_works(url, tmp_path, api, stream):
    run = bench("load", "--url", url, "--users", "2", "--requests", "6", "--api", api, stream, "--input-tokens", "20", "--output-tokens", "8",
                "--out", str(tmp_path))
    assert run.returncode in RAN, run.stderr
    records = requests(tmp_path)
    assert [record["outcome"] for record in records] == ["ok"] * 6, records
    assert {record["streamed"] for record in records} == {stream == "--stream"}


def test_an_open_loop_sends_every_arrival_of_its_plan(url, tmp_path):
    run = bench("load", "--url", url, "--stages", "40x1s,80x500ms", "--arrivals", "constant", "--input-tokens", "20", "--output-tokens", "4",
                "--out", str(tmp_path))
    assert run.returncode in RAN, run.stderr
    records = requests(tmp_path)
    assert len(records) == 80
    assert [record["stage"] for record in records] == [0] * 40 + [1] * 40
    report = results(tmp_path)
    assert [row["id"] for row in report["rows"]].count("load/stage-2") == 1
    assert row(report, "load/stage-1")["summary"]["requests"] == 40


def test_a_seed_makes_the_same_poisson_plan(url, tmp_path):
    plans = []
    for name in ("a", "b"):
        run = bench("load", "--url", url, "--rate", "60", "--duration-s", "1", "--seed", "5", "--input-tokens", "20", "--output-tokens", "2",
                    "--out", str(tmp_path / name))
        assert run.returncode in RAN, run.stderr
        plans.append([record["scheduled_ns"] for record in requests(tmp_path / name)])
    assert plans[0] == plans[1] and len(plans[0]) > 20


def test_cancelled_requests_are_neither_successes_nor_errors(url, tmp_path):
    run = bench("load", "--url", url, "--users", "4", "--requests", "40", "--cancel-share", "0.5", "--cancel-after-ms", "5", "--input-tokens", "20",
                "--output-tokens", "400", "--force-length", "--seed", "1", "--out", str(tmp_path))
    assert run.returncode in RAN, run.stderr
    summary = row(results(tmp_path), "load")["summary"]
    assert summary["errors"] == 0 and summary["ok"] + summary["cancelled"] == 40
    assert 5 <= summary["cancelled"] <= 35  # half of 40, each by a coin of seed 1


def test_faults_are_counted_in_their_classes(tmp_path):
    with mock("--fault-rates", "429=0.2,truncate=0.2", "--seed", "4") as address:
        run = bench("load", "--url", address, "--users", "4", "--requests", "60", "--input-tokens", "20", "--output-tokens", "5", "--slo",
                    "error=1%", "--out", str(tmp_path))
    assert run.returncode in (1, 3), run.stderr  # the objective is missed
    outcomes = [record["outcome"] for record in requests(tmp_path)]
    assert len(outcomes) == 60
    assert set(outcomes) == {"ok", "http_429", "truncated"}
    assert "missed" in run.stdout


def test_no_success_is_exit_code_1(tmp_path):
    with mock("--fault-rates", "503=1") as address:
        run = bench("load", "--url", address, "--users", "2", "--requests", "5", "--input-tokens", "20", "--output-tokens", "5", "--out",
                    str(tmp_path))
    assert run.returncode in (1, 3), run.stderr
    assert "No request succeeded" in run.stdout
    assert row(results(tmp_path), "load")["status"] == "failed"


def test_json_stands_alone_on_standard_output(url):
    run = bench("load", "--url", url, "--requests", "3", "--input-tokens", "20", "--output-tokens", "5", "--json")
    assert run.returncode in RAN, run.stderr
    assert json.loads(run.stdout)["kind"] == "load"


def test_a_dataset_is_sent(url, tmp_path):
    data = tmp_path / "chats.jsonl"
    data.write_text('{"prompt": "Why is the sky blue?", "max_tokens": 3}\n{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}\n')
    run = bench("load", "--url", url, "--requests", "4", "--dataset", str(data), "--force-length", "--out", str(tmp_path / "out"))
    assert run.returncode in RAN, run.stderr
    assert [record["output_tokens"] for record in requests(tmp_path / "out")] == [3, 4, 3, 4]


def test_a_trace_is_replayed(url, tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.680,30,3\n2023-11-16 18:15:46.980,40,4\n"
                     "2023-11-16 18:15:47.080,50,5\n")
    run = bench("load", "--url", url, "--trace", str(trace), "--trace-speed", "2", "--api", "completions", "--force-length", "--out",
                str(tmp_path / "out"))
    assert run.returncode in RAN, run.stderr
    records = requests(tmp_path / "out")
    assert [record["scheduled_ns"] for record in records] == [0, 150_000_000, 200_000_000]
    assert [record["output_tokens"] for record in records] == [3, 4, 5]


def test_a_bad_line_of_a_dataset_is_named(url, tmp_path):
    data = tmp_path / "chats.jsonl"
    data.write_text('{"prompt": "a"}\n{"prompt": 3}\n')
    assert_refused(bench("load", "--url", url, "--dataset", str(data)), f"{data}:2:", "--dataset")
    trace = tmp_path / "trace.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\nsoon,1,1\n")
    assert_refused(bench("load", "--url", url, "--trace", str(trace)), f"{trace}:2:", "--trace")
    assert_refused(bench("load", "--url", url, "--dataset", str(tmp_path / "none.jsonl")), "none.jsonl")


def test_what_cannot_be_reached_is_one_line(url, tmp_path):
    assert_refused(bench("load", "--url", "http://127.0.0.1:9"), "127.0.0.1:9")
    assert_refused(bench("load", "--url", "http://no-such-host.invalid"), "no-such-host.invalid")
    assert_refused(bench("load", "--url", "no url"))
    assert_refused(bench("load", "--url", url + "/elsewhere"), "/v1")
    assert_refused(bench("load", "--url", url, "--model", "no-such-model"), "no-such-model", "mock")
    assert_refused(bench("load"), "--url")
    assert_refused(bench("limit", "--url", "http://127.0.0.1:9", "--slo", "ttft_p99=1s"), "127.0.0.1:9")
    assert_refused(bench("limit", "--url", url, "--slo", "ttft=1s"), "--slo", "ttft_p99")


def test_a_folder_that_cannot_be_written_is_said_before_the_run(url, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    began = time.monotonic()
    assert_refused(bench("load", "--url", url, "--duration-s", "60", "--out", str(blocked / "out")), str(blocked))
    assert time.monotonic() - began < 30  # it did not run for a minute first


class Plain(http.server.BaseHTTPRequestHandler):
    """An API that knows no event streams."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer({"object": "list", "data": [{"id": "plain"}]} if self.path == "/v1/models" else {}, 200 if self.path == "/v1/models" else 404)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/v1/chat/completions":
            return self.answer({"error": {"message": "no such route"}}, 404)
        return self.answer({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}],
                            "usage": {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}})

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def plain():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Plain)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_does_not_stream_is_told_so(plain, tmp_path):
    assert_refused(bench("load", "--url", plain, "--requests", "2"), "--no-stream")
    assert_refused(bench("load", "--url", plain, "--requests", "2", "--api", "completions"), "no such route")
    run = bench("load", "--url", plain, "--requests", "2", "--no-stream", "--out", str(tmp_path))
    assert run.returncode in RAN, run.stderr
    assert [record["outcome"] for record in requests(tmp_path)] == ["ok", "ok"]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_still_writes_the_report(url, tmp_path, stop):
    process = subprocess.Popen([BINARY, "bench", "load", "--url", url, "--users", "3", "--duration-s", "100", "--input-tokens", "20",
                                "--output-tokens", "20", "--out", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:  # the first line of progress comes when requests have been sent
        if "sent" in line:
            break
    process.send_signal(stop)
    out, err = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 130, err
    assert "INTERRUPTED" in out
    report = results(tmp_path)
    assert report["interrupted"] is True
    assert row(report, "load")["summary"]["ok"] > 0


def test_the_limit_is_searched_with_each_probe_shown(url, tmp_path):
    run = bench("limit", "--url", url, "--slo", "e2e_p50=30s,error=20%", "--start", "20", "--max", "40", "--scout-s", "1", "--probe-s-min", "0.5",
                "--warmup-s", "0", "--settle-s", "0", "--input-tokens", "20", "--output-tokens", "4", "--out", str(tmp_path))
    assert run.returncode == 0, run.stdout + run.stderr
    probes = [line for line in run.stdout.splitlines() if line.startswith("probe ")]
    assert len(probes) == 3 and "met" in probes[-1], run.stdout
    report = results(tmp_path)
    assert row(report, "limit")["extra"]["met"] == 40
    assert [row(report, f"limit/probe-{n}")["extra"]["kind"] for n in (1, 2, 3)] == ["scout", "scout", "full"]


def test_a_server_that_fails_has_no_limit(tmp_path):
    with mock("--fault-rates", "500=1") as address:
        run = bench("limit", "--url", address, "--slo", "error=1%", "--search", "users", "--scout-s", "1", "--warmup-s", "0", "--settle-s", "0",
                    "--input-tokens", "20", "--output-tokens", "4", "--out", str(tmp_path))
    assert run.returncode == 1, run.stdout + run.stderr
    assert "No level was shown to meet error=1%" in run.stdout
    assert "met" not in row(results(tmp_path), "limit")["extra"]


def test_help_lists_the_subcommands():
    run = bench("--help")
    assert run.returncode == 0 and "load" in run.stdout and "limit" in run.stdout
    assert bench().returncode == 2 and bench("frobnicate").returncode == 2
    for name in ("load", "limit"):
        shown = bench(name, "--help")
        assert shown.returncode == 0 and "Example" in shown.stdout
