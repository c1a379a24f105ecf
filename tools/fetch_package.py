#!/usr/bin/env python3
"""Fetches one file of a PyPI package, checks its sha256 and puts it in place under a temporary name first.

    fetch_package.py NAME VERSION FILE SHA256 DESTINATION [--member PATH_IN_ZIP]

Nothing is installed, built or imported. `pip download` would run a source package's build system just to read its metadata, with
unpinned packages; so this asks pip's own machinery for the file's address alone. It thereby honours pip's index, mirror, proxy,
certificate and credential settings. Run it with a Python that has pip (a venv's does). With --member the file is a zip archive (a
wheel) and only that member is kept; SHA256 then is the member's.
"""
import argparse
import hashlib
import os
import sys
import tempfile
import zipfile

from pip._internal.commands.download import DownloadCommand


class FetchCommand(DownloadCommand):
    """pip's own option handling and session, but only one file is fetched."""

    def run(self, options, args):
        name, version, filename, target = args
        with self._build_session(options) as session:
            finder = self._build_package_finder(options, session, ignore_requires_python=True)
            for candidate in finder.find_all_candidates(name):
                if candidate.link.filename == filename:
                    return self.save(session, candidate.link.url_without_fragment, target)
        sys.exit(f"{name} {version}: {filename} was not found; check the network and pip's index, proxy and certificate settings")

    @staticmethod
    def save(session, url, target):
        with session.get(url, stream=True, headers={"Accept-Encoding": "identity"}) as answer:
            answer.raise_for_status()
            total = int(answer.headers.get("Content-Length", 0))
            done, shown = 0, -1
            for chunk in answer.iter_content(1 << 18):
                target.write(chunk)
                done += len(chunk)
                percent = done * 100 // total if total else 0
                if total and percent // 10 != shown:
                    shown = percent // 10
                    print(f"  {percent:3d} % of {total / 1e6:.1f} MB", flush=True)
        return 0


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for word in ("name", "version", "file", "sha256", "destination"):
        parser.add_argument(word)
    parser.add_argument("--member")
    wanted = parser.parse_args()
    if os.path.exists(wanted.destination) and sha256_of(wanted.destination) == wanted.sha256:
        return
    print(f"fetching {wanted.file}", flush=True)
    folder = os.path.dirname(os.path.abspath(wanted.destination))
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        fetched = os.path.join(scratch, "fetched")
        command = FetchCommand("download", "fetches one file")
        formats = "--no-binary=:all:" if wanted.file.endswith(".tar.gz") else "--only-binary=:all:"
        options, _ = command.parse_args([formats, "--no-deps", "--quiet", wanted.name])
        with open(fetched, "wb") as target:
            with command.main_context():
                command.run(options, [wanted.name, wanted.version, wanted.file, target])
        if wanted.member:
            member = os.path.join(scratch, "member")
            with zipfile.ZipFile(fetched) as archive, archive.open(wanted.member) as source, open(member, "wb") as out:
                while chunk := source.read(1 << 20):
                    out.write(chunk)
            fetched = member
        found = sha256_of(fetched)
        if found != wanted.sha256:
            sys.exit(f"{wanted.file}: sha256 is {found}, expected {wanted.sha256}; nothing was kept")
        os.replace(fetched, wanted.destination)


if __name__ == "__main__":
    main()
