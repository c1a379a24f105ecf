"""A pulled name stands wherever a model file does."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from hub_fixtures import BINARY, MODEL, ROOT, hussar, make_hub  # noqa: F401: fixtures

sys.path.insert(0, str(ROOT / "tests/oracle"))
from make_models import SPECS, write_folder  # noqa: E402

NAME = "owner/model:q4_1"
FILE = "SmolLM2-135M-Instruct-Q4_1.gguf"


@contextlib.contextmanager
def running(start):
    """The URL of the server that start(port) runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start(port)
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)


def serving(hussar, *words):
    return running(lambda port: hussar.start("serve", *words, "--port", port, "--ctx", 256, start_new_session=True))


def ask(url, path, body=None):
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_ten_cuts_and_a_kill_then_the_name_serves(hussar, make_hub):
    weights = pathlib.Path(MODEL).read_bytes()
    hub = make_hub({FILE: weights})
    cuts = []

    def faults(request):
        if not request.file:
            return None
        with hub.lock:
            cuts.append(request)
        request.send_file(weights, cut_after=3_000_000 if len(cuts) <= 10 else 1_000_000, bytes_per_second=15_000_000)
        return True

    hub.faults = faults
    process = hussar.start("pull", NAME, "--mirror", hub.url, "--retry-ms", "20", "--attempts-max", "20")
    deadline = time.monotonic() + 30
    while len(cuts) < 12 or hub.sent[FILE] < 45_000_000:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    hub.faults = lambda request: None
    hub.sent.clear()
    result = hussar.pull(hub, NAME)
    assert result.code == 0, result.err
    assert hub.sent[FILE] < len(weights) - 10_000_000
    assert (hussar.models / "owner+model@q4_1" / FILE).read_bytes() == weights
    assert "serve it: hussar serve --model " + NAME in result.out

    with serving(hussar, "--model", NAME) as url:
        assert [model["id"] for model in ask(url, "/v1/models")["data"]] == [NAME]
        answer = ask(url, "/v1/completions", {"model": NAME, "prompt": "The capital of France is", "max_tokens": 4, "temperature": 0})
        assert answer["usage"]["completion_tokens"] == 4 and "Paris" in answer["choices"][0]["text"]
    assert hussar.run("tokenize", "--model", NAME, "--ids", "Hello").out.split()
    assert FILE in hussar.run("inspect", NAME).out
    perf = hussar.run("perf", "--model", NAME, "--prompt", 8, "--generate", 0, "--repetitions", 1, "--json")
    assert perf.code == 0 and json.loads(perf.out.splitlines()[0])["tokens_per_second"] > 0


@pytest.mark.parametrize("shards, hub_name", [(1, "modelscope"), (2, "hf")])
def test_a_pulled_folder_serves(hussar, make_hub, tmp_path, shards, hub_name):
    made = tmp_path / "made"
    write_folder(str(made), SPECS["qwen2-f32"], seed=3, shards=shards)
    files = {path.name: path.read_bytes() for path in made.iterdir()}
    hub = make_hub(files | {"README.md": b"#", "onnx/model.onnx": b"no"}, lfs=[name for name in files if "safetensors" in name])
    result = hussar.pull(hub, "owner/model", "--from", hub_name)
    assert result.code == 0, result.err
    with serving(hussar, "--model", "owner/model") as url:
        assert ask(url, "/v1/models")["data"][0]["id"] == "owner/model"
        assert ask(url, "/v1/completions", {"prompt": "Hello", "max_tokens": 3, "ignore_eos": True})["usage"]["completion_tokens"] == 3
    # The folder is a model by its path too, whatever else pull put into it.
    with serving(hussar, "--model", hussar.models / "owner+model") as url:
        assert ask(url, "/v1/models")["data"][0]["id"] == "owner+model"


@pytest.mark.skipif(BINARY != str(ROOT / "build/hussar"), reason="make run takes the binary of build/")
def test_make_run_pulls_what_is_not_here_and_serves_it(hussar, make_hub, tmp_path):
    made = tmp_path / "made"
    write_folder(str(made), SPECS["qwen2-f32"], seed=3)
    hub = make_hub({path.name: path.read_bytes() for path in made.iterdir()})

    def make_run(port):
        # -o: what is built is not built again.
        words = ["make", "-o", "build", "run", "MODEL=owner/model", f"PORT={port}", f"PULL_FLAGS=--mirror {hub.url}"]
        return subprocess.Popen(words, cwd=ROOT, env=hussar.environment, start_new_session=True, text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    for is_here in (False, True):
        hub.requests.clear()
        with running(make_run) as url:
            assert ask(url, "/v1/models")["data"][0]["id"] == "owner/model"
        assert is_here == (not hub.requests)


def test_a_path_wins_over_a_name(hussar, tmp_path):
    here = tmp_path / "named"
    here.mkdir()
    shutil.copy(MODEL, here / "smollm2-135m-instruct")
    result = hussar.run("inspect", here / "smollm2-135m-instruct")
    assert result.code == 0, result.err


def test_a_missing_model_says_how_to_get_it(hussar):
    for command in (["serve", "--model"], ["chat", "--model"], ["perf", "--model"], ["inspect"]):
        result = hussar.run(*command, "qwen2.5-0.5b-instruct")
        assert result.code == 2 and "hussar pull qwen2.5-0.5b-instruct" in result.err, result.err
        result = hussar.run(*command, "/nonexistent/model.gguf")
        assert result.code == 2 and "there is no file /nonexistent/model.gguf" in result.err, result.err


def test_a_broken_manifest_is_named(hussar):
    folder = hussar.models / "smollm2-135m-instruct"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"format": 1, "files": [{"name": "../../x.gguf"}]}')
    result = hussar.run("serve", "--model", "smollm2-135m-instruct")
    assert result.code == 2 and "manifest.json" in result.err
    assert "smollm2" not in hussar.run("list", "--json").out
