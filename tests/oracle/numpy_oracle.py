"""The forward pass of llama, qwen2 and qwen3 models in plain numpy, from the same file: an independent opinion on what hussar computes.

Weights are read and expanded by the PyPI packages `gguf` and `safetensors`; nothing here knows hussar's code. `forward(tokens)` computes at full precision.
`forward(tokens, Rounding(...))` also rounds what a fast implementation keeps in few bits: the inputs of products with quantised weights (8
bits in blocks of 32), keys and values (16 bits); or, where it multiplies tiles of BF16, both sides of these products and all of attention's.
The distance between the two is what a right implementation may differ by.
"""

import dataclasses
import json
import math
import os

import gguf
import numpy as np
import safetensors

FLOAT_TYPES = (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.BF16)


@dataclasses.dataclass(frozen=True)
class Rounding:
    activations: bool = False  # inputs of products with a quantised weight
    keys_and_values: str = ""  # "", "f16" or "bf16"
    tiles: bool = False  # prompts by tiles of BF16; the head takes activations as they are above


def roundings_of(isa, keys_and_values="f16"):
    """Those of prompts on this instruction set of hussar's."""
    return Rounding(True, keys_and_values, isa in ("amx", "reference-tiles"))


EXACT = Rounding()


@dataclasses.dataclass
class Output:
    hidden: np.ndarray  # [layers + 1, T, H]: the embedding, then the residual stream after each layer
    logits: np.ndarray  # [T, vocab]


class Matrix:
    """A weight [rows, cols], expanded."""

    def __init__(self, tensor, dtype):
        self.quantised = tensor.tensor_type not in FLOAT_TYPES
        self.tiled = self.quantised or tensor.tensor_type == gguf.GGMLQuantizationType.BF16
        self.values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(dtype, copy=False)
        # GGUF names the fastest dimension first.
        self.values = self.values.reshape([int(n) for n in reversed(tensor.shape)])


class StoredNumbers:
    """A weight of a safetensors file, expanded. Kept as blocks of `kept_as` ("q8_0", "q4_1") when that is named."""

    def __init__(self, tensor, dtype, kept_as=None):
        data, shape = np.frombuffer(tensor["data"], np.uint8), tensor["shape"]
        if tensor["dtype"] == "BF16":
            values = (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = data.view({"F32": np.float32, "F16": np.float16}[tensor["dtype"]])
        self.quantised = kept_as is not None and len(shape) == 2
        self.tiled = self.quantised or tensor["dtype"] == "BF16"
        if self.quantised:
            kind = {"q8_0": gguf.GGMLQuantizationType.Q8_0, "q4_1": gguf.GGMLQuantizationType.Q4_1}[kept_as]
            values = values.astype(np.float32).reshape(shape)
            values = gguf.quants.dequantize(gguf.quants.quantize(values, kind), kind)
        self.values = values.astype(dtype).reshape(shape)


# What the parts of a tensor's name are called in GGUF, which is what this file calls them.
HF_NAMES = {
    "embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output", "layers": "blk", "input_layernorm": "attn_norm",
    "q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "q_norm": "attn_q_norm", "k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm", "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down",
}


def gguf_name(hf_name):
    parts = [part for part in hf_name.split(".") if part not in ("model", "self_attn", "mlp")]
    return ".".join(HF_NAMES.get(part, part) for part in parts)


def yarn_frequencies(frequency, base, dims, scaling, context):
    """YaRN as its paper writes it: pairs that turn often within the original context stay, those that turn less than once are slowed."""
    original = scaling.get("original_max_position_embeddings") or context

    def pair(turns):
        return dims * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(base))

    low, high = pair(scaling.get("beta_fast") or 32), pair(scaling.get("beta_slow") or 1)
    if scaling.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dims - 1)
    ramp = np.clip((np.arange(dims // 2) - low) / max(high - low, 0.001), 0, 1)
    return frequency * (1 - ramp) + frequency / scaling["factor"] * ramp


def yarn_strength(scaling):
    """What rotated queries and keys are multiplied by."""
    if scaling.get("attention_factor"):
        return scaling["attention_factor"]
    growth = 0.1 * math.log(scaling["factor"])
    if scaling.get("mscale") and scaling.get("mscale_all_dim"):
        return (growth * scaling["mscale"] + 1) / (growth * scaling["mscale_all_dim"] + 1)
    return growth + 1


def llama3_frequencies(frequency, scaling):
    factor, low, high = scaling["factor"], scaling["low_freq_factor"], scaling["high_freq_factor"]
    turns = scaling["original_max_position_embeddings"] * frequency / (2 * math.pi)
    smooth = (turns - low) / (high - low)
    mixed = (1 - smooth) * frequency / factor + smooth * frequency
    return np.where(turns < low, frequency / factor, np.where(turns > high, frequency, mixed))


def round_to_blocks(x):
    """Each run of 32 numbers as 8-bit integers times a scale; ends as numbers again."""
    blocks = x.reshape(-1, 32)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / 127
    with np.errstate(divide="ignore", invalid="ignore"):
        q = np.where(scale > 0, np.rint(blocks / scale), 0)
    return (q * scale).reshape(x.shape).astype(x.dtype)


def round_to_16_bits(x, kind):
    if kind == "f16":
        return x.astype(np.float16).astype(x.dtype)
    # Half of the last place that stays, and one more where that makes the tie even.
    bits = x.astype(np.float32).view(np.uint32)
    bits = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(x.dtype)


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


class Oracle:
    """`kept_as` ("q8_0", "q4_1"): round the matrices of a folder to these blocks, embedding and head always to q8_0."""

    def __init__(self, path, dtype=np.float64, kept_as=None):
        self.dtype = dtype
        self.rounding = EXACT
        if os.path.isdir(path):
            self._read_folder(path, kept_as)
        else:
            self._read_gguf(gguf.GGUFReader(path))
        self.vocab = self.weights["token_embd.weight"].values.shape[0]
        self.head = self.weights["token_embd.weight" if self.tied else "output.weight"]

    def _read_gguf(self, reader):
        self.architecture = reader.fields["general.architecture"].contents()
        assert self.architecture in ("llama", "qwen2", "qwen3"), self.architecture
        self.weights = {tensor.name: Matrix(tensor, self.dtype) for tensor in reader.tensors}

        def get(key, default=None):
            field = reader.fields.get(f"{self.architecture}.{key}")
            return default if field is None else field.contents()

        self.tied = "output.weight" not in self.weights
        self.pairs_are_neighbours = self.architecture == "llama"
        self.layers = get("block_count")
        self.hidden = get("embedding_length")
        self.heads = get("attention.head_count")
        self.kv_heads = get("attention.head_count_kv", self.heads)
        self.head_dim = get("attention.key_length", self.hidden // self.heads)
        self.epsilon = get("attention.layer_norm_rms_epsilon")
        self.rope_dims = get("rope.dimension_count", self.head_dim)
        self.rope_base = get("rope.freq_base", 10000.0)
        self.context = get("context_length")
        kind = get("rope.scaling.type", "linear")
        self.linear_scale = (get("rope.scaling.factor", 1.0) or 1.0) if kind == "linear" else 1.0
        self.scaling = {}
        if kind == "yarn":
            self.scaling = {"rope_type": kind, "factor": get("rope.scaling.factor"),
                            "original_max_position_embeddings": get("rope.scaling.original_context_length")}

    def _read_folder(self, path, kept_as):
        with open(os.path.join(path, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        self.architecture = config["model_type"]
        self.weights = {}
        for name in sorted(os.listdir(path)):
            if not name.endswith(".safetensors"):
                continue
            with open(os.path.join(path, name), "rb") as file:
                for key, tensor in safetensors.deserialize(file.read()):
                    outer = "embed" in key or "lm_head" in key
                    self.weights[gguf_name(key)] = StoredNumbers(tensor, self.dtype, kept_as and ("q8_0" if outer else kept_as))
        self.tied = config.get("tie_word_embeddings", False)
        self.pairs_are_neighbours = False
        self.layers = config["num_hidden_layers"]
        self.hidden = config["hidden_size"]
        self.heads = config["num_attention_heads"]
        self.kv_heads = config.get("num_key_value_heads") or self.heads
        self.head_dim = config.get("head_dim") or self.hidden // self.heads
        self.epsilon = config["rms_norm_eps"]
        self.rope_dims = self.head_dim
        self.context = config["max_position_embeddings"]
        parameters = config.get("rope_parameters") or {}
        self.rope_base = parameters.get("rope_theta") or config.get("rope_theta", 10000.0)
        self.scaling = config.get("rope_scaling") or parameters
        kind = self.scaling.get("rope_type", self.scaling.get("type", "default"))
        self.linear_scale = self.scaling["factor"] if kind == "linear" else 1.0
        self.scaling = dict(self.scaling, rope_type=kind) if kind in ("yarn", "llama3") else {}

    def _weight(self, name):
        return self.weights[name].values

    def _product(self, x, matrix):
        if self.rounding.activations and matrix.quantised:
            x = round_to_blocks(x)
        return x @ matrix.values.T

    def _in_tiles(self, x):
        return round_to_16_bits(x, "bf16") if self.rounding.tiles else x

    def _linear(self, x, name):
        matrix = self.weights[name + ".weight"]
        tiled = self.rounding.tiles and matrix.tiled
        y = self._in_tiles(x) @ self._in_tiles(matrix.values).T if tiled else self._product(x, matrix)
        bias = self.weights.get(name + ".bias")
        return y if bias is None else y + bias.values

    def _norm(self, x, name):
        scale = 1 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + self.epsilon)
        return x * scale * self._weight(name)

    def _rope_angles(self, positions):
        """cos and sin [T, dims / 2] of each position and pair."""
        frequency = self.rope_base ** (-np.arange(0, self.rope_dims, 2, dtype=np.float64) / self.rope_dims)
        if "rope_freqs.weight" in self.weights:
            frequency = frequency / self._weight("rope_freqs.weight")
        strength = 1.0
        if self.scaling.get("rope_type") == "llama3":
            frequency = llama3_frequencies(frequency, self.scaling)
        if self.scaling.get("rope_type") == "yarn":
            frequency = yarn_frequencies(frequency, self.rope_base, self.rope_dims, self.scaling, self.context)
            strength = yarn_strength(self.scaling)
        angles = np.outer(np.asarray(positions, np.float64) / self.linear_scale, frequency)
        return (strength * np.cos(angles)).astype(self.dtype), (strength * np.sin(angles)).astype(self.dtype)

    def _rope(self, x, cos, sin):
        """Rotates x [T, heads, head_dim]; llama's GGUF files pair neighbours, all others halves."""
        pairs = self.rope_dims // 2
        if self.pairs_are_neighbours:
            first, second = slice(0, self.rope_dims, 2), slice(1, self.rope_dims, 2)
        else:
            first, second = slice(0, pairs), slice(pairs, self.rope_dims)
        a, b = x[..., first], x[..., second]
        cos, sin = cos[:, None, :], sin[:, None, :]
        rotated = x.copy()
        rotated[..., first] = a * cos - b * sin
        rotated[..., second] = a * sin + b * cos
        return rotated

    def _rotated_heads(self, n, name, heads, cos, sin):
        y = self._linear(n, name).reshape(n.shape[0], heads, self.head_dim)
        if name + "_norm.weight" in self.weights:
            y = self._norm(y, name + "_norm.weight")
        return self._rope(y, cos, sin)

    def _attention(self, x, blk, cos, sin):
        rows = x.shape[0]
        n = self._norm(x, blk + "attn_norm.weight")
        q = self._rotated_heads(n, blk + "attn_q", self.heads, cos, sin)
        k = self._rotated_heads(n, blk + "attn_k", self.kv_heads, cos, sin)
        v = self._linear(n, blk + "attn_v").reshape(rows, self.kv_heads, self.head_dim)
        if self.rounding.keys_and_values:
            k = round_to_16_bits(k, self.rounding.keys_and_values)
            v = round_to_16_bits(v, self.rounding.keys_and_values)
        future = np.triu(np.ones((rows, rows), dtype=bool), 1)
        attended = np.empty((rows, self.heads, self.head_dim), dtype=self.dtype)
        for head in range(self.heads):
            group = head * self.kv_heads // self.heads
            scaled = q[:, head] / np.sqrt(self.dtype(self.head_dim))
            scores = self._in_tiles(scaled) @ self._in_tiles(k[:, group]).T
            scores[future] = -np.inf
            weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
            attended[:, head] = self._in_tiles(weights) @ self._in_tiles(v[:, group]) / weights.sum(axis=-1, keepdims=True)
        return self._linear(attended.reshape(rows, -1), blk + "attn_output")

    def _mlp(self, x, blk):
        n = self._norm(x, blk + "ffn_norm.weight")
        gate = self._linear(n, blk + "ffn_gate")
        gate = gate / (1 + np.exp(-gate))
        return self._linear(gate * self._linear(n, blk + "ffn_up"), blk + "ffn_down")

    def forward(self, tokens, rounding=EXACT):
        """Runs one sequence from position 0."""
        self.rounding = rounding
        x = self._weight("token_embd.weight")[np.asarray(tokens)]
        cos, sin = self._rope_angles(np.arange(len(tokens)))
        hidden = [x]
        with np.errstate(over="ignore"):
            for layer in range(self.layers):
                blk = f"blk.{layer}."
                x = x + self._attention(x, blk, cos, sin)
                x = x + self._mlp(x, blk)
                hidden.append(x)
        logits = self._product(self._norm(x, "output_norm.weight"), self.head)
        return Output(np.stack(hidden), logits)
