"""What hussar reads of safetensors files, against the package `safetensors`: every file that the package refuses is refused, and every file
that it accepts is accepted, but for what hussar says no to on purpose (see `refused_on_purpose`). Of numbers, -0 alone is another matter: it
is 0 here and none there."""

import json
import os
import pathlib
import random
import re
import struct
import subprocess

import pytest
import safetensors

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HUSSAR_BINARY", str(ROOT / "build/hussar"))
SEED = int(os.environ.get("HUSSAR_SEED", "20261123"))
SIZES = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1}


def write_file(header, data, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def random_table(rng):
    """A right header and its data's size."""
    header, at = {}, 0
    if rng.random() < 0.3:
        header["__metadata__"] = {"format": "pt", "note": "\u9a91\u5175"}
    for i in range(rng.randint(0, 5)):
        dtype = rng.choice(list(SIZES) if rng.random() < 0.2 else ["F32", "F16", "BF16"])
        shape = [rng.randint(0 if rng.random() < 0.1 else 1, 6) for _ in range(rng.randint(0, 3))]
        size = SIZES[dtype]
        for n in shape:
            size *= n
        header[f"layer.{i}.weight"] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    return header, at


def respell(rng, text):
    """The same header, or nearly, in another spelling."""
    number = rng.choice(["{}.0", "{}e0", "0{}", "+{}", "-{}1", " {} ", "{}\n", "1{}"])
    return rng.choice([
        lambda: " " + text,
        lambda: text + rng.choice([" ", "\n\t\r ", "\0", "\v", "{}", ","]),
        lambda: "\ufeff" + text,
        lambda: re.sub(r"\d+(?=[],])", lambda found: number.format(found[0]), text, count=1),
        lambda: text.replace('"dtype"', rng.choice(['"\\u0064type"', '"x": 1, "dtype"', '"dtype": "F32", "dtype"', "dtype"]), 1),
        lambda: text.replace('"shape"', f'"x": {"[" * (depth := rng.choice([1, 5, 6, 30, 124, 200]))}{"]" * depth}, "shape"', 1),
        lambda: text.replace('"shape": [', '"shape": [' + "1, " * rng.choice([3, 9]), 1),
        lambda: text.replace("layer.0", rng.choice(["\\ud83d\\ude00", "\\ud83d", "\\u006c", "\\x", "\\u0000", "n" * 1200, "n" * 900, "\x7f"])),
        lambda: text.replace("{", rng.choice(['{"__metadata__": ', '{"__metadata__": {}, "__metadata__": '])
                             + rng.choice(["null", "{}", '{"a": null}', '{"a": "1", "a": "2"}', "[]"]) + ", ", 1),
        lambda: re.sub(r'\{"dtype": ("\w+"), "shape": (\[.*?\]), "data_offsets": (\[.*?\])\}', r"[\1, \2, \3]", text, count=1),
    ])().encode()


def spoil(rng, header, size):
    """One thing changed in one tensor, in the data's size or in the header's own bytes."""
    names = [name for name in header if name != "__metadata__"]
    kind = rng.choice(["none", "data", "bytes", "length"] + ["field", "spelling"] * 3)
    text = json.dumps(header).encode()
    if kind == "spelling":
        return write_file(respell(rng, text.decode()), bytes(size))
    if kind == "data":
        return write_file(header, bytes(max(0, size + rng.choice([-1, 1, 8]))))
    if kind == "length":
        return write_file(header, bytes(size), length=max(0, len(text) + rng.choice([-1, 1, -len(text), 2**31, 2**62])))
    if kind == "bytes":
        changed = bytearray(text)
        changed[rng.randrange(len(changed))] = rng.randrange(256)
        return write_file(bytes(changed), bytes(size))
    if kind == "field" and names:
        tensor = header[rng.choice(names)]
        field = rng.choice(["dtype", "shape", "data_offsets"])
        begin, end = tensor["data_offsets"]
        tensor[field] = rng.choice({
            "dtype": ["F32", "BF16", "I64", "F99", 4, None],
            "shape": [[], [2], [-1], [2**63], [2**40, 2**40], [1.5], "2", tensor["shape"] + [1], tensor["shape"] * 2],
            "data_offsets": [[begin, end + 4], [begin + 1, end + 1], [end, begin], [begin], [-1, end], [0, 2**63], [begin, end, end], "0"],
        }[field])
        if rng.random() < 0.2:
            del tensor[field]
    return write_file(header, bytes(size))


def depth_of(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


def refused_on_purpose(data):
    """Whether a file that the package accepts holds what hussar refuses by name."""
    length = struct.unpack("<Q", data[:8])[0]
    if data[8:9] != b"{":
        return True  # as the format demands
    pairs = []
    header = json.loads(data[8 : 8 + length], object_pairs_hook=lambda p: pairs.append([k for k, _ in p]) or dict(p))
    if any(len(set(keys)) != len(keys) for keys in pairs):
        return True  # a name twice
    if depth_of(header) > 8:
        return True
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        if not name or len(name.encode()) > 1024 or any(ord(c) < 32 or ord(c) == 127 for c in name):
            return True  # a name that could forge a line of output, or fill it
        if isinstance(tensor, list):
            return True  # a tensor's members without their names
        if tensor["dtype"] not in ("F32", "F16", "BF16") or 0 in tensor["shape"] or len(tensor["shape"]) > 8:
            return True
    return False


def package_accepts(data):
    try:
        safetensors.deserialize(data)
        return True
    except Exception:  # the package has its own error type, and ValueError for some
        return False


def hussar_accepts(path):
    done = subprocess.run([BINARY, "inspect", "--json", str(path)], capture_output=True, timeout=30)
    assert done.returncode in (0, 2), (done.returncode, done.stderr)
    if done.returncode == 2:
        assert done.stderr.count(b"\n") == 1, done.stderr
        return None
    return json.loads(done.stdout)


def compare(path, data):
    path.write_bytes(data)
    told = hussar_accepts(path)
    if not package_accepts(data):
        assert told is None, "hussar accepts what the package refuses"
        return "refused"
    if refused_on_purpose(data):
        assert told is None, "hussar accepts what it says it refuses"
        return "refused on purpose"
    assert told is not None, "hussar refuses what the package accepts"
    expected = {name: ([int(n) for n in t["shape"]] or [1], len(t["data"])) for name, t in safetensors.deserialize(data)}
    assert {t["name"]: (t["shape"], t["bytes"]) for t in told["tensors"]} == expected
    return "accepted"


@pytest.mark.parametrize("part", range(4))
def test_accepts_and_refuses_as_the_package_does(part, tmp_path):
    rng = random.Random(f"{SEED}-{part}")
    seen = {"accepted": 0, "refused": 0, "refused on purpose": 0}
    for i in range(200):
        data = spoil(rng, *random_table(rng))
        try:
            seen[compare(tmp_path / "file.safetensors", data)] += 1
        except AssertionError as error:
            raise AssertionError(f"seed {SEED}, part {part}, case {i}: {error}\n{data[:2000]!r}") from error
    assert min(seen.values()) > 0, seen  # each outcome is met


def test_the_fuzzers_corpus_too(tmp_path):
    outcomes = {path.name: compare(tmp_path / "file.safetensors", path.read_bytes())
                for path in sorted((ROOT / "fuzz/corpus/safetensors").iterdir())}
    assert outcomes["two.st"] == "accepted" and outcomes["hole.st"] == "refused" and outcomes["twice.st"] == "refused on purpose"
