#!/usr/bin/env python3
"""Writes a model folder of Qwen2.5-0.5B's exact shape with random BF16 weights and another model's tokenizer, to serve where weights can't be had.

    benchmarks/random_model_folder.py build/models/qwen3-tokenizer /tmp/random-qwen
"""
import json
import pathlib
import shutil
import struct
import sys

import numpy

LAYERS, HIDDEN, HEADS, KV_HEADS, HEAD_DIM, MLP, VOCAB = 24, 896, 14, 2, 64, 4864, 151936
CONFIG = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "torch_dtype": "bfloat16",
    "num_hidden_layers": LAYERS, "hidden_size": HIDDEN, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
    "intermediate_size": MLP, "vocab_size": VOCAB, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0, "tie_word_embeddings": True, "use_sliding_window": False, "eos_token_id": 151645,
}


def tensors():
    yield "model.embed_tokens.weight", (VOCAB, HIDDEN)
    for i in range(LAYERS):
        at = f"model.layers.{i}."
        q, kv = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
        yield at + "input_layernorm.weight", (HIDDEN,)
        for name, rows in (("q", q), ("k", kv), ("v", kv)):
            yield at + f"self_attn.{name}_proj.weight", (rows, HIDDEN)
            yield at + f"self_attn.{name}_proj.bias", (rows,)
        yield at + "self_attn.o_proj.weight", (HIDDEN, q)
        yield at + "post_attention_layernorm.weight", (HIDDEN,)
        yield at + "mlp.gate_proj.weight", (MLP, HIDDEN)
        yield at + "mlp.up_proj.weight", (MLP, HIDDEN)
        yield at + "mlp.down_proj.weight", (HIDDEN, MLP)
    yield "model.norm.weight", (HIDDEN,)


def main():
    tokenizer, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / name, folder / name)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    header, offset = {}, 0
    for name, shape in tensors():
        size = int(numpy.prod(shape)) * 2
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = numpy.random.default_rng(0)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, shape in tensors():
            count = int(numpy.prod(shape))
            if len(shape) == 1:  # a norm's ones; biases alike
                file.write(numpy.full(count, 0x3F80, dtype="<u2").tobytes())
                continue
            bits = generator.integers(0, 1 << 16, count, dtype=numpy.uint16)
            # Any sign and fraction; magnitudes of 2^-8 to 2^-4.
            file.write(((bits & 0x807F) + 0x3B80 + (bits & 0x0180)).astype("<u2").tobytes())


if __name__ == "__main__":
    main()
