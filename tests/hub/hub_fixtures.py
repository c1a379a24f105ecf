"""Fixtures: the real binary and hubs on this machine. Imported by name: a second conftest.py would shadow the end-to-end tests' one."""

import os
import pathlib
import subprocess
import types

import pytest

from local_hub import Hub

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HUSSAR_BINARY", str(ROOT / "build/hussar"))
MODEL = os.environ.get("HUSSAR_MODEL", str(ROOT / "build/models/smollm2-135m-instruct-q4_1.gguf"))
# Whatever proxy this machine has must not stand between the tests and their hub.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


@pytest.fixture
def make_hub():
    hubs = []

    def make(files, **options):
        hubs.append(Hub(files, **options))
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.close()


@pytest.fixture
def hussar(tmp_path):
    """Runs a command with a models' folder of its own; `start` leaves it running."""
    models = tmp_path / "models"
    environment = ENVIRONMENT | {"HUSSAR_MODELS": str(models)}

    def start(*words, **options):
        return subprocess.Popen([BINARY, *map(str, words)], env=environment, stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def run(*words, timeout=60):
        process = start(*words)
        out, err = process.communicate(timeout=timeout)
        return types.SimpleNamespace(code=process.returncode, out=out, err=err)

    def pull(hub, name="owner/model", *flags, **options):
        quick = ["--retry-ms", "20", "--attempts-max", "3"]
        return run("pull", name, "--mirror", hub.url, *[flag for flag in quick if not set(quick[::2]) & set(flags)], *flags, **options)

    return types.SimpleNamespace(run=run, start=start, pull=pull, models=models, environment=environment)
