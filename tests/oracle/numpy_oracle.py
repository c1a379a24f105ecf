"""The forward pass of llama and qwen2 models in plain numpy, from the same file: an independent opinion on what hussar computes.

Weights are read and expanded by the PyPI package `gguf`; nothing here knows hussar's code. `forward(tokens)` computes at full precision.
`forward(tokens, Rounding(...))` also rounds what a fast implementation keeps in few bits: the inputs of products with quantised weights (8
bits in blocks of 32), keys and values (16 bits). The distance between the two is what a right implementation may differ by.
"""

import dataclasses

import gguf
import numpy as np

FLOAT_TYPES = (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.BF16)


@dataclasses.dataclass(frozen=True)
class Rounding:
    activations: bool = False  # inputs of products with a quantised weight
    keys_and_values: str = ""  # "", "f16" or "bf16"


EXACT = Rounding()


@dataclasses.dataclass
class Output:
    hidden: np.ndarray  # [layers + 1, T, H]: the embedding, then the residual stream after each layer
    logits: np.ndarray  # [T, vocab]


class Matrix:
    """A weight [rows, cols], expanded."""

    def __init__(self, tensor, dtype):
        self.quantised = tensor.tensor_type not in FLOAT_TYPES
        self.values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(dtype, copy=False)
        # GGUF names the fastest dimension first.
        self.values = self.values.reshape([int(n) for n in reversed(tensor.shape)])


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


def softmax(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


class Oracle:
    def __init__(self, path, dtype=np.float64):
        reader = gguf.GGUFReader(path)
        self.dtype = dtype
        self.rounding = EXACT
        self.architecture = reader.fields["general.architecture"].contents()
        assert self.architecture in ("llama", "qwen2"), self.architecture
        self._read_config(reader)
        self.weights = {tensor.name: Matrix(tensor, dtype) for tensor in reader.tensors}
        self.vocab = self.weights["token_embd.weight"].values.shape[0]
        self.head = self.weights.get("output.weight", self.weights["token_embd.weight"])

    def _read_config(self, reader):
        def get(key, default=None):
            field = reader.fields.get(f"{self.architecture}.{key}")
            return default if field is None else field.contents()

        self.layers = get("block_count")
        self.hidden = get("embedding_length")
        self.heads = get("attention.head_count")
        self.kv_heads = get("attention.head_count_kv", self.heads)
        self.head_dim = get("attention.key_length", self.hidden // self.heads)
        self.epsilon = get("attention.layer_norm_rms_epsilon")
        self.rope_dims = get("rope.dimension_count", self.head_dim)
        self.rope_base = get("rope.freq_base", 10000.0)
        scaled = get("rope.scaling.type", "linear") == "linear"
        self.linear_scale = (get("rope.scaling.factor", 1.0) or 1.0) if scaled else 1.0

    def _weight(self, name):
        return self.weights[name].values

    def _product(self, x, matrix):
        if self.rounding.activations and matrix.quantised:
            x = round_to_blocks(x)
        return x @ matrix.values.T

    def _linear(self, x, name):
        y = self._product(x, self.weights[name + ".weight"])
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
        angles = np.outer(np.asarray(positions, np.float64) / self.linear_scale, frequency)
        return np.cos(angles).astype(self.dtype), np.sin(angles).astype(self.dtype)

    def _rope(self, x, cos, sin):
        """Rotates x [T, heads, head_dim]; llama files pair neighbours, qwen2 files pair halves."""
        pairs = self.rope_dims // 2
        if self.architecture == "llama":
            first, second = slice(0, self.rope_dims, 2), slice(1, self.rope_dims, 2)
        else:
            first, second = slice(0, pairs), slice(pairs, self.rope_dims)
        a, b = x[..., first], x[..., second]
        cos, sin = cos[:, None, :], sin[:, None, :]
        rotated = x.copy()
        rotated[..., first] = a * cos - b * sin
        rotated[..., second] = a * sin + b * cos
        return rotated

    def _attention(self, x, blk, cos, sin):
        rows = x.shape[0]
        n = self._norm(x, blk + "attn_norm.weight")
        q = self._rope(self._linear(n, blk + "attn_q").reshape(rows, self.heads, self.head_dim), cos, sin)
        k = self._rope(self._linear(n, blk + "attn_k").reshape(rows, self.kv_heads, self.head_dim), cos, sin)
        v = self._linear(n, blk + "attn_v").reshape(rows, self.kv_heads, self.head_dim)
        if self.rounding.keys_and_values:
            k = round_to_16_bits(k, self.rounding.keys_and_values)
            v = round_to_16_bits(v, self.rounding.keys_and_values)
        future = np.triu(np.ones((rows, rows), dtype=bool), 1)
        attended = np.empty((rows, self.heads, self.head_dim), dtype=self.dtype)
        for head in range(self.heads):
            group = head * self.kv_heads // self.heads
            scores = q[:, head] @ k[:, group].T / np.sqrt(self.dtype(self.head_dim))
            scores[future] = -np.inf
            attended[:, head] = softmax(scores) @ v[:, group]
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
