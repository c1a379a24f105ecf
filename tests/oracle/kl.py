"""Prints how far hussar's next-token distributions are from the same file's at full precision, on natural text.

    HUSSAR_BUILD=build python kl.py MODEL.gguf [--text english] [--text chinese] [--positions 512]

Mean KL(oracle || hussar) in nats, and how often both have the same likeliest token. --check ends with 1 when the mean is above 0.005 or the
agreement below 97 %.
"""

import argparse
import sys

import numpy as np
from hussar_tools import dump, encode, read_text
from numpy_oracle import Oracle, log_softmax, roundings_of

KL_MAX = 0.005
TOP1_MIN = 0.97


def compare(name, exact, got):
    """Prints one line; true when it is within the targets."""
    divergence = (np.exp(exact) * (exact - got)).sum(axis=-1)
    top1 = (exact.argmax(axis=-1) == got.argmax(axis=-1)).mean()
    print(f"{name}: mean KL {divergence.mean():.6f}, median {np.median(divergence):.6f}, max {divergence.max():.6f}, top-1 {100 * top1:.2f} %", flush=True)
    return divergence.mean() <= KL_MAX and top1 >= TOP1_MIN


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--text", action="append", choices=["english", "chinese"])
    parser.add_argument("--positions", type=int, default=512)
    parser.add_argument("--isa", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kv-type", default="f16")
    parser.add_argument("--generated-from", type=int, default=-1, help="from here on in the role of generated tokens")
    parser.add_argument("--rounded", action="store_true", help="also the oracle with the same roundings, for comparison")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()

    oracle = Oracle(options.model, np.float32)
    within = True
    for text in options.text or ["english"]:
        tokens = encode(options.model, read_text(text))[: options.positions]
        if len(tokens) < options.positions:
            sys.exit(f"{text}.txt has only {len(tokens)} tokens")
        exact = log_softmax(oracle.forward(tokens).logits)
        run = dump(options.model, tokens, isa=options.isa, threads=options.threads, kv_type=options.kv_type, generated_from=options.generated_from)
        within &= compare(f"{text}, {len(tokens)} positions, {run.isa}", exact, log_softmax(run.logits))
        if options.rounded:
            rounded = oracle.forward(tokens, roundings_of(run.isa, options.kv_type))
            compare(f"{text}, oracle with rounded activations", exact, log_softmax(rounded.logits))
    if options.check and not within:
        sys.exit(f"outside of the targets: mean KL at most {KL_MAX}, top-1 at least {100 * TOP1_MIN:.0f} %")


if __name__ == "__main__":
    main()
