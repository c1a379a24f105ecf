#!/usr/bin/env python3
"""Writes src/kernels/cpu/testdata/dequantize_golden.inc: stored blocks and the floats that the PyPI package gguf (0.17 or later) decodes
them to, for dequantize_test.cc. Usage: make_dequantize_golden.py > FILE"""
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

FORMATS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "BF16", "F16"]
# Byte offsets of f16 numbers in a block: random bits there would give NaNs and infinities.
F16_AT = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def hex_lines(numbers, digits, per_line):
    words = [f"0x{int(n):0{digits}x}" for n in numbers]
    return ",\n".join("    " + ", ".join(words[i:i + per_line]) for i in range(0, len(words), per_line))


def main():
    random = np.random.default_rng(20240607)
    print("// Written by tests/kernels/make_dequantize_golden.py.\n// clang-format off")
    for name in FORMATS:
        elements, size = GGML_QUANT_SIZES[T[name]]
        blocks = 2 if elements == 32 else 1 if elements == 256 else 64
        stored = random.integers(0, 256, (blocks, size), dtype=np.uint8)
        if name == "F16":
            stored = random.normal(0, 1, blocks).astype(np.float16).reshape(blocks, 1).view(np.uint8)
        for at in F16_AT.get(name, []):
            scale = random.normal(0, 0.1, blocks).astype(np.float16)
            stored[:, at:at + 2] = scale.reshape(blocks, 1).view(np.uint8)
        if name == "BF16":
            stored[:, 1] &= 0xbf  # exponents below those of NaN and infinity
        values = dequantize(stored.reshape(-1), T[name]).astype(np.float32).view(np.uint32)
        print(f"{{DType::k{name}, {{\n{hex_lines(stored.reshape(-1), 2, 18)}}},\n  {{\n{hex_lines(values, 8, 9)}}}}},")
    print("// clang-format on")


sys.exit(main())
