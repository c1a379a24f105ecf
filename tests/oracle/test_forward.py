"""The forward pass against the numpy oracle: hidden states after every layer and logits, of small random models and of SmolLM2.

Tolerance. The oracle runs twice: at full precision, and with the roundings that the CPU backend is allowed (8-bit inputs of products with
quantised weights, 16-bit keys and values). Their distance E, a Frobenius norm over all rows of a layer, is what right roundings cost on
this very input. The backend rounds the same numbers up to float32 noise, so that its own distance from the exact result is about E; another
outcome of as many independent roundings would have about the same norm. Accepted is 1.5 E, plus float32's own noise: a sum of n terms has
a relative error of about sqrt(n) 2^-24 (n is at most 1536 here: 2.4e-6), and 30 layers have 120 products in a row that can pass it on:
errors of independent signs add up to 2.6e-5, and 1e-4 leaves a factor of 4.
"""

import os

import numpy as np
import pytest
from hussar_tools import BUILD, HERE, Refused, dump, encode, read_text
from make_models import SPECS, write_model
from numpy_oracle import Oracle, Rounding, log_softmax, roundings_of

SEED = int(os.environ.get("HUSSAR_SEED", "20261122"))
REAL_MODEL = os.environ.get("HUSSAR_MODEL", os.path.join(HERE, "..", "..", "build", "models", "smollm2-135m-instruct-q4_1.gguf"))
FLOAT_NOISE = 1e-4
TOKEN_COUNT = 75  # more than two blocks of keys and values, and no multiple of a chunk

pytestmark = pytest.mark.skipif(not os.path.exists(os.path.join(BUILD, "dump_logits")), reason="dump_logits is not built")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Paths of the small models by name, written when first asked for."""
    folder = tmp_path_factory.mktemp("models")

    def path_of(name):
        path = str(folder / (name + ".gguf"))
        if not os.path.exists(path):
            write_model(path, SPECS[name], seed=SEED % 2**32)
        return path

    return path_of


def some_tokens(vocab, count=TOKEN_COUNT):
    return np.random.default_rng(SEED).integers(0, vocab, count).tolist()


def distance(a, b):
    return np.linalg.norm(np.asarray(a, np.float64) - np.asarray(b, np.float64))


def layer_distances(a, b):
    """Frobenius distances: of each hidden state, then of the logits."""
    return np.array([distance(x, y) for x, y in zip(a.hidden, b.hidden)] + [distance(a.logits, b.logits)])


def norms(output):
    return np.array([np.linalg.norm(x) for x in output.hidden] + [np.linalg.norm(output.logits)])


def tolerances(exact, rounded):
    return 1.5 * layer_distances(exact, rounded) + FLOAT_NOISE * norms(exact)


def assert_close(got, exact, *rounded):
    """By the largest of the tolerances, where several roundings are mixed."""
    assert np.isfinite(got.logits).all() and np.isfinite(got.hidden).all()
    measured, allowed = layer_distances(exact, got), np.max([tolerances(exact, each) for each in rounded], axis=0)
    assert (measured <= allowed).all(), f"seed {SEED}\nmeasured {measured / norms(exact)}\nallowed  {allowed / norms(exact)}"


@pytest.mark.parametrize("name", SPECS)
def test_small_model_matches_the_oracle(models, name):
    oracle = Oracle(models(name))
    tokens = some_tokens(oracle.vocab)
    exact = oracle.forward(tokens)
    rounded = oracle.forward(tokens, Rounding(True, "f16"))
    # Else the tolerance would prove nothing.
    assert (layer_distances(exact, rounded) < 0.06 * norms(exact)).all()
    got = dump(models(name), tokens, hidden=True)
    assert_close(got, exact, oracle.forward(tokens, roundings_of(got.isa)))
    # Rows of generated tokens may take another path through the arithmetic.
    assert_close(dump(models(name), tokens, hidden=True, generated_from=0), exact, rounded)
    assert_close(dump(models(name), tokens, hidden=True, generated_from=10), exact, rounded, oracle.forward(tokens, roundings_of(got.isa)))


@pytest.mark.parametrize("isa", ["reference", "reference-tiles", "avx2", "avx512", "amx"])
@pytest.mark.parametrize("name", ["llama-f32", "llama-q4_1", "llama-k-mix", "qwen2-q5_0"])
def test_each_isa_matches_the_oracle(models, name, isa):
    oracle = Oracle(models(name))
    tokens = some_tokens(oracle.vocab)
    try:
        got = dump(models(name), tokens, hidden=True, isa=isa)
    except Refused as refused:
        pytest.skip(str(refused))
    assert got.isa == isa
    assert_close(got, oracle.forward(tokens), oracle.forward(tokens, roundings_of(isa)))


@pytest.mark.parametrize("name", ["llama-q4_0", "qwen2-k-mix"])
def test_bf16_keys_and_values_match_the_oracle(models, name):
    oracle = Oracle(models(name))
    tokens = some_tokens(oracle.vocab)
    got = dump(models(name), tokens, hidden=True, kv_type="bf16")
    assert_close(got, oracle.forward(tokens), oracle.forward(tokens, roundings_of(got.isa, "bf16")))


@pytest.mark.parametrize("name", ["llama-bf16-wide", "llama-q8_0", "llama-k-mix", "qwen2-f32", "qwen2-q5_0"])
def test_logits_are_bit_identical_whatever_the_chunks_and_threads(models, name):
    tokens = some_tokens(Oracle(models(name)).vocab)
    whole = dump(models(name), tokens, chunk=len(tokens))
    for chunk in (1, 2, 7, 33, 64):
        assert np.array_equal(dump(models(name), tokens, chunk=chunk).logits, whole.logits), f"chunks of {chunk}"
    for threads in (2, 3):
        assert np.array_equal(dump(models(name), tokens, chunk=16, threads=threads).logits, whole.logits), f"{threads} threads"


def test_generated_rows_are_bit_identical_whatever_the_threads(models):
    tokens = some_tokens(Oracle(models("llama-q4_k")).vocab)
    one = dump(models("llama-q4_k"), tokens, generated_from=20)
    assert np.array_equal(dump(models("llama-q4_k"), tokens, generated_from=20, threads=2, chunk=5).logits, one.logits)


class WrongRopeStyle(Oracle):
    def _rope(self, x, cos, sin):
        self.pairs_are_neighbours = not self.pairs_are_neighbours
        rotated = super()._rope(x, cos, sin)
        self.pairs_are_neighbours = not self.pairs_are_neighbours
        return rotated


class WrongScale(Oracle):
    def _rope_angles(self, positions):
        self.linear_scale = 1.0
        return super()._rope_angles(positions)


class NoFrequencyDivisors(Oracle):
    def _rope_angles(self, positions):
        self.weights.pop("rope_freqs.weight")
        self._rope_angles = super()._rope_angles
        return super()._rope_angles(positions)


class NoHeadNorm(Oracle):
    def _rotated_heads(self, n, name, heads, cos, sin):
        self.weights.pop(name + "_norm.weight")
        return super()._rotated_heads(n, name, heads, cos, sin)


class NoScaling(Oracle):
    def _rope_angles(self, positions):
        self.scaling = {}
        return super()._rope_angles(positions)


class NoAttentionFactor(Oracle):
    def _rope_angles(self, positions):
        self.scaling["attention_factor"] = 1.0
        return super()._rope_angles(positions)


class NoBias(Oracle):
    def _linear(self, x, name):
        self.weights.pop(name + ".bias", None)
        return super()._linear(x, name)


class SwappedKvHeads(Oracle):
    def _linear(self, x, name):
        y = super()._linear(x, name)
        return np.roll(y, self.head_dim, axis=-1) if name.endswith("attn_v") else y


class LatePositions(Oracle):
    """Only the later half of the rows is one position off."""

    def _rope_angles(self, positions):
        positions = np.array(positions)
        positions[len(positions) // 2 :] += 1
        return super()._rope_angles(positions)


@pytest.mark.parametrize(
    "name, mistake",
    [
        ("llama-q8_0", WrongRopeStyle),
        ("qwen2-q5_0", WrongRopeStyle),
        ("llama-linear-rope", WrongScale),
        ("llama-llama3-rope", NoFrequencyDivisors),
        ("qwen2-q5_0", NoBias),
        ("qwen3-f16", NoHeadNorm),
        ("qwen2-yarn", NoScaling),
        ("qwen2-yarn", NoAttentionFactor),
        ("llama-k-mix", LatePositions),
        ("llama-q4_k", SwappedKvHeads),
    ],
)
def test_the_tolerance_catches_mistakes(models, name, mistake):
    right = Oracle(models(name))
    tokens = some_tokens(right.vocab)
    exact, rounded = right.forward(tokens), right.forward(tokens, Rounding(True, "f16"))
    wrong = mistake(models(name)).forward(tokens)
    assert layer_distances(exact, wrong)[-1] > 1.5 * tolerances(exact, rounded)[-1]


@pytest.fixture(scope="module")
def real_oracle():
    if not os.path.exists(REAL_MODEL):
        pytest.skip(f"{REAL_MODEL} is missing")
    return Oracle(REAL_MODEL, np.float32)


def test_real_model_matches_the_oracle(real_oracle):
    tokens = encode(REAL_MODEL, read_text("english"))[:TOKEN_COUNT]
    exact = real_oracle.forward(tokens)
    got = dump(REAL_MODEL, tokens, hidden=True, threads=2)
    assert_close(got, exact, real_oracle.forward(tokens, roundings_of(got.isa)))


def test_real_model_keeps_the_next_token_distribution(real_oracle):
    """Mean KL divergence of at most 0.005 and the same likeliest token on 97 % of 512 positions."""
    tokens = encode(REAL_MODEL, read_text("english"))[:512]
    assert len(tokens) == 512
    exact = log_softmax(real_oracle.forward(tokens).logits)
    got = log_softmax(dump(REAL_MODEL, tokens, threads=2).logits)
    divergence = (np.exp(exact) * (exact - got)).sum(axis=-1)
    assert divergence.mean() <= 0.005
    assert (exact.argmax(axis=-1) == got.argmax(axis=-1)).mean() >= 0.97
