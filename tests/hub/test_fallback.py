"""The hubs' real names, through a proxy of the test: what happens where one can't be reached."""

import http.server
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from hub_fixtures import hussar, make_hub  # noqa: F401: fixtures

FILES = {"qwen2.5-0.5b-instruct-q8_0.gguf": b"weights" * 100_000}
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="2026-11: makes its certificates with openssl")


class Proxy:
    """An HTTP proxy that knows where some hosts are and reaches no other."""

    def __init__(self, hosts):
        self.asked = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_CONNECT(self):
                proxy.asked.append(self.path)
                port = hosts.get(self.path)
                if port is None:
                    return self.send_error(502)
                self.send_response(200)
                self.end_headers()
                self.close_connection = True
                with socket.create_connection(("127.0.0.1", port)) as there:
                    back = threading.Thread(target=self.copy, args=(there, self.connection))
                    back.start()
                    self.copy(self.connection, there)
                    back.join()

            @staticmethod
            def copy(source, target):
                try:
                    while data := source.recv(65536):
                        target.sendall(data)
                    target.shutdown(socket.SHUT_WR)
                except OSError:
                    pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def hubs(make_hub, tmp_path):
    """(a hub that has the certificate of both real names, that certificate's file)"""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
                    "subjectAltName=DNS:huggingface.co,DNS:www.modelscope.cn", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return make_hub(FILES, repository="Qwen/Qwen2.5-0.5B-Instruct-GGUF", tls=context), certificate


@pytest.fixture
def pull(hussar, hubs):
    hub, certificate = hubs

    def pull(reachable, *flags):
        port = hub.server.server_address[1]
        proxy = Proxy({f"{host}:443": port for host in reachable})
        hussar.environment["https_proxy"] = proxy.url
        try:
            return proxy, hussar.run("pull", "qwen2.5-0.5b-instruct-gguf:q8_0", "--ca-file", certificate, "--retry-ms", "10",
                                     "--attempts-max", "2", *flags)
        finally:
            proxy.server.shutdown()
            proxy.server.server_close()

    return pull


def test_hugging_face_is_asked_first(hussar, hubs, pull):
    # The catalog pins this repository's commit; the test's hub has another one.
    proxy, result = pull(["huggingface.co", "www.modelscope.cn"], "--revision", "main")
    assert result.code == 0, result.err
    assert set(proxy.asked) == {"huggingface.co:443"}
    assert '"source":"https://huggingface.co"' in (hussar.models / "qwen2.5-0.5b-instruct-gguf@q8_0/manifest.json").read_text()


def test_model_scope_where_hugging_face_cannot_be_reached(hussar, pull):
    proxy, result = pull(["www.modelscope.cn"], "--revision", "master")
    assert result.code == 0, result.err
    assert "huggingface.co" in result.err and "asking ModelScope" in result.err
    assert '"source":"https://www.modelscope.cn"' in (hussar.models / "qwen2.5-0.5b-instruct-gguf@q8_0/manifest.json").read_text()


def test_from_asks_no_other_hub(pull):
    proxy, result = pull(["www.modelscope.cn"], "--from", "hf")
    assert result.code == 2 and "modelscope" not in result.err
    proxy, result = pull(["huggingface.co"], "--from", "modelscope")
    assert result.code == 2 and set(proxy.asked) == {"www.modelscope.cn:443"}


def test_neither_can_be_reached(pull):
    proxy, result = pull([])
    assert result.code == 2
    line = result.err.splitlines()[-1]
    assert "huggingface.co" in line and "modelscope.cn" in line and "--model /path/to/file.gguf" in line


def test_a_refusal_is_no_reason_to_ask_another_hub(hubs, pull):
    hubs[0].faults = lambda request: request.send_status(401) or True
    proxy, result = pull(["huggingface.co", "www.modelscope.cn"])
    assert result.code == 2 and "--token-file" in result.err
    assert set(proxy.asked) == {"huggingface.co:443"}


def test_a_file_that_differs_from_the_catalogs_is_refused(hussar, hubs, pull):
    proxy, result = pull(["www.modelscope.cn"], "--from", "modelscope")
    assert result.code == 2 and "not the file that hussar knows" in result.err
    assert not [request for request in hubs[0].requests if request.file]
