"""A model hub on this machine, in both dialects, that can be told to misbehave."""

import collections
import copy
import hashlib
import http.server
import json
import re
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git_oid(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub:
    """Serves `files` of one repository. What is set on it counts from the next request on.

    files          {path: bytes}
    lfs            paths that are listed with SHA-256, as large files are; the others with git's SHA-1
    faults         a function (request) -> None, or it answers by itself and returns True; see Request
    listing        overrides the answer of the listing, as bytes
    """

    def __init__(self, files, repository="owner/model", tls=None, lfs=None):
        self.files, self.repository = dict(files), repository
        self.lfs = set(files if lfs is None else lfs)
        self.faults = lambda request: None
        self.listing = None
        self.page_files = 0
        self.ranges = True
        self.requests = []
        self.lock = threading.Lock()
        self.sent = collections.Counter()  # bytes of each path
        hub = self

        class Handler(Request):
            pass

        Handler.hub = hub
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def tree(self):
        entries = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": "onnx"}]
        for path, data in self.files.items():
            entry = {"type": "file", "oid": git_oid(data), "size": len(data), "path": path}
            if path in self.lfs:
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            entries.append(entry)
        return entries

    def model_scope_files(self):
        return {"Code": 200, "Success": True, "Message": "success", "Data": {"Files": [
            {"Type": "blob", "Name": path, "Path": path, "Size": len(data), "Sha256": hashlib.sha256(data).hexdigest()}
            for path, data in self.files.items()]}}


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub = None

    def log_message(self, *args):
        pass

    def do_GET(self):
        hub = self.hub
        self.url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(self.url.query))
        self.file = self.requested_file()
        with hub.lock:
            hub.requests.append(copy.copy(self))  # a connection that is used again overwrites its handler
        try:
            if hub.faults(self):
                return
            if self.file is not None:
                self.send_file(hub.files.get(self.file))
            elif self.url.path == f"/api/models/{hub.repository}/revision/main":
                self.send_json({"id": hub.repository, "sha": COMMIT})
            elif self.url.path == f"/api/models/{hub.repository}/tree/{COMMIT}":
                self.send_tree()
            elif self.url.path == f"/api/v1/models/{hub.repository}/repo/files" and self.query["Revision"] == "master":
                self.send_bytes(hub.listing or json.dumps(hub.model_scope_files()).encode())
            else:
                self.send_status(404)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def requested_file(self):
        """The path of the file that is asked for, or None."""
        prefix = f"/{self.hub.repository}/resolve/{COMMIT}/"
        if self.url.path.startswith(prefix):
            return urllib.parse.unquote(self.url.path[len(prefix):])
        if self.url.path == f"/api/v1/models/{self.hub.repository}/repo":
            return self.query["FilePath"]
        return None

    def send_tree(self):
        hub = self.hub
        if hub.listing is not None:
            return self.send_bytes(hub.listing)
        entries, headers = hub.tree(), {}
        if hub.page_files:
            first = int(self.query.get("cursor", 0))
            if first + hub.page_files < len(entries):
                # Another host: a mirror that passes the hub's own addresses on. Only path and query count.
                headers["Link"] = (f"<https://elsewhere.invalid{self.url.path}?recursive=true&cursor="
                                   f"{first + hub.page_files}>; rel=\"next\"")
            entries = entries[first:first + hub.page_files]
        self.send_bytes(json.dumps(entries).encode(), headers=headers)

    def send_json(self, value):
        self.send_bytes(json.dumps(value).encode())

    def send_status(self, status, headers=None):
        self.send_bytes(b"{}", status, headers)

    def send_bytes(self, body, status=200, headers=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, target, status=302):
        self.send_status(status, {"Location": target})

    def range(self, size):
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        return (int(asked[1]), min(int(asked[2]) + 1, size)) if asked and self.hub.ranges else None

    def send_file(self, data, cut_after=None, bytes_per_second=None, length=None):
        """cut_after: closes the connection after so many bytes of the body. length: what Content-Length says."""
        if data is None:
            return self.send_status(404)
        part = self.range(len(data))
        begin, end = part or (0, len(data))
        self.send_response(206 if part else 200)
        if part:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(data)}")
        self.send_header("Content-Length", str(end - begin if length is None else length))
        self.end_headers()
        body = data[begin:end]
        if cut_after is not None:
            body = body[:cut_after]
            self.close_connection = True
        step = 65536 if bytes_per_second is None else max(1, bytes_per_second // 20)
        for at in range(0, len(body), step):
            self.wfile.write(body[at:at + step])
            with self.hub.lock:
                self.hub.sent[self.file] += len(body[at:at + step])
            if bytes_per_second:
                time.sleep(step / bytes_per_second)
        self.wfile.flush()
