"""tokenizer.json against HF tokenizers, which reads the very same file: ids and text on random Unicode strings.

Qwen3's own file, which tools/setup fetches; and files that are made here from the vocabularies of the two GGUF models, in the shapes in which the
supported families publish theirs, with added tokens of every kind, merges in both spellings, and a token that is put in front.
"""

import json
import os
import random
import struct
import subprocess

import pytest
import tokenizers
from test_tokenizer import CONTROL, ENCODE_LINES, PHRASES, PRE_TOKENIZERS, SEED, USER_DEFINED, random_text, vocabulary
from tokenizers import AddedToken, decoders, normalizers, processors

QWEN3 = os.environ.get("HUSSAR_QWEN3_TOKENIZER", os.path.join(os.path.dirname(__file__), "../../build/models/qwen3-tokenizer"))
# content, special, lstrip, rstrip, normalized: what no published file of these families has all of.
ODD_TOKENS = [
    ("<|left|>", True, True, False, False),
    ("<|right|>", True, False, True, False),
    ("<both>", False, True, True, False),
    ("<plain>", False, False, False, False),
    ("<normal>", False, False, False, True),
    ("<normal left>", False, True, False, True),
    ("<|normal right|>", True, False, True, True),
    ("<|normal|>", True, False, False, True),
    ("<norm", False, False, False, True),
    ("al>", False, False, False, False),
    ("<思考>", False, False, False, False),
    ("d\u00e9j\u00e0 vu", False, False, False, True),
    ("u\u0308ber \u200b", False, False, False, True),  # not in normal form; a letter that is in no byte alphabet
    ("\u212bngstr\u00f6m →", False, False, False, False),
    ("  ", False, False, False, False),
    ("\n\n\n", False, False, False, True),
    ("hello world", False, False, False, True),
]
ODD_PHRASES = [content for content, *_ in ODD_TOKENS] + [
    " <|left|>", "\u00a0\u2003<|left|> ", "<|right|> \t\u3000\r\n", " \n<both>\x1c ", "\x1f<|left|>", "<normal>\u0338", "<normal>\u0301x", "<norm\u0308al>",
    "<normal\u226f", "<\u0338plain>", "de\u0301ja\u0300 vu", "d\u00e9ja\u0300 vu", "\u00fcber \u200b", "u\u0308ber \u200b\u0301", "\u00c5ngstr\u00f6m →",
    "\u212bngstro\u0308m →", "<norm al>", "   ", " <|normal right|>  <|left|> ", "<both><both>", "<|left|>  <|left|>", "<|right|>  <|right|>",
]  # fmt: skip


def make_file(folder, model, pre, *, nfc=None, ignore_merges=None, odd=False, in_front=None, merges_as_text=False, specials_in_vocab=True):
    """Writes tokenizer.json and returns its path. None leaves a choice as the family has it."""
    tokens, kinds, merges, _ = vocabulary(model)
    special = {i for i, kind in enumerate(kinds) if kind in (CONTROL, USER_DEFINED)}
    named = [i for i, kind in enumerate(kinds) if kind == CONTROL or kind == USER_DEFINED]
    last = max(i for i, kind in enumerate(kinds) if kind != 5)  # the rows that fill the embedding up are in no file
    vocab = {t: i for i, t in enumerate(tokens[: last + 1]) if specials_in_vocab or i not in special}
    hf = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocab, merges, ignore_merges=(pre == "llama-bpe") if ignore_merges is None else ignore_merges)
    )
    if (pre == "qwen2") if nfc is None else nfc:
        hf.normalizer = normalizers.NFC()
    hf.pre_tokenizer = PRE_TOKENIZERS[pre]()
    hf.decoder = decoders.ByteLevel()
    hf.add_tokens([AddedToken(tokens[i], special=kinds[i] == CONTROL, normalized=False) for i in named])
    if odd:
        hf.add_tokens(
            [
                AddedToken(content, special=special, lstrip=lstrip, rstrip=rstrip, normalized=normalized)
                for content, special, lstrip, rstrip, normalized in ODD_TOKENS
            ]
        )
    hf.post_processor = processors.ByteLevel(trim_offsets=False)
    if in_front:
        template = processors.TemplateProcessing(
            single=f"{in_front} $A", pair=f"{in_front} $A {in_front}:1 $B:1", special_tokens=[(in_front, hf.token_to_id(in_front))]
        )
        hf.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    document = json.loads(hf.to_str())
    if merges_as_text:
        document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
    path = str(folder / "tokenizer.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=bool(merges_as_text))
    return path


def encode_ours(path, texts, *flags):
    if not os.path.exists(ENCODE_LINES):
        pytest.fail(f"{ENCODE_LINES} is missing: build with HUSSAR_TESTS=ON, or set HUSSAR_BUILD")
    stream = b"".join(struct.pack("<II", 0, len(text)) + text for text in (t.encode() for t in texts))
    done = subprocess.run([ENCODE_LINES, path, *flags], input=stream, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    answers = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert len(answers) == len(texts)
    return [([int(i) for i in ids.split()], bytes.fromhex(decoded)) for ids, decoded in answers]


def text_with(phrases, rng):
    if rng.random() < 0.3:
        return random_text(rng)
    return "".join(
        rng.choice(phrases) if rng.random() < 0.6 else random_text(rng) if rng.random() < 0.3 else rng.choice(["", " ", "a", "1", "\n", "é", "\u0301"])
        for _ in range(rng.randrange(1, 7))
    )


CASES = {
    # As published.
    "smollm2": (20_000, "smollm2", "smollm", {}),
    "qwen2.5": (5_000, "qwen2.5", "qwen2", {"specials_in_vocab": False}),
    "qwen2.5 with old merges": (3_000, "qwen2.5", "qwen2", {"specials_in_vocab": False, "merges_as_text": True}),
    "llama 3": (5_000, "smollm2", "llama-bpe", {"in_front": "<|im_start|>"}),
    "gpt-2": (5_000, "smollm2", "gpt-2", {"merges_as_text": True}),
    # Every ability at once.
    "odd smollm": (5_000, "smollm2", "smollm", {"odd": True}),
    "odd smollm in normal form": (5_000, "smollm2", "smollm", {"odd": True, "nfc": True, "ignore_merges": True}),
    "odd qwen2": (10_000, "smollm2", "qwen2", {"odd": True, "in_front": "<|endoftext|>"}),
    "odd llama": (5_000, "smollm2", "llama-bpe", {"odd": True, "nfc": True, "ignore_merges": False}),
}


def assert_equal(name, path, phrases, count, in_front=None):
    hf = tokenizers.Tokenizer.from_file(path)
    rng = random.Random(f"{SEED} {name}")
    texts = [text_with(phrases, rng) for _ in range(count)]
    expected = [e.ids for e in hf.encode_batch(texts)]
    decoded = hf.decode_batch(expected, skip_special_tokens=False)
    ours = encode_ours(path, texts, *(["add"] if in_front else []))
    first = hf.token_to_id(in_front) if in_front else -1
    for text, ids, text_again, (our_ids, our_bytes) in zip(texts, expected, decoded, ours):
        # The one deliberate difference: a text that begins with the token gets no second one.
        doubled = ids[:2] == [first, first]
        assert our_ids == ids[doubled:], f"seed {SEED}: {text!r}"
        assert ("", in_front)[doubled] + our_bytes.decode(errors="replace") == text_again, f"seed {SEED}: {text!r}"


@pytest.mark.parametrize("name", CASES)
def test_equals_hf(name, tmp_path):
    count, model, pre, options = CASES[name]
    path = make_file(tmp_path, model, pre, **options)
    phrases = PHRASES + ODD_PHRASES * 3 if options.get("odd") else PHRASES
    assert_equal(name, path, phrases, count, options.get("in_front"))


def test_equals_hf_on_a_published_file():
    path = os.path.join(QWEN3, "tokenizer.json")
    if not os.path.exists(path):
        pytest.skip(f"{path} is missing: tools/setup test fetches it")
    with open(path, encoding="utf-8") as file:
        added = [token["content"] for token in json.load(file)["added_tokens"]]
    assert_equal("qwen3", path, PHRASES + added, 20_000)
