#!/usr/bin/env python3
"""How fast a model folder of Qwen2.5-0.5B's shape (494,032,768 parameters in BF16) is loaded, what memory it takes, and whether it computes the
right thing.

    benchmarks/load_folder.py FOLDER [--tokenizer FOLDER] [--repetitions 5] [--kl]

FOLDER is written with random weights when it is not there (988 MB). Its tokenizer is Qwen3's, which `make test` fetches and which has as many
tokens as Qwen2.5's, but for four. Each repetition starts `hussar serve` anew, the weights in the page cache, and counts the seconds until it is
ready to answer; memory is the process's largest resident set, with keys and values for 4,096 tokens (50 MB). --kl compares the next-token
distributions of 64 tokens with the numpy oracle (needs build/dump_logits from `make test`, and 6 GB).
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "oracle"))

import numpy as np  # noqa: E402
import safetensors  # noqa: E402

BINARY = os.environ.get("HUSSAR_BINARY", str(ROOT / "build/hussar"))
PARAMETERS = 494_032_768
CONFIG = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "hidden_size": 896, "intermediate_size": 4864,
    "max_position_embeddings": 32768, "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_sliding_window": False, "vocab_size": 151936,
    "bos_token_id": 151643, "eos_token_id": 151645,
}


def random_bf16(rng, shape, mean, deviation):
    """The upper halves of random float32 numbers; a large matrix is drawn row by row."""
    out = np.empty(shape, np.uint16)
    for part in np.array_split(out.reshape(-1), max(1, out.size >> 22)):
        numbers = rng.standard_normal(part.size, np.float32) * np.float32(deviation) + np.float32(mean)
        part[:] = numbers.view(np.uint32) >> 16
    return out


def write_weights(path):
    rng = np.random.default_rng(1)
    hidden, mlp, kv = CONFIG["hidden_size"], CONFIG["intermediate_size"], 128
    shapes = {"model.embed_tokens.weight": ((CONFIG["vocab_size"], hidden), 0.02), "model.norm.weight": ((hidden,), None)}
    for i in range(CONFIG["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        shapes |= {layer + "input_layernorm.weight": ((hidden,), None), layer + "post_attention_layernorm.weight": ((hidden,), None)}
        for name, rows in (("q", hidden), ("k", kv), ("v", kv)):
            shapes[layer + f"self_attn.{name}_proj.weight"] = ((rows, hidden), 0.04)
            shapes[layer + f"self_attn.{name}_proj.bias"] = ((rows,), 0.3)
        shapes[layer + "self_attn.o_proj.weight"] = ((hidden, hidden), 0.02)
        shapes[layer + "mlp.gate_proj.weight"] = ((mlp, hidden), 0.03)
        shapes[layer + "mlp.up_proj.weight"] = ((mlp, hidden), 0.03)
        shapes[layer + "mlp.down_proj.weight"] = ((hidden, mlp), 0.01)
    data = {name: random_bf16(rng, shape, 1.0 if size is None else 0.0, size or 0.1) for name, (shape, size) in shapes.items()}
    assert sum(array.size for array in data.values()) == PARAMETERS
    specs = {name: safetensors.TensorSpec(dtype="bfloat16", shape=list(array.shape), data_ptr=array.ctypes.data, data_len=array.nbytes)
             for name, array in data.items()}
    safetensors.serialize_file(specs, path, {"format": "pt"})


def make_folder(folder, tokenizer):
    folder.mkdir(parents=True, exist_ok=True)
    print(f"writing {folder}", flush=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / name, folder / name)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    write_weights(folder / "writing.safetensors")
    os.rename(folder / "writing.safetensors", folder / "model.safetensors")


def status_bytes(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_once(folder, weights):
    """Seconds until ready, and the largest resident set in bytes."""
    port = free_port()
    began = time.monotonic()
    server = subprocess.Popen([BINARY, "serve", "--model", str(folder), "--weights", weights, "--ctx", "2048", "--kv-tokens", "4096",
                               "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            if server.poll() is not None:
                sys.exit(f"the server ended with {server.returncode}")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ready")
                return time.monotonic() - began, status_bytes(server.pid, "VmHWM")
            except OSError:
                time.sleep(0.005)
    finally:
        server.terminate()
        server.wait()


def kl(folder, weights):
    from hussar_tools import dump
    from numpy_oracle import Oracle, log_softmax

    tokens = np.random.default_rng(2).integers(0, 151643, 64).tolist()
    exact = log_softmax(Oracle(str(folder), np.float32).forward(tokens).logits)
    got = log_softmax(dump(str(folder), tokens, threads=2, weights=weights).logits)
    divergence = (np.exp(exact) * (exact - got)).sum(axis=-1)
    return divergence.mean(), (exact.argmax(axis=-1) == got.argmax(axis=-1)).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path, default=ROOT / "build/models/qwen3-tokenizer")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--weights", default="auto,w8,w4")
    parser.add_argument("--kl", action="store_true")
    options = parser.parse_args()
    file = options.folder / "model.safetensors"
    if not file.exists():
        make_folder(options.folder, options.tokenizer)
    with open(file, "rb") as f:
        while f.read(1 << 24):
            pass  # into the page cache
    size = file.stat().st_size
    print(f"{size / 1e6:.0f} MB of weights")
    for weights in options.weights.split(","):
        runs = [start_once(options.folder, weights) for _ in range(options.repetitions)]
        seconds, resident = [run[0] for run in runs], max(run[1] for run in runs)
        print(f"--weights {weights}: ready after {statistics.median(seconds):.2f} s [{min(seconds):.2f}, {max(seconds):.2f}], "
              f"largest resident set {resident / 1e6:.0f} MB = {resident / size:.2f} x the file", flush=True)
        if options.kl:
            mean, same = kl(options.folder, weights)
            print(f"--weights {weights}: mean KL divergence {mean:.1e}, same likeliest token {100 * same:.1f} %", flush=True)


if __name__ == "__main__":
    main()
