"""Calls the test programs of the build folder (HUSSAR_BUILD, default build/) from Python."""

import dataclasses
import os
import struct
import subprocess
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("HUSSAR_BUILD", os.path.join(HERE, "..", "..", "build"))


class Refused(Exception):
    """The program ended with an error; the text is its last line."""


@dataclasses.dataclass
class Dump:
    logits: np.ndarray  # [T, vocab]
    hidden: np.ndarray | None  # [layers + 1, T, H]
    isa: str


def dump(model, tokens, hidden=False, isa="auto", threads=1, chunk=64, generated_from=-1, kv_type="f16", weights="auto"):
    """Runs hussar's forward pass over `tokens`, one sequence from position 0."""
    with tempfile.TemporaryDirectory() as folder:
        ids, logits, states = (os.path.join(folder, name) for name in ("ids", "logits", "hidden"))
        with open(ids, "w") as file:
            file.write(" ".join(map(str, tokens)))
        command = [os.path.join(BUILD, "dump_logits"), "--model", model, "--tokens", ids, "--logits", logits]
        command += ["--isa", isa, "--threads", str(threads), "--chunk", str(chunk), "--kv-type", kv_type]
        command += ["--generated-from", str(generated_from), "--weights", weights]
        command += ["--hidden", states] if hidden else []
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 2:
            raise Refused(done.stderr.strip())
        assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
        says = dict(word.split("=") for word in done.stdout.split())
        count = len(tokens)
        return Dump(
            np.fromfile(logits, np.float32).reshape(count, -1),
            np.fromfile(states, np.float32).reshape(-1, count, int(says["hidden"])) if hidden else None,
            says["isa"],
        )


def encode(model, text):
    """Token ids of a text without special tokens, by hussar's tokenizer."""
    data = text.encode()
    record = struct.pack("<III", 1, 0, len(data)) + struct.pack("<I", len(data)) + data
    done = subprocess.run([os.path.join(BUILD, "encode_lines"), model], input=record, capture_output=True, check=True)
    return [int(word) for word in done.stdout.decode().split("\t")[0].split()]


def read_text(name):
    """The text of english.txt or chinese.txt."""
    with open(os.path.join(HERE, name + ".txt"), encoding="utf-8") as file:
        return file.read()
