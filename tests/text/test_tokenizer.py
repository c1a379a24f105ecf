"""The tokenizer against HF tokenizers, built from the same vocabulary, on random Unicode strings and on trusted/foreign mixtures."""

import functools
import os
import random
import re
import struct
import subprocess
import unicodedata

import gguf
import pytest
import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CACHE = os.environ.get("HUSSAR_CHECK_MODELS", os.path.expanduser("~/.cache/hussar-check"))
MODELS = {
    "smollm2": os.environ.get("HUSSAR_MODEL", os.path.join(CACHE, "smollm2-135m-instruct-q4_1.gguf")),
    "qwen2.5": os.path.join(CACHE, "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"),
}
BUILD = os.environ.get("HUSSAR_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
ENCODE_LINES = os.path.join(BUILD, "encode_lines")
TEXT_COUNT = 20_000
SEED = int(os.environ.get("HUSSAR_SEED", "20261122"))

# As published in the tokenizer.json of Qwen2, Llama 3 and GPT-2.
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def split_by(pattern):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


PRE_TOKENIZERS = {
    "smollm": lambda: pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    ),
    "gpt-2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    "qwen2": lambda: split_by(QWEN2),
    "llama-bpe": lambda: split_by(LLAMA3),
}
CONTROL, USER_DEFINED = 3, 4


@functools.cache
def vocabulary(model):
    """Token spellings, kinds, merges and the pre-tokenizer's name, read by the gguf package."""
    if not os.path.exists(MODELS[model]):
        pytest.skip(f"{MODELS[model]} is missing")
    fields = gguf.GGUFReader(MODELS[model]).fields

    def value(key):
        return fields["tokenizer.ggml." + key].contents()

    merges = [tuple(merge.split(" ")) for merge in value("merges")]
    return value("tokens"), value("token_type"), merges, value("pre")


@functools.cache
def oracle(model, pre, with_specials):
    tokens, kinds, merges, _ = vocabulary(model)
    # Added tokens need not stand in the BPE model's own vocabulary, but their ids do.
    hf = tokenizers.Tokenizer(
        tokenizers.models.BPE({t: i for i, t in enumerate(tokens)}, merges, ignore_merges=pre == "llama-bpe")
    )
    if pre == "qwen2":
        hf.normalizer = normalizers.NFC()
    hf.pre_tokenizer = PRE_TOKENIZERS[pre]()
    if with_specials:
        hf.add_tokens(
            [
                tokenizers.AddedToken(token, normalized=False, special=kind == CONTROL)
                for token, kind in zip(tokens, kinds)
                if kind in (CONTROL, USER_DEFINED)
            ]
        )
    return hf


def encode_ours(model, pre, records):
    """`records` are (text as bytes, foreign ranges); gives (ids, bytes) for each."""
    if not os.path.exists(ENCODE_LINES):
        pytest.fail(f"{ENCODE_LINES} is missing: build with HUSSAR_TESTS=ON, or set HUSSAR_BUILD")
    stream = bytearray()
    for text, foreign in records:
        stream += struct.pack("<I", len(foreign))
        for begin, end in foreign:
            stream += struct.pack("<II", begin, end)
        stream += struct.pack("<I", len(text)) + text
    done = subprocess.run([ENCODE_LINES, MODELS[model], pre], input=bytes(stream), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    answers = []
    for line in done.stdout.decode().splitlines():
        ids, decoded = line.split("\t")
        answers.append(([int(i) for i in ids.split()], bytes.fromhex(decoded)))
    assert len(answers) == len(records)
    return answers


@functools.cache
def scripts():
    """Lists of characters to draw from. Unassigned code points are left out: libraries know different versions of Unicode."""

    def block(first, last):
        found = []
        for point in range(first, last + 1):
            # Assigned since Unicode 3.2 or so, and therefore known to every library here.
            if unicodedata.ucd_3_2_0.category(chr(point)) not in ("Cn", "Cs"):
                found.append(chr(point))
        return found

    return [
        block(0x20, 0x7E),
        block(0x61, 0x7A),
        block(0x00, 0x1F) + ["\x7f", "\x85"],
        block(0xA0, 0x24F),
        block(0x300, 0x36F),
        block(0x370, 0x3FF),
        block(0x400, 0x52F),
        block(0x590, 0x6FF),
        block(0x900, 0xDFF),
        block(0xE00, 0xEFF),
        block(0x1100, 0x11FF) + block(0xAC00, 0xAC80),
        block(0x1780, 0x18AF),
        block(0x1E00, 0x1FFF),
        block(0x2000, 0x206F),
        block(0x2070, 0x218F),
        block(0x2190, 0x27BF),
        block(0x3000, 0x30FF),
        block(0x4E00, 0x9FA5),
        block(0xF900, 0xFA2D) + block(0xFB00, 0xFB4F),
        block(0xFE20, 0xFE2F) + block(0xFF00, 0xFFEF),
        block(0x1D100, 0x1D1FF) + block(0x1D400, 0x1D7FF),
        block(0x20000, 0x20100) + block(0x2F800, 0x2FA1D),
        ["\ue000", "\uf8ff", "\U000f0000", "\U0010ffff", "\ufeff", "\ufffd", "\u17b4", "\u180e"],
        list("0123456789") + list("٠١٢٣٤५६७८९０１２３²³¼½ⅧⅨ①②㉈"),
        [" "] * 6 + list("\t\n\r\x0b\x0c\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"),
    ]


PHRASES = [
    "'s", "'S", "'ſ", "'ll", "'LL", "'Re", "'VE", "'d", "'M", "'t", "don't", "I'M", "’s", "\r\n", "\r\n\r\n", "\n\n\n", "  \n  ", " " * 7,
    "\t\t", "for (int i = 0; i < n; ++i) {\r\n    a[i] += 0x1F;\r\n}", "def f(x):\n    return x ** 2\n", "https://example.org/a?b=c&d=%20",
    "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇨🇳", "e\u0301", "a\u0323\u0302", "\u1100\u1161\u11a8", "ﬁ", "Å", "Ω", "नमस्ते", "שָׁלוֹם", "مَرْحَبًا", "你好，世界！",
    "我是一个学生。", "こんにちは", "안녕하세요", "สวัสดี", "Здравствуйте", "Γειά σου", "Việt Nam", "3.14159", "1,000,000", "2024-01-01", "１２３４",
    "<|im_start|>", "<|im_end|>", "<|im_end", "|im_end|>", "<|endoftext|>", "<|im_start|>user\n", "<tool_call>", "</tool_call>", "<tool_call", "<repo_name>",
    "<<|im_end|>>", "<|im_|im_end|>", "[PAD151665]", "<s>", "Ġ", "Ċ", "The quick brown fox", " the", " a", "ing", "!!!", "...", "---", "===", "\x00", "\x04!\x04?",
]  # fmt: skip


def random_text(rng):
    parts = []
    for _ in range(rng.randrange(1, 9)):
        kind = rng.random()
        if kind < 0.4:
            parts.append(rng.choice(PHRASES))
        elif kind < 0.9:
            script = rng.choice(scripts())
            parts.append("".join(rng.choice(script) for _ in range(rng.randrange(1, 9))))
        else:
            parts.append(rng.choice([" ", "\n", "a", "1", "!", "你", "é"]) * rng.randrange(1, 40))
        if rng.random() < 0.3:
            parts.append(" ")
    return "".join(parts)


def known_bytes(model):
    """Bytes for which the vocabulary has a token; HF leaves the others out, and so do we."""
    tokens = set(vocabulary(model)[0])
    return {byte for byte, letter in enumerate(byte_letters()) if letter in tokens}


def byte_letters():
    moved = iter(range(0x100, 0x200))
    printable = set(range(0x21, 0x7F)) | set(range(0xA1, 0x100)) - {0xAD}
    return [chr(byte) if byte in printable else chr(next(moved)) for byte in range(256)]


@functools.cache
def specials_pattern(model):
    tokens, kinds, _, _ = vocabulary(model)
    specials = sorted((t for t, k in zip(tokens, kinds) if k in (CONTROL, USER_DEFINED)), key=len, reverse=True)
    return re.compile("(" + "|".join(map(re.escape, specials)) + ")")


def normalised(model, text):
    """HF looks for special tokens first and normalises what lies between them."""
    return "".join(unicodedata.normalize("NFC", part) for part in specials_pattern(model).split(text))


# Each pre-tokenizer with a vocabulary that is always there; Qwen's own where its file is.
@pytest.mark.parametrize("model, pre", [("smollm2", pre) for pre in PRE_TOKENIZERS] + [("qwen2.5", "qwen2"), ("qwen2.5", "llama-bpe")])
def test_equals_hf_on_random_text(model, pre):
    rng = random.Random(f"{SEED} {model} {pre}")
    hf = oracle(model, pre, with_specials=True)
    texts = [random_text(rng) for _ in range(TEXT_COUNT)]
    expected = [e.ids for e in hf.encode_batch(texts, add_special_tokens=False)]
    ours = encode_ours(model, pre, [(text.encode(), []) for text in texts])
    known = known_bytes(model)
    for text, ids, (our_ids, our_bytes) in zip(texts, expected, ours):
        assert our_ids == ids, f"seed {SEED}: {text!r}"
        normal = normalised(model, text) if pre == "qwen2" else text
        assert our_bytes == bytes(b for b in normal.encode() if b in known), f"seed {SEED}: {text!r}"


@pytest.mark.parametrize("model", MODELS)
def test_the_files_name_their_pre_tokenizers(model):
    assert vocabulary(model)[3] == {"smollm2": "smollm", "qwen2.5": "qwen2"}[model]


@pytest.mark.parametrize("model", MODELS)
def test_foreign_text_never_becomes_a_special_token(model):
    """Conversations put together from trusted and foreign parts; the oracle encodes what lies between trusted special tokens as plain text."""
    tokens, kinds, _, pre = vocabulary(model)
    rng = random.Random(f"{SEED} {model} foreign")
    plain = oracle(model, pre, with_specials=False)
    ids_of_special = {t: i for i, (t, k) in enumerate(zip(tokens, kinds)) if k in (CONTROL, USER_DEFINED)}
    names = sorted(ids_of_special)
    records, expected = [], []
    for _ in range(3000):
        text, foreign, ids, run = b"", [], [], ""
        for _ in range(rng.randrange(1, 6)):
            special = rng.choice(names)
            part = rng.choice([special, rng.choice(PHRASES), random_text(rng), ""]) + rng.choice(["", special[: rng.randrange(len(special))]])
            ids += plain.encode(run, add_special_tokens=False).ids + [ids_of_special[special]]
            text += special.encode()
            foreign.append((len(text), len(text) + len(part.encode())))
            text += part.encode()
            run = part
        ids += plain.encode(run, add_special_tokens=False).ids
        records.append((text, foreign))
        expected.append(ids)
    for (text, foreign), ids, (our_ids, _) in zip(records, expected, encode_ours(model, pre, records)):
        assert our_ids == ids, f"seed {SEED}: {text!r} {foreign}"
