#!/usr/bin/env python3
"""Runs clang-tidy's naming check (.clang-tidy) over src/, two files at a time.

    tools/check_naming.py BUILD_FOLDER

A file is checked again only when it, a header of ours that it includes, or .clang-tidy has changed since it last passed, in whichever clone: the passes are kept
as empty files named by content hash in $XDG_CACHE_HOME/hussar/naming (default ~/.cache).
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.M)


def own_headers(path, seen):
    for name in INCLUDE.findall(path.read_bytes()):
        header = SOURCE / name.decode()
        if header.exists() and header not in seen:
            seen.add(header)
            own_headers(header, seen)
    return seen


def content_key(path):
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    for part in [path, *sorted(own_headers(path, set()))]:
        digest.update(part.relative_to(ROOT).as_posix().encode() + b"\0" + part.read_bytes())
    return digest.hexdigest()


def check(path, build):
    command = ["clang-tidy", "--quiet", "-p", str(build), str(path)]
    run = subprocess.run(command, capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "hussar" / "naming"
    cache.mkdir(parents=True, exist_ok=True)
    # What this build compiles: the files of CUDA are only in one that has it.
    compiled = {pathlib.Path(entry["file"]) for entry in json.loads((build / "compile_commands.json").read_text())}
    stale = [(path, cache / content_key(path)) for path in sorted(SOURCE.rglob("*.cc")) if path in compiled]
    stale = [(path, mark) for path, mark in stale if not mark.exists()]
    if not any(path in compiled for path in SOURCE.rglob("*.cc")):
        sys.exit(f"{build} compiles none of {SOURCE}: was it made for another folder?")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {pool.submit(check, path, build): (path, mark) for path, mark in stale}
        for run in concurrent.futures.as_completed(runs):
            path, mark = runs[run]
            code, output = run.result()
            if code == 0:
                mark.touch()
            else:
                failed += 1
                print(f"{path.relative_to(ROOT)}:\n{output}")
    print(f"naming: {len(stale)} files checked, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
