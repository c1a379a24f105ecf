"""End-to-end tests: the real binary with the real model, asked by real clients.

HUSSAR_BINARY (default build/hussar) and HUSSAR_MODEL (default the model that `make run` serves) say what is tested.
"""

import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import openai
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HUSSAR_BINARY", str(ROOT / "build/hussar"))
MODEL = os.environ.get("HUSSAR_MODEL", str(ROOT / "build/models/smollm2-135m-instruct-q4_1.gguf"))
NAME = "test-model"
START_SECONDS_MAX = 120


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running `hussar serve`."""

    def __init__(self, *flags, model=MODEL):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._output = tempfile.TemporaryFile("w+")  # a pipe that nobody reads would stop the server when it is full
        self.process = subprocess.Popen(
            [BINARY, "serve", "--model", model, "--served-model-name", NAME, "--port", str(self.port), *flags],
            stdout=self._output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.output()}")
            if time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError("the server did not become ready")
            time.sleep(0.05)
        self.client = openai.OpenAI(base_url=self.url + "/v1", api_key="none", max_retries=0, timeout=300)

    def _is_ready(self):
        try:
            with urllib.request.urlopen(self.url + "/ready", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def metrics(self):
        """{name: value} of all samples; labels other than model_name stand behind the name."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as answer:
            text = answer.read().decode()
        samples = {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            key, value = line.rsplit(" ", 1)
            name, _, labels = key.partition("{")
            kept = [label for label in labels.rstrip("}").split(",") if label and not label.startswith("model_name=")]
            samples[name + ("{" + ",".join(kept) + "}" if kept else "")] = float(value)
        return samples

    def wait_until_idle(self, seconds=20):
        """Until no request runs or waits; fails when that takes too long."""
        deadline = time.monotonic() + seconds
        while True:
            now = self.metrics()
            if now["vllm:num_requests_running"] == 0 and now["vllm:num_requests_waiting"] == 0:
                return now
            assert time.monotonic() < deadline, "requests are still running"
            time.sleep(0.02)

    def stop(self):
        """Ctrl-C; the exit code and what the process printed."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60), self.output()

    def output(self):
        self._output.seek(0)
        return self._output.read()


@pytest.fixture(scope="session")
def server():
    running = Server()
    yield running
    assert running.process.poll() is None, "the server died during the tests"
    code, output = running.stop()
    assert code == 0, output


@pytest.fixture(scope="session")
def client(server):
    return server.client


@pytest.fixture
def start_server():
    """Starts servers with other flags and stops them afterwards."""
    started = []

    def start(*flags, model=MODEL):
        started.append(Server(*flags, model=model))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.stop()
