"""Compares next-token distributions with Hugging Face transformers', which knows nothing of us: on small random folders of every family and
rope scaling, or on the folders that are given.

    HUSSAR_BUILD=build python compare_transformers.py [FOLDER ...] [--tokens 64]

Needs the packages torch and transformers, which `make test` does without: its tests have numpy_oracle.py in their place, and this shows that
the oracle is right. Prints, for each folder, the mean of KL(transformers || hussar) and of KL(transformers || oracle) in nats, and the standard
deviation of the logits, without which a small divergence says little. Ends with 1 when one of hussar's is above 0.001.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers
from hussar_tools import dump
from make_models import SPECS, Type, write_folder
from numpy_oracle import Oracle, log_softmax

KL_MAX = 0.001
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
# name: (model of make_models.py, type of norms and biases, rope scaling)
CASES = {
    "llama, F32": ("llama-f32", Type.F32, None),
    "llama, F16, own head": ("llama-f16-head", Type.F16, None),
    "llama, BF16": ("llama-bf16-wide", Type.BF16, None),
    "llama, linear": ("llama-f32", Type.F32, {"rope_type": "linear", "factor": 4.0}),
    "llama, llama3": ("llama-llama3-rope", Type.F32, None),
    "qwen2, F32": ("qwen2-f32", Type.F32, None),
    "qwen2, F16, YaRN": ("qwen2-yarn", Type.F16, None),
    "qwen2, YaRN, other borders": ("qwen2-f32", Type.F32, YARN | {"beta_fast": 4.0, "beta_slow": 0.5}),
    "qwen2, YaRN, parts of pairs": ("qwen2-f32", Type.F32, YARN | {"beta_fast": 4.0, "beta_slow": 0.5, "truncate": False}),
    "qwen2, YaRN, attention_factor": ("qwen2-f32", Type.F32, YARN | {"attention_factor": 1.3}),
    "qwen2, YaRN, mscale": ("qwen2-f32", Type.F32, YARN | {"mscale": 1.0, "mscale_all_dim": 0.5}),
    "qwen3, F16": ("qwen3-f16", Type.F16, None),
    "qwen3, F16, YaRN": ("qwen3-f16", Type.F16, YARN),
}


def transformers_logits(folder, tokens):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].numpy()


def mean_kl(exact, got):
    return (np.exp(exact) * (exact - got)).sum(axis=-1).mean()


def compare(name, folder, count):
    """Prints one line; true when hussar is within the target."""
    vocab = json.loads((pathlib.Path(folder) / "config.json").read_text())["vocab_size"]
    tokens = np.random.default_rng(2).integers(0, vocab, count).tolist()
    logits = transformers_logits(folder, tokens)
    exact = log_softmax(logits)
    ours = mean_kl(exact, log_softmax(dump(str(folder), tokens, threads=2).logits))
    oracle = mean_kl(exact, log_softmax(Oracle(str(folder), np.float32).forward(tokens).logits))
    print(f"{name}: hussar {ours:.1e}, oracle {oracle:.1e}, deviation of the logits {logits.std(axis=-1).mean():.2f}", flush=True)
    return ours <= KL_MAX


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args()
    within = [compare(folder, folder, options.tokens) for folder in options.folders]
    with tempfile.TemporaryDirectory() as scratch:
        for i, (name, (spec, vectors, scaling)) in enumerate(CASES.items() if not options.folders else []):
            folder = f"{scratch}/{i}"
            write_folder(folder, SPECS[spec], seed=7, vectors=vectors, scaling=scaling)
            within.append(compare(name, folder, options.tokens))
    if not all(within):
        sys.exit(f"outside of the target: mean KL at most {KL_MAX}")


if __name__ == "__main__":
    main()
