"""Writes small random models as GGUF files and as Hugging Face folders: every number format, odd shapes, all architectures, with a working
vocabulary.

The models say nothing sensible, but they are whole: a byte-level BPE vocabulary, special tokens and a chat template, so that the engine and
the server can be tested on a file of a few hundred kilobytes.

    python make_models.py OUT_DIR            writes all of them as GGUF
    python make_models.py OUT_DIR NAME ...   writes those; --list shows the names; --folder writes folders
"""

import argparse
import dataclasses
import json
import math
import os
import re
import sys

import gguf
import numpy as np
import safetensors

Type = gguf.GGMLQuantizationType

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# What the merges are learned from.
CORPUS = (
    "The light cavalry rides ahead of the army and brings back what it has seen. The rider who returns first is not always the rider who "
    "saw the most, and the general who listens to one rider only will not be the general who wins. There are hills in the north and there "
    "is water in the south; between the hills and the water there is the road on which the others are marching. When the night comes the "
    "horses are watered and the riders are counted, and then there is bread, and then there is sleep."
)


@dataclasses.dataclass
class Spec:
    """One model. `types` maps a part of a tensor's name to its format; the others have `type`."""

    architecture: str = "llama"
    type: Type = Type.F32
    types: dict = dataclasses.field(default_factory=dict)
    hidden: int = 64
    heads: int = 2
    kv_heads: int = 1
    head_dim: int = 32
    mlp: int = 96
    layers: int = 2
    merges: int = 60
    tied: bool = True
    rope_base: float = 10000.0
    rope_dims: int = 0  # 0: all of a head
    linear_scale: float = 0.0  # 0: none
    yarn_factor: float = 0.0  # 0: none; stretches `context`
    llama3_frequencies: bool = False
    bias: bool = False  # of q, k and v; a qwen2 always has them
    context: int = 2048


K_MIX = {"attn_v": Type.Q6_K, "ffn_down": Type.Q6_K, "token_embd": Type.Q6_K, "attn_k": Type.Q5_K}

SPECS = {
    "tiny-llama": Spec(type=Type.Q8_0, mlp=128),
    "tiny-qwen2": Spec("qwen2", type=Type.Q8_0, mlp=128, tied=False, rope_base=1e6),
    "llama-f32": Spec(kv_heads=2, merges=61),
    "llama-f16-head": Spec(type=Type.F16, hidden=96, heads=3, kv_heads=3, mlp=160, tied=False, merges=77),
    "llama-bf16-wide": Spec(type=Type.BF16, hidden=128, heads=4, kv_heads=2, head_dim=64, mlp=64),
    "llama-q4_0": Spec(type=Type.Q4_0, hidden=128, heads=4, kv_heads=1, mlp=224),
    "llama-q4_1": Spec(type=Type.Q4_1, hidden=96, heads=3, kv_heads=1, merges=70, types={"token_embd": Type.Q8_0}),
    "llama-q5_0": Spec(type=Type.Q5_0, hidden=64, heads=2, kv_heads=2, head_dim=64, layers=3),
    "llama-q5_1": Spec(type=Type.Q5_1, hidden=160, heads=5, kv_heads=1, merges=64, tied=False),
    "llama-q8_0": Spec(type=Type.Q8_0, hidden=256, heads=4, kv_heads=4, head_dim=64, mlp=160, layers=1, merges=53),
    "llama-q4_k": Spec(type=Type.Q4_K, hidden=256, heads=4, kv_heads=2, head_dim=64, mlp=256),
    "llama-q5_k": Spec(type=Type.Q5_K, hidden=256, heads=2, kv_heads=1, head_dim=128, mlp=256, layers=1, tied=False),
    "llama-q6_k": Spec(type=Type.Q6_K, hidden=256, heads=8, kv_heads=4, head_dim=32, mlp=256, layers=1, merges=67),
    "llama-k-mix": Spec(type=Type.Q4_K, types=K_MIX, hidden=256, heads=4, kv_heads=1, head_dim=64, mlp=512, layers=1),
    "llama-linear-rope": Spec(type=Type.Q8_0, linear_scale=4.0),
    "llama-llama3-rope": Spec(llama3_frequencies=True, rope_base=500000.0, heads=4, kv_heads=2, hidden=128, mlp=128),
    "llama-bias": Spec(bias=True, type=Type.F16),
    "qwen3-f16": Spec("qwen3", type=Type.F16, hidden=64, heads=4, kv_heads=2, head_dim=48, mlp=96, rope_base=1e6),
    "qwen3-q8_0": Spec("qwen3", type=Type.Q8_0, hidden=128, heads=2, kv_heads=1, head_dim=128, mlp=160, tied=False, rope_base=1e6),
    "qwen2-yarn": Spec("qwen2", type=Type.F16, hidden=64, heads=1, kv_heads=1, head_dim=64, yarn_factor=4.0, context=40),
    "qwen2-f32": Spec("qwen2", hidden=64, heads=2, kv_heads=1, head_dim=32, rope_base=1e6),
    "qwen2-partial-rope": Spec("qwen2", type=Type.F16, rope_dims=16),
    "qwen2-q5_0": Spec("qwen2", type=Type.Q5_0, hidden=128, heads=2, kv_heads=2, head_dim=64, tied=False, types={"output": Type.Q8_0}),
    "qwen2-k-mix": Spec("qwen2", type=Type.Q4_K, types=K_MIX, hidden=256, heads=2, kv_heads=1, head_dim=128, mlp=256, layers=1),
}


def byte_alphabet():
    """The printable character of each byte, as GPT-2 chose them."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    alphabet, extra = {}, 0
    for byte in range(256):
        if byte in printable:
            alphabet[byte] = chr(byte)
        else:
            alphabet[byte] = chr(256 + extra)
            extra += 1
    return alphabet


def learn_merges(count):
    """Byte-pair encoding of CORPUS, words apart: the merges in order, as pairs."""
    alphabet = byte_alphabet()
    words = [tuple(alphabet[b] for b in word.encode()) for word in re.findall(r" ?[A-Za-z]+|[^A-Za-z]", CORPUS)]
    merges = []
    while len(merges) < count:
        pairs = {}
        for word in words:
            for pair in zip(word, word[1:]):
                pairs[pair] = pairs.get(pair, 0) + 1
        best = max(sorted(pairs), key=lambda pair: pairs[pair])
        merges.append(best)
        words = [apply_merge(word, best) for word in words]
    return merges


def apply_merge(word, pair):
    merged, i = [], 0
    while i < len(word):
        if word[i : i + 2] == pair:
            merged.append(pair[0] + pair[1])
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return tuple(merged)


def write_vocabulary(writer, spec):
    """Adds the vocabulary; returns how many tokens it has."""
    merges = learn_merges(spec.merges)
    tokens = SPECIAL_TOKENS + list(byte_alphabet().values()) + [a + b for a, b in merges]
    assert len(set(tokens)) == len(tokens)
    control, normal = int(gguf.TokenType.CONTROL), int(gguf.TokenType.NORMAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm" if spec.architecture == "llama" else "qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([control] * len(SPECIAL_TOKENS) + [normal] * (len(tokens) - len(SPECIAL_TOKENS)))
    writer.add_token_merges([f"{a} {b}" for a, b in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    return len(tokens)


def random_k_blocks(rng, rows, cols, kind, deviation):
    """Blocks of a K format with random bits and scales that give values of about this standard deviation: gguf has no quantiser for them."""
    blocks = rows * cols // 256

    def half(values):
        return values.astype(np.float16).view(np.uint8).reshape(blocks, 2)

    def random_bytes(count):
        return rng.integers(0, 256, (blocks, count), dtype=np.uint8)

    spread = rng.uniform(0.7, 1.4, (blocks, 1))
    if kind == Type.Q6_K:
        # value = d * scale * (q - 32): scales within +-32 have a deviation of 18.6, q - 32 one of 18.5.
        scales = rng.integers(-32, 33, (blocks, 16), dtype=np.int8).view(np.uint8)
        parts = [random_bytes(128 + 64), scales, half(spread * deviation / (18.6 * 18.5))]
    else:
        # value = d * scale * q - dmin * minimum, scales and minima of 6 bits: dmin is chosen so that the mean is 0.
        q_max = 15 if kind == Type.Q4_K else 31
        factor = {Type.Q4_K: 260.0, Type.Q5_K: 530.0}[kind]
        d = spread * deviation / factor
        quants = random_bytes(128) if kind == Type.Q4_K else random_bytes(32 + 128)
        parts = [half(d), half(d * q_max / 2), random_bytes(12), quants]
    return np.concatenate(parts, axis=1).reshape(rows, -1)


def encode(rng, shape, kind, deviation, values=None):
    """Random numbers, or `values`, in a format."""
    if kind in (Type.Q4_K, Type.Q5_K, Type.Q6_K):
        return random_k_blocks(rng, *shape, kind, deviation)
    if values is None:
        values = rng.normal(0.0, deviation, shape).astype(np.float32)
    if kind == Type.F32:
        return values
    if kind == Type.F16:
        return values.astype(np.float16)
    return gguf.quants.quantize(values, kind)


def llama3_divisors(spec):
    """Llama 3's frequency divisors for a context stretched 8 times from 32 positions: short, middling and long waves all occur."""
    factor, low, high, original = 8.0, 1.0, 4.0, 32
    divisors = []
    for i in range(0, spec.head_dim, 2):
        wave = 2 * math.pi * spec.rope_base ** (i / spec.head_dim)
        if wave < original / high:
            divisors.append(1.0)
        elif wave > original / low:
            divisors.append(factor)
        else:
            smooth = (original / wave - low) / (high - low)
            divisors.append(1.0 / ((1 - smooth) / factor + smooth))
    return np.array(divisors, dtype=np.float32)


def write_tensors(writer, rng, spec, vocab):
    q, kv, h = spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim, spec.hidden

    def matrix(name, rows, cols, deviation):
        part = name.removeprefix("blk.").split(".")[-2]
        kind = spec.types.get(part, spec.type)
        data = encode(rng, (rows, cols), kind, deviation)
        writer.add_tensor(name, data, raw_dtype=None if kind in (Type.F32, Type.F16) else kind)

    def vector(name, size, mean, deviation):
        writer.add_tensor(name, rng.normal(mean, deviation, size).astype(np.float32))

    matrix("token_embd.weight", vocab, h, 2 / math.sqrt(h))
    for i in range(spec.layers):
        blk = f"blk.{i}."
        vector(blk + "attn_norm.weight", h, 1.0, 0.1)
        # Sharper than a random model's scores would be, so that which keys are attended to matters.
        matrix(blk + "attn_q.weight", q, h, 1.5 / math.sqrt(h))
        matrix(blk + "attn_k.weight", kv, h, 1.5 / math.sqrt(h))
        matrix(blk + "attn_v.weight", kv, h, 1 / math.sqrt(h))
        if spec.bias or spec.architecture == "qwen2":
            vector(blk + "attn_q.bias", q, 0.0, 0.5)
            vector(blk + "attn_k.bias", kv, 0.0, 0.5)
            vector(blk + "attn_v.bias", kv, 0.0, 0.2)
        if spec.architecture == "qwen3":
            vector(blk + "attn_q_norm.weight", spec.head_dim, 1.5, 0.3)
            vector(blk + "attn_k_norm.weight", spec.head_dim, 1.5, 0.3)
        matrix(blk + "attn_output.weight", h, q, 0.5 / math.sqrt(q))
        vector(blk + "ffn_norm.weight", h, 1.0, 0.1)
        matrix(blk + "ffn_gate.weight", spec.mlp, h, 1 / math.sqrt(h))
        matrix(blk + "ffn_up.weight", spec.mlp, h, 1 / math.sqrt(h))
        matrix(blk + "ffn_down.weight", h, spec.mlp, 0.5 / math.sqrt(spec.mlp))
    vector("output_norm.weight", h, 1.0, 0.1)
    if not spec.tied:
        matrix("output.weight", vocab, h, 2 / math.sqrt(h))
    if spec.llama3_frequencies:
        writer.add_tensor("rope_freqs.weight", llama3_divisors(spec))


def write_model(path, spec, seed=1):
    """Writes the model of `spec`; the same seed gives the same bytes."""
    writer = gguf.GGUFWriter(path, spec.architecture)
    writer.add_name(os.path.splitext(os.path.basename(path))[0])
    writer.add_block_count(spec.layers)
    writer.add_context_length(spec.context)
    writer.add_embedding_length(spec.hidden)
    writer.add_feed_forward_length(spec.mlp)
    writer.add_head_count(spec.heads)
    writer.add_head_count_kv(spec.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(spec.rope_base)
    if spec.head_dim * spec.heads != spec.hidden:
        writer.add_key_length(spec.head_dim)
        writer.add_value_length(spec.head_dim)
    writer.add_rope_dimension_count(spec.rope_dims or spec.head_dim)
    if spec.linear_scale:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(spec.linear_scale)
    if spec.yarn_factor:
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(spec.yarn_factor)
        writer.add_rope_scaling_orig_ctx_len(spec.context)
    vocab = write_vocabulary(writer, spec)
    write_tensors(writer, np.random.default_rng(seed), spec, vocab)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


HF_NAMES = {
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head", "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}


class FolderWriter:
    """Takes what write_tensors gives to a GGUF writer, and keeps it as Hugging Face does."""

    def __init__(self, spec, vectors):
        self.spec, self.vectors, self.tensors = spec, vectors, {}

    def add_tensor(self, name, data, raw_dtype=None):
        if name == "rope_freqs.weight":
            return  # stands in the configuration
        *layer, part, kind = name.split(".")
        if part in ("attn_q", "attn_k") and kind == "weight" and self.spec.architecture == "llama":
            # GGUF keeps rotated pairs side by side, Hugging Face as halves of a head.
            data = data.reshape(-1, self.spec.head_dim // 2, 2, data.shape[-1]).swapaxes(1, 2).reshape(data.shape)
        prefix = f"model.layers.{layer[1]}." if layer else ""
        if data.ndim == 1 and self.vectors != Type.F32:
            data = encode(None, None, self.vectors, None, data)
        bf16 = (raw_dtype if data.ndim > 1 else self.vectors) == Type.BF16
        shape = [*data.shape[:-1], data.shape[-1] // 2] if bf16 else list(data.shape)
        dtype = "bfloat16" if bf16 else str(data.dtype)
        self.tensors[f"{prefix}{HF_NAMES[part]}.{kind}"] = (dtype, shape, np.ascontiguousarray(data))

    def write(self, path, names):
        specs = {}
        for name in names:
            dtype, shape, data = self.tensors[name]
            specs[name] = safetensors.TensorSpec(dtype=dtype, shape=shape, data_ptr=data.ctypes.data, data_len=data.nbytes)
        safetensors.serialize_file(specs, path, {"format": "pt"})


def hf_config(spec, vocab, scaling):
    config = {
        "architectures": [{"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}[spec.architecture] + "ForCausalLM"],
        "model_type": spec.architecture, "hidden_act": "silu", "hidden_size": spec.hidden, "intermediate_size": spec.mlp,
        "num_hidden_layers": spec.layers, "num_attention_heads": spec.heads, "num_key_value_heads": spec.kv_heads, "head_dim": spec.head_dim,
        "max_position_embeddings": spec.context, "rms_norm_eps": 1e-5, "rope_theta": spec.rope_base, "vocab_size": vocab,
        "tie_word_embeddings": spec.tied, "bos_token_id": 0, "eos_token_id": 2,
    }
    if scaling is None and spec.linear_scale:
        scaling = {"rope_type": "linear", "factor": spec.linear_scale}
    if scaling is None and spec.yarn_factor:
        scaling = {"type": "yarn", "factor": spec.yarn_factor, "original_max_position_embeddings": spec.context}
    if scaling is None and spec.llama3_frequencies:
        scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                   "original_max_position_embeddings": 32}
    return config | ({"rope_scaling": scaling} if scaling else {})


def hf_tokenizer(spec):
    """tokenizer.json of the same vocabulary, as the package `tokenizers` writes it."""
    import tokenizers as hf

    merges = learn_merges(spec.merges)
    tokens = SPECIAL_TOKENS + list(byte_alphabet().values()) + [a + b for a, b in merges]
    tokenizer = hf.Tokenizer(hf.models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    split = hf.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if spec.architecture == "llama":
        tokenizer.pre_tokenizer = hf.pre_tokenizers.Sequence([hf.pre_tokenizers.Digits(individual_digits=True), split])
    else:
        pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
        tokenizer.normalizer = hf.normalizers.NFC()
        tokenizer.pre_tokenizer = hf.pre_tokenizers.Sequence([
            hf.pre_tokenizers.Split(hf.Regex(pattern), "isolated"),
            hf.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = hf.decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    return tokenizer.to_str()


def write_folder(path, spec, seed=1, vectors=Type.F32, scaling=None, shards=1):
    """The same weights as write_model's, as a Hugging Face folder; `vectors` is the type of norms and biases."""
    os.makedirs(path, exist_ok=True)
    vocab = len(SPECIAL_TOKENS) + 256 + spec.merges
    folder = FolderWriter(spec, vectors)
    write_tensors(folder, np.random.default_rng(seed), spec, vocab)
    names = list(folder.tensors)
    parts = [names[i::shards] for i in range(shards)]
    files = {f"model-{i + 1:05}-of-{shards:05}.safetensors" if shards > 1 else "model.safetensors": part for i, part in enumerate(parts)}
    for file, part in files.items():
        folder.write(os.path.join(path, file), part)
    documents = {
        "config.json": hf_config(spec, vocab, scaling),
        "tokenizer_config.json": {"chat_template": CHAT_TEMPLATE, "bos_token": SPECIAL_TOKENS[0], "eos_token": SPECIAL_TOKENS[2]},
        "generation_config.json": {"eos_token_id": [2, 0]},
    }
    if shards > 1:
        documents["model.safetensors.index.json"] = {"weight_map": {name: file for file, part in files.items() for name in part}}
    for name, document in documents.items():
        with open(os.path.join(path, name), "w", encoding="utf-8") as file:
            json.dump(document, file)
    with open(os.path.join(path, "tokenizer.json"), "w", encoding="utf-8") as file:
        file.write(hf_tokenizer(spec))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out_dir", nargs="?")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--folder", action="store_true")
    options = parser.parse_args()
    if options.list or options.out_dir is None:
        print("\n".join(SPECS))
        return
    os.makedirs(options.out_dir, exist_ok=True)
    for name in options.names or SPECS:
        if name not in SPECS:
            sys.exit(f"no model is called {name}; there are {', '.join(SPECS)}")
        if options.folder:
            write_folder(os.path.join(options.out_dir, name), SPECS[name], options.seed)
            continue
        path = os.path.join(options.out_dir, name + ".gguf")
        write_model(path, SPECS[name], options.seed)
        print(path, os.path.getsize(path), "bytes")


if __name__ == "__main__":
    main()
