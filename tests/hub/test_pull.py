"""hussar pull against hubs that behave and hubs that don't."""

import hashlib
import json
import os
import pty
import random
import re
import signal
import subprocess
import time

import pytest

from hub_fixtures import BINARY, hussar, make_hub  # noqa: F401: fixtures
from local_hub import COMMIT

MEGABYTE = 1 << 20


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


WEIGHTS = noise(9 * MEGABYTE + 123)


@pytest.fixture
def gguf_hub(make_hub):
    return make_hub({"model-q8_0.gguf": WEIGHTS, "README.md": b"hello", ".gitattributes": b"x"})


def folder(hussar, name="owner+model"):
    return hussar.models / name


def files_in(path):
    return sorted(file.name for file in path.iterdir())


def assert_installed(hussar, data=WEIGHTS, file="model-q8_0.gguf"):
    assert (folder(hussar) / file).read_bytes() == data
    assert files_in(folder(hussar)) == sorted([".lock", "manifest.json", file])


def assert_refused(result, *words):
    """One clear line, and the exit code of an error."""
    assert result.code == 2, (result.code, result.out, result.err)
    lines = [line for line in result.err.splitlines() if line.startswith("hussar pull: ")]
    assert len(lines) == 1, result.err
    for word in words:
        assert word in lines[0], lines[0]


def manifest(hussar, name="owner+model"):
    return json.loads((folder(hussar, name) / "manifest.json").read_text())


def file_requests(hub):
    return [request for request in hub.requests if request.file]


def test_a_gguf_file_in_ranges(hussar, gguf_hub):
    result = hussar.pull(gguf_hub)
    assert result.code == 0, result.err
    assert_installed(hussar)
    ranges = [request.headers["Range"] for request in file_requests(gguf_hub)]
    assert len(ranges) == 4 and len(set(ranges)) == 4 and None not in ranges
    written = manifest(hussar)
    assert written["revision"] == COMMIT and written["repository"] == "owner/model" and written["source"] == gguf_hub.url
    assert written["files"] == [{"name": "model-q8_0.gguf", "size": len(WEIGHTS), "sha256": hashlib.sha256(WEIGHTS).hexdigest()}]
    # A second time nothing is asked.
    before = len(gguf_hub.requests)
    assert "already" in hussar.pull(gguf_hub).out
    assert len(gguf_hub.requests) == before


SAFETENSORS = {
    "config.json": b"{}", "generation_config.json": b"{ }", "tokenizer.json": b'{"a": 1}', "tokenizer_config.json": b"{}",
    "model.safetensors": noise(300_000, 2), "chat_template.jinja": b"",
}
UNWANTED = {"README.md": b"#", "pytorch_model.bin": b"no", "onnx/model.onnx": b"no", "original/model.safetensors": b"no",
            "consolidated.safetensors": b"no", ".gitattributes": b"no", "model.pth": b"no"}


@pytest.mark.parametrize("hub_name", ["hf", "modelscope"])
def test_a_safetensors_folder_from_both_hubs(hussar, make_hub, hub_name):
    hub = make_hub(SAFETENSORS | UNWANTED, lfs=["model.safetensors"])
    result = hussar.pull(hub, "owner/model", "--from", hub_name)
    assert result.code == 0, result.err
    assert files_in(folder(hussar)) == sorted([*SAFETENSORS, ".lock", "manifest.json"])
    for name, data in SAFETENSORS.items():
        assert (folder(hussar) / name).read_bytes() == data
    assert manifest(hussar)["revision"] == (COMMIT if hub_name == "hf" else "master")


def test_shards_and_their_index(hussar, make_hub):
    shards = {"config.json": b"{}", "model.safetensors.index.json": b"{}", "model-00001-of-00002.safetensors": noise(1000),
              "model-00002-of-00002.safetensors": noise(2000)}
    assert hussar.pull(make_hub(shards | {"consolidated.safetensors": b"no"})).code == 0
    assert files_in(folder(hussar)) == sorted([*shards, ".lock", "manifest.json"])


def test_a_listing_in_pages_stays_with_the_mirror(hussar, gguf_hub):
    gguf_hub.page_files = 1
    assert hussar.pull(gguf_hub).code == 0
    assert_installed(hussar)


def test_quantisations(hussar, make_hub):
    hub = make_hub({f"m-{quant}.gguf": quant.encode() * 10 for quant in ("q4_k_m", "q4_k_s", "Q8_0", "iq4_xs")})
    assert_refused(hussar.pull(hub), "m-q4_k_m.gguf", "m-Q8_0.gguf", ":q8_0")
    assert_refused(hussar.pull(hub, "owner/model:q5_0"), "q5_0", "m-q4_k_s.gguf")
    assert_refused(hussar.pull(hub, "owner/model:q4_k"), "m-q4_k_m.gguf")
    assert hussar.pull(hub, "owner/model:q8_0").code == 0
    assert hussar.pull(hub, "owner/model:m-q4_k_s.gguf").code == 0
    listed = [json.loads(line) for line in hussar.run("list", "--json").out.splitlines()]
    assert [model["name"] for model in listed] == ["owner/model:m-q4_k_s.gguf", "owner/model:q8_0"]


def test_ten_cuts_and_a_kill_end_with_the_right_bytes(hussar, gguf_hub):
    cuts = []

    def faults(request):
        if request.file and len(cuts) < 10:
            with gguf_hub.lock:
                cuts.append(request)
            request.send_file(WEIGHTS, cut_after=200_000 + 10_000 * len(cuts))
            return True
        if request.file:
            request.send_file(WEIGHTS, bytes_per_second=500_000)
            return True
        return None

    gguf_hub.faults = faults
    process = hussar.start("pull", "owner/model", "--mirror", gguf_hub.url, "--retry-ms", "20", "--attempts-max", "20")
    journal = folder(hussar) / "model-q8_0.gguf.journal"
    deadline = time.monotonic() + 30
    while len(cuts) < 10 or journal.read_text().count("\n") < 6:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert not (folder(hussar) / "manifest.json").exists()
    assert hussar.run("list", "--json").out == ""
    gguf_hub.faults = lambda request: None
    gguf_hub.sent.clear()
    result = hussar.pull(gguf_hub)
    assert result.code == 0, result.err
    assert_installed(hussar)
    assert gguf_hub.sent["model-q8_0.gguf"] < len(WEIGHTS) - MEGABYTE, "what was there was brought again"


def test_ctrl_c_stops_and_the_next_pull_goes_on(hussar, gguf_hub):
    gguf_hub.faults = lambda request: request.file and (request.send_file(WEIGHTS, bytes_per_second=300_000) or True)
    process = hussar.start("pull", "owner/model", "--mirror", gguf_hub.url)
    while gguf_hub.sent["model-q8_0.gguf"] < MEGABYTE:
        time.sleep(0.02)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130 and "goes on where it was" in err
    assert time.monotonic() - began < 3
    gguf_hub.faults = lambda request: None
    gguf_hub.sent.clear()
    assert hussar.pull(gguf_hub).code == 0
    assert_installed(hussar)
    assert gguf_hub.sent["model-q8_0.gguf"] < len(WEIGHTS) - MEGABYTE // 2


def test_a_changed_file_starts_anew(hussar, gguf_hub):
    gguf_hub.faults = lambda request: request.file and (request.send_file(WEIGHTS, cut_after=400_000) or True)
    assert_refused(hussar.pull(gguf_hub, "owner/model", "--attempts-max", "1", "--retry-ms", "1"))
    other = noise(len(WEIGHTS), 7)
    gguf_hub.files["model-q8_0.gguf"] = other
    gguf_hub.faults = lambda request: None
    assert hussar.pull(gguf_hub).code == 0
    assert_installed(hussar, other)


def test_a_damaged_journal_costs_only_time(hussar, gguf_hub):
    gguf_hub.faults = lambda request: request.file and (request.send_file(WEIGHTS, cut_after=400_000) or True)
    hussar.pull(gguf_hub, "owner/model", "--attempts-max", "1", "--retry-ms", "1")
    journal = folder(hussar) / "model-q8_0.gguf.journal"
    journal.write_text(journal.read_text() + "12 5\n-1 9\n0 99999999999999999999\nx\n0 100000")
    gguf_hub.faults = lambda request: None
    assert hussar.pull(gguf_hub).code == 0
    assert_installed(hussar)


def test_a_wrong_hash_is_deleted_and_tried_once_more(hussar, gguf_hub):
    wrong = bytearray(WEIGHTS)
    wrong[5_000_000] ^= 1
    gguf_hub.faults = lambda request: request.file and (request.send_file(bytes(wrong)) or True)
    result = hussar.pull(gguf_hub)
    assert_refused(result, "another checksum", "twice")
    assert "once more from the start" in result.err
    assert files_in(hussar.models) == []
    # Wrong once only: the second try is right.
    tries = []

    def once(request):
        if request.file:
            tries.append(request)
            if len(tries) <= 4:
                request.send_file(bytes(wrong))
                return True
        return None

    gguf_hub.faults = once
    assert hussar.pull(gguf_hub).code == 0
    assert_installed(hussar)


def test_small_files_are_checked_by_gits_checksum(hussar, make_hub):
    hub = make_hub(SAFETENSORS, lfs=["model.safetensors"])
    hub.faults = lambda request: request.file == "config.json" and (request.send_file(b"[]") or True)
    assert_refused(hussar.pull(hub), "config.json", "git:")


def test_a_redirect_loop_ends(hussar, gguf_hub):
    gguf_hub.faults = lambda request: request.file and (request.redirect(request.path) or True)
    assert_refused(hussar.pull(gguf_hub), "more than 5 redirects")
    assert len(file_requests(gguf_hub)) <= 4 * 6


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://", "javascript:1"])
def test_a_redirect_to_another_protocol_is_refused(hussar, gguf_hub, target):
    gguf_hub.faults = lambda request: request.file and (request.redirect(target) or True)
    assert_refused(hussar.pull(gguf_hub), "redirect")


def test_the_token_stays_with_its_host(hussar, gguf_hub, make_hub, tmp_path):
    store = make_hub(gguf_hub.files)
    gguf_hub.faults = lambda request: request.file and (request.redirect(store.url + request.path) or True)
    token = tmp_path / "token"
    token.write_text("  hf_secret123\n")
    result = hussar.pull(gguf_hub, "owner/model", "--token-file", token)
    assert result.code == 0, result.err
    assert_installed(hussar)
    assert {request.headers.get("Authorization") for request in gguf_hub.requests} == {"Bearer hf_secret123"}
    assert store.requests and {request.headers.get("Authorization") for request in store.requests} == {None}
    everything = result.out + result.err + "".join(
        file.read_text() for file in folder(hussar).iterdir() if file.suffix in (".json", ".lock"))
    assert "secret" not in everything


@pytest.mark.parametrize("text", ["", "two words", "line\r\nX-Evil: 1", "x" * 5000, "\x01"])
def test_a_bad_token_file_is_refused(hussar, gguf_hub, tmp_path, text):
    token = tmp_path / "token"
    token.write_text(text)
    assert_refused(hussar.pull(gguf_hub, "owner/model", "--token-file", token), str(token))
    assert not gguf_hub.requests


@pytest.mark.parametrize("status, words", [(401, ["--token-file"]), (403, ["--token-file"]), (404, ["404"])])
def test_refusals_are_one_line_and_not_repeated(hussar, gguf_hub, status, words):
    gguf_hub.faults = lambda request: request.send_status(status) or True
    assert_refused(hussar.pull(gguf_hub), "owner/model", gguf_hub.url, *words)
    assert len(gguf_hub.requests) == 1


def test_a_busy_hub_is_asked_again_when_it_says(hussar, gguf_hub):
    times = []

    def faults(request):
        times.append(time.monotonic())
        if len(times) == 1:
            request.send_status(429, {"Retry-After": "1"})
            return True
        if len(times) == 2:
            request.send_status(503)
            return True
        return None

    gguf_hub.faults = faults
    assert hussar.pull(gguf_hub).code == 0
    assert times[1] - times[0] >= 1
    assert_installed(hussar)


def test_a_hub_that_stays_busy_is_given_up(hussar, gguf_hub):
    gguf_hub.faults = lambda request: request.send_status(429) or True
    assert_refused(hussar.pull(gguf_hub), "429")
    assert len(gguf_hub.requests) == 3
    gguf_hub.requests.clear()
    gguf_hub.faults = lambda request: request.send_status(429, {"Retry-After": "100000"}) or True
    assert_refused(hussar.pull(gguf_hub), "429")
    assert len(gguf_hub.requests) == 1


def test_a_stalled_connection_is_left(hussar, gguf_hub):
    stalled = []

    def faults(request):
        if request.file and not stalled:
            stalled.append(request)
            request.send_file(WEIGHTS, bytes_per_second=200)
            return True
        return None

    gguf_hub.faults = faults
    began = time.monotonic()
    assert hussar.pull(gguf_hub, "owner/model", "--stall-s-max", "1", "--attempts-max", "3", "--retry-ms", "20").code == 0
    assert time.monotonic() - began < 20
    assert_installed(hussar)


def test_wrong_lengths_are_refused(hussar, gguf_hub):
    gguf_hub.faults = lambda request: request.file and (request.send_file(WEIGHTS[:-1]) or True)
    assert_refused(hussar.pull(gguf_hub), "another length")
    gguf_hub.faults = lambda request: request.file and (request.send_file(WEIGHTS + b"x") or True)
    assert_refused(hussar.pull(gguf_hub), "another length")


def test_a_server_without_ranges(hussar, gguf_hub):
    gguf_hub.ranges = False
    assert hussar.pull(gguf_hub).code == 0
    assert_installed(hussar)


def test_a_server_without_ranges_that_always_cuts_is_given_up(hussar, gguf_hub):
    gguf_hub.ranges = False
    gguf_hub.faults = lambda request: request.file and (request.send_file(WEIGHTS, cut_after=500_000) or True)
    assert_refused(hussar.pull(gguf_hub), "model-q8_0.gguf")
    assert len(file_requests(gguf_hub)) < 12


@pytest.mark.parametrize("path", ["../evil.gguf", "/etc/evil.gguf", "a/../../evil.gguf", "a\nb.gguf", "", "a//b", "./x.gguf",
                                  "x" * 2000])
@pytest.mark.parametrize("hub_name", ["hf", "modelscope"])
def test_a_path_that_leaves_the_folder_is_refused(hussar, gguf_hub, tmp_path, path, hub_name):
    if hub_name == "hf":
        gguf_hub.listing = json.dumps([*gguf_hub.tree(), {"type": "file", "oid": "0" * 40, "size": 1, "path": path}]).encode()
    else:
        listing = gguf_hub.model_scope_files()
        listing["Data"]["Files"].append({"Type": "blob", "Path": path, "Size": 1, "Sha256": "0" * 64})
        gguf_hub.listing = json.dumps(listing).encode()
    assert_refused(hussar.pull(gguf_hub, "owner/model", "--from", hub_name), "path")
    assert files_in(tmp_path) == ["models"] and files_in(hussar.models) == []


def test_odd_names_are_left_out(hussar, make_hub):
    odd = {name: b"no" for name in ("a\\evil.gguf", ".hidden.gguf", "-flag.gguf", "a b.gguf", "sub/other.gguf", "é.gguf", "x:y.gguf")}
    hub = make_hub(odd | {"model-q8_0.gguf": WEIGHTS})
    assert hussar.pull(hub).code == 0
    assert_installed(hussar)


SHA = "0" * 64


@pytest.mark.parametrize("listing, words", [
    (b"", "malformed"),
    (b"not json", "malformed"),
    (b"{}", "no files"),
    (b"[" * 100, "malformed"),
    (b"[1]", "path"),
    (b'[{"type": "file", "path": "m.gguf"}]', "size"),
    (b'[{"type": "file", "path": "m.gguf", "size": -1, "oid": "0"}]', "size"),
    (b'[{"type": "file", "path": "m.gguf", "size": 1.5, "oid": "0"}]', "size"),
    (b'[{"type": "file", "path": "m.gguf", "size": 99999999999999999999, "oid": "0"}]', "size"),
    (b'[{"type": "file", "path": "m.gguf", "size": 1, "oid": "xyz"}]', "checksum"),
    (b'[{"type": "file", "path": "m.gguf", "size": 1, "lfs": {"size": 1, "oid": 5}}]', "checksum"),
    (b"[]", "neither safetensors nor GGUF"),
    (json.dumps([{"type": "file", "path": "m.gguf", "size": 1, "oid": "0" * 40}] * 2).encode(), "twice"),
    (json.dumps([{"type": "file", "path": f"{i}.gguf", "size": 1, "oid": "0" * 40} for i in range(20_001)]).encode(), "more than 20000"),
    (b"[" + b" " * (9 << 20) + b"]", "longer than"),
    (json.dumps([{"type": "file", "path": "m-00001-of-00002.gguf", "size": 1, "oid": "0" * 40}]).encode(), "parts"),
], ids=lambda value: str(value)[:40])
def test_hostile_listings(hussar, gguf_hub, listing, words):
    gguf_hub.listing = listing
    assert_refused(hussar.pull(gguf_hub), words)


def test_a_full_disk_is_seen_before_anything_is_brought(hussar, gguf_hub):
    gguf_hub.listing = json.dumps(
        [{"type": "file", "path": "m.gguf", "oid": "0" * 40, "size": 1, "lfs": {"oid": SHA, "size": 1 << 49}}]).encode()
    assert_refused(hussar.pull(gguf_hub), "room on the disk", "562950.0 GB and 17 MB to spare are needed")
    assert not file_requests(gguf_hub)


def test_two_pulls_at_once(hussar, gguf_hub):
    gguf_hub.faults = lambda request: request.file and (request.send_file(WEIGHTS, bytes_per_second=1_000_000) or True)
    first = hussar.start("pull", "owner/model", "--mirror", gguf_hub.url)
    while not gguf_hub.sent["model-q8_0.gguf"]:
        time.sleep(0.02)
    assert_refused(hussar.pull(gguf_hub), "another hussar")
    assert hussar.run("rm", "owner/model", "--yes").code == 2
    assert first.communicate(timeout=60) and first.returncode == 0
    assert_installed(hussar)


def test_no_connection_says_what_to_do(hussar, make_hub):
    hub = make_hub({})
    hub.close()
    assert_refused(hussar.pull(hub), hub.url, "--model /path/to/file.gguf", "--mirror")


def test_a_name_that_no_server_knows_says_what_to_do(hussar):
    assert_refused(hussar.run("pull", "owner/model", "--mirror", "http://hub.invalid", "--retry-ms", "10", "--attempts-max", "3"),
                   "hub.invalid", "--model /path/to/file.gguf")


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b/c", "/etc", "a/..", "a b", "owner/repo:../x", "owner/repo:", "-x/y", "a/.b", "é", "x" * 200])
def test_bad_names_ask_nobody(hussar, gguf_hub, name):
    result = hussar.run("pull", "--mirror", gguf_hub.url, "--", name)
    assert_refused(result, "name")
    assert not gguf_hub.requests


def test_unknown_names_list_the_known(hussar):
    assert_refused(hussar.run("pull", "qwen9"), "qwen2.5-0.5b-instruct-gguf", "smollm2-135m-instruct")


@pytest.mark.parametrize("mirror", ["ftp://x", "x", "http://user:secret@x", "http://x?y", "http://", "https://x#y"])
def test_bad_mirrors(hussar, mirror):
    result = hussar.run("pull", "owner/model", "--mirror", mirror)
    assert_refused(result, "--mirror")


def test_a_token_never_goes_over_plain_http(hussar, tmp_path):
    token = tmp_path / "token"
    token.write_text("hf_secret")
    assert_refused(hussar.run("pull", "owner/model", "--mirror", "http://hub.invalid", "--token-file", token), "https only")


def test_list_show_and_rm(hussar, gguf_hub):
    assert "no models" in hussar.run("list").out
    assert hussar.run("show", "owner/model").code == 2
    assert hussar.pull(gguf_hub).code == 0
    assert "owner/model" in hussar.run("list").out
    shown = hussar.run("show", "owner/model").out
    assert hashlib.sha256(WEIGHTS).hexdigest() in shown and COMMIT in shown and gguf_hub.url in shown
    as_json = json.loads(hussar.run("show", "owner/model", "--json").out)
    assert as_json["path"] == str(folder(hussar) / "model-q8_0.gguf")
    unsure = hussar.run("rm", "owner/model")
    assert unsure.code == 2 and "--yes" in unsure.err and folder(hussar).exists()
    (folder(hussar) / "notes.txt").write_text("mine")
    kept = hussar.run("rm", "owner/model", "--yes")
    assert kept.code == 0 and "notes.txt" in kept.out
    assert files_in(folder(hussar)) == ["notes.txt"]
    assert hussar.run("rm", "owner/model", "--yes").code == 2


def test_rm_takes_what_a_cut_pull_left(hussar, gguf_hub):
    gguf_hub.faults = lambda request: request.file and (request.send_file(WEIGHTS, cut_after=400_000) or True)
    hussar.pull(gguf_hub, "owner/model", "--attempts-max", "1", "--retry-ms", "1")
    assert "model-q8_0.gguf.partial" in files_in(folder(hussar))
    assert hussar.run("rm", "owner/model", "--yes").code == 0
    assert files_in(hussar.models) == []


def test_rm_leaves_folders_that_are_not_models(hussar):
    other = hussar.models / "documents"
    other.mkdir(parents=True)
    (other / "config.json").write_text("mine")
    assert hussar.run("rm", "documents", "--yes").code == 2
    assert (other / "config.json").exists()


def test_a_file_that_is_not_here_is_no_repository(hussar):
    for name in ("models/missing.gguf", "/models/missing.gguf", "./missing"):
        assert_refused(hussar.run("pull", name), "looks like a file", "colon")


def test_a_file_that_was_taken_away_is_brought_again(hussar, make_hub):
    hub = make_hub(SAFETENSORS)
    assert hussar.pull(hub).code == 0
    (folder(hussar) / "tokenizer.json").unlink()
    hub.sent.clear()
    assert hussar.pull(hub).code == 0
    assert set(hub.sent) == {"tokenizer.json"}
    assert (folder(hussar) / "tokenizer.json").read_bytes() == SAFETENSORS["tokenizer.json"]


def test_a_pull_that_ended_before_its_manifest(hussar, make_hub):
    hub = make_hub(SAFETENSORS)
    assert hussar.pull(hub).code == 0
    (folder(hussar) / "manifest.json").unlink()
    (folder(hussar) / "model.safetensors").write_bytes(b"x" * 300_000)
    hub.sent.clear()
    assert hussar.pull(hub).code == 0
    assert set(hub.sent) == {"model.safetensors"}
    assert files_in(folder(hussar)) == sorted([*SAFETENSORS, ".lock", "manifest.json"])
    assert (folder(hussar) / "model.safetensors").read_bytes() == SAFETENSORS["model.safetensors"]


def test_long_waits_are_said(hussar, gguf_hub):
    asked = []

    def faults(request):
        asked.append(request)
        return len(asked) == 1 and (request.send_status(503, {"Retry-After": "2"}) or True)

    gguf_hub.faults = faults
    result = hussar.pull(gguf_hub)
    assert result.code == 0 and "asking again in 2 s" in result.err


def at_a_terminal(hussar, words, answer=b""):
    """Runs a command at a terminal of its own; what it showed."""
    here, there = pty.openpty()
    process = subprocess.Popen([BINARY, *words], env=hussar.environment, stdin=there, stdout=there, stderr=there)
    os.close(there)
    os.write(here, answer)
    shown = b""
    try:
        while part := os.read(here, 4096):
            shown += part
    except OSError:
        pass
    os.close(here)
    return process.wait(timeout=30), shown.decode()


def test_a_terminal_sees_a_bar_and_is_asked(hussar, gguf_hub):
    gguf_hub.faults = lambda request: request.file and (request.send_file(WEIGHTS, bytes_per_second=1_500_000) or True)
    code, shown = at_a_terminal(hussar, ["pull", "owner/model", "--mirror", gguf_hub.url])
    assert code == 0
    assert re.search(r"\r +\d+ % \[#+\.+\] [\d.]+ MB of 9.4 MB, [\d.]+ [KM]B/s, \d+ s left", shown), shown
    assert "\r100 %" not in shown.splitlines()[-1], "the bar was left on the screen"
    code, shown = at_a_terminal(hussar, ["rm", "owner/model"], b"n\n")
    assert code == 0 and "nothing was removed" in shown and folder(hussar).exists()
    code, shown = at_a_terminal(hussar, ["rm", "owner/model"], b"y\n")
    assert code == 0 and not folder(hussar).exists()


def test_ctrl_c_while_waiting_for_a_busy_hub(hussar, gguf_hub):
    gguf_hub.faults = lambda request: request.send_status(503, {"Retry-After": "60"}) or True
    process = hussar.start("pull", "owner/model", "--mirror", gguf_hub.url)
    while not gguf_hub.requests:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=5) and process.returncode == 130
    assert files_in(hussar.models) == []


def test_one_connections_failure_ends_the_others_at_once(hussar, gguf_hub):
    """One is refused for good while the others wait to ask a busy hub again, or get nothing."""

    def faults(request):
        if not request.file:
            return None
        begin = request.range(len(WEIGHTS))[0]
        if begin == 0:
            time.sleep(0.5)
            request.send_status(404)
        elif begin < 5 * MEGABYTE:
            request.send_status(503, {"Retry-After": "60"})
        else:
            time.sleep(8)
        return True

    gguf_hub.faults = faults
    began = time.monotonic()
    assert_refused(hussar.pull(gguf_hub), "404")
    assert time.monotonic() - began < 4
