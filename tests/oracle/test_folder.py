"""Hugging Face folders: the forward pass against the numpy oracle, against the same weights in a GGUF file, and quantised at load.

Tolerances as in test_forward.py.
"""

import json
import os

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from hussar_tools import BUILD, Refused, dump
from make_models import SPECS, write_folder, write_model
from numpy_oracle import Oracle, roundings_of
from test_forward import SEED, assert_close, layer_distances, norms, some_tokens, tolerances

pytestmark = pytest.mark.skipif(not os.path.exists(os.path.join(BUILD, "dump_logits")), reason="dump_logits is not built")

FLOAT_MODELS = ["llama-f32", "llama-f16-head", "llama-bf16-wide", "llama-linear-rope", "llama-llama3-rope", "qwen2-f32", "qwen2-yarn",
                "qwen3-f16"]
FLOAT_TYPES = {"llama-linear-rope": Type.F16}


def spec_of(name):
    spec = SPECS[name]
    return spec if name not in FLOAT_TYPES else type(spec)(**{**vars(spec), "type": FLOAT_TYPES[name]})


@pytest.fixture
def folder(tmp_path):
    def write(name, **options):
        path = str(tmp_path / name)
        write_folder(path, spec_of(name), seed=SEED % 2**32, **options)
        return path

    return write


def compare_with_oracle(path, tokens=None, **flags):
    oracle = Oracle(path)
    tokens = tokens or some_tokens(oracle.vocab)
    got = dump(path, tokens, hidden=True, **flags)
    exact, rounded = oracle.forward(tokens), oracle.forward(tokens, roundings_of(got.isa))
    assert (layer_distances(exact, rounded) < 0.06 * norms(exact)).all()
    assert_close(got, exact, rounded)


@pytest.mark.parametrize("name", FLOAT_MODELS)
def test_a_folder_matches_the_oracle(folder, name):
    compare_with_oracle(folder(name))


@pytest.mark.parametrize("name", ["llama-bf16-wide", "qwen2-yarn", "qwen3-f16"])
def test_short_norms_and_shards_match_the_oracle(folder, name):
    compare_with_oracle(folder(name, vectors=Type.BF16 if "bf16" in name else Type.F16, shards=3))


@pytest.mark.parametrize("name", FLOAT_MODELS)
def test_the_same_weights_in_gguf_give_equal_logits(folder, tmp_path, name):
    path, file = folder(name), str(tmp_path / "model.gguf")
    write_model(file, spec_of(name), seed=SEED % 2**32)
    tokens = some_tokens(Oracle(file).vocab)
    assert np.array_equal(dump(path, tokens).logits, dump(file, tokens).logits)


def test_a_head_beside_a_tied_embedding_is_left_out(folder):
    path = folder("llama-f16-head")
    with open(os.path.join(path, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config | {"tie_word_embeddings": True}, file)
    compare_with_oracle(path)


@pytest.mark.parametrize(
    "scaling",
    [
        {"type": "yarn", "factor": 2.0},
        {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 20, "beta_fast": 4.0, "beta_slow": 0.5},
        {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 20, "attention_factor": 1.3},
        {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 20, "beta_fast": 4.0, "beta_slow": 0.5, "truncate": False},
        {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 20, "mscale": 1.0, "mscale_all_dim": 0.5},
        {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 2.0, "original_max_position_embeddings": 64},
        {"rope_type": "linear", "factor": 3.0},
        {"rope_type": "default"},
    ],
)
def test_rope_scalings_match_the_oracle(folder, scaling):
    compare_with_oracle(folder("qwen2-f32", scaling=scaling))


@pytest.mark.parametrize(
    "change, said",
    [
        ({"model_type": "mamba"}, "mamba"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "architectures"),
        ({"quantization_config": {"quant_method": "gptq"}}, "gptq"),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "dynamic"),
        ({"rope_scaling": {"rope_type": "longrope", "factor": 2.0}}, "longrope"),
        ({"rope_scaling": [1]}, "rope_scaling"),
        ({"rope_parameters": {"full_attention": {"rope_type": "default"}}}, "full_attention"),
        ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
        ({"rope_parameters": {"rope_theta": 1e6}, "rope_scaling": {"type": "linear", "factor": 2.0}}, "both there"),
        ({"rope_scaling": {"type": "yarn", "factor": 2.0, "truncate": "no"}}, "truncate"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"attention_bias": True}, "attention_bias"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"layer_types": ["sliding_attention"] * 2}, "layer_types"),
        ({"layer_types": "full_attention"}, "layer_types"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"num_hidden_layers": 1}, "has no place"),
        ({"num_hidden_layers": 3}, "is missing"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers"),
        ({"num_key_value_heads": 3}, "num_key_value_heads"),
        ({"hidden_size": 32.5}, "hidden_size"),
        ({"head_dim": 31}, "31"),
        ({"vocab_size": 7}, "has the shape"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps"),
        ({"max_position_embeddings": None}, "max_position_embeddings"),
    ],
)
def test_what_is_not_built_is_refused_by_name(folder, change, said):
    path = folder("llama-f32")
    with open(os.path.join(path, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config | change, file)
    with pytest.raises(Refused) as refused:
        dump(path, [1, 2, 3])
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["llama-f32", "llama-bf16-wide", "qwen3-f16"])
@pytest.mark.parametrize("weights, kept_as", [("w8", "q8_0"), ("w4", "q4_1")])
def test_quantising_at_load_costs_no_more_than_the_plain_quantiser(folder, name, weights, kept_as):
    """The oracle keeps the same matrices in the same formats, by the package gguf's quantisers: largest magnitude / 127, and min and max / 15.
    Ours minimise the error of each block, so that the result may not be further from the exact one than theirs, but for the luck of as many
    roundings as a layer has: a factor of 1.25."""
    path = folder(name)
    oracle = Oracle(path)
    tokens = some_tokens(oracle.vocab)
    exact = oracle.forward(tokens)
    got = dump(path, tokens, hidden=True, weights=weights)
    plain = Oracle(path, kept_as=kept_as).forward(tokens, roundings_of(got.isa))
    assert np.isfinite(got.logits).all()
    measured, allowed = layer_distances(exact, got), 1.25 * layer_distances(exact, plain)
    assert (measured <= allowed).all(), (measured / norms(exact), allowed / norms(exact))
    assert (layer_distances(exact, plain) < (0.05 if weights == "w8" else 0.5) * norms(exact)).all()


def test_quantised_weights_give_the_same_whatever_the_threads(folder):
    path = folder("qwen3-f16")
    tokens = some_tokens(Oracle(path).vocab)
    for weights in ("bf16", "w8", "w4"):
        one = dump(path, tokens, weights=weights)
        assert np.array_equal(dump(path, tokens, weights=weights, threads=3).logits, one.logits)


def test_f16_weights_kept_as_bf16_match_rounded_weights(folder):
    path = folder("qwen3-f16")
    oracle = Oracle(path)
    tokens = some_tokens(oracle.vocab)
    for matrix in oracle.weights.values():
        if matrix.values.ndim == 2:
            bits = matrix.values.astype(np.float32).view(np.uint32)
            bits = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
            matrix.values = (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)
            matrix.tiled = True
    got = dump(path, tokens, hidden=True, weights="bf16")
    exact, rounded = oracle.forward(tokens), oracle.forward(tokens, roundings_of(got.isa))
    assert (layer_distances(exact, got) <= tolerances(exact, rounded)).all()
