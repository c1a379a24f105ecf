"""Certificates: the system's authorities or those of --ca-file, and never none."""

import shutil
import ssl
import subprocess

import pytest

from hub_fixtures import hussar, make_hub  # noqa: F401: fixtures

FILES = {"m.gguf": b"weights" * 1000}
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="2026-11: makes its certificates with openssl")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """{host: (certificate file, TLS context)}, signed by themselves."""
    made = {}
    for host in ("127.0.0.1", "10.9.8.7"):
        folder = tmp_path_factory.mktemp("tls")
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
                        "-addext", f"subjectAltName=IP:{host}", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        made[host] = certificate, context
    return made


def test_an_unknown_authority_is_refused(hussar, make_hub, certificates):
    certificate, context = certificates["127.0.0.1"]
    hub = make_hub(FILES, tls=context)
    result = hussar.pull(hub)
    assert result.code == 2 and "certificate" in result.err and "--ca-file" in result.err
    assert not hub.requests
    result = hussar.pull(hub, "owner/model", "--ca-file", certificate)
    assert result.code == 0, result.err


def test_another_hosts_certificate_is_refused(hussar, make_hub, certificates):
    certificate, context = certificates["10.9.8.7"]
    hub = make_hub(FILES, tls=context)
    result = hussar.pull(hub, "owner/model", "--ca-file", certificate)
    assert result.code == 2 and "certificate" in result.err
    assert not hub.requests


def test_a_redirect_from_https_to_http_is_refused(hussar, make_hub, certificates):
    certificate, context = certificates["127.0.0.1"]
    plain, hub = make_hub(FILES), make_hub(FILES, tls=context)
    hub.faults = lambda request: request.file and (request.redirect(plain.url + request.path) or True)
    result = hussar.pull(hub, "owner/model", "--ca-file", certificate)
    assert result.code == 2 and "from https to http" in result.err
    assert not plain.requests


def test_a_missing_or_broken_ca_file_is_named(hussar, make_hub, certificates, tmp_path):
    hub = make_hub(FILES, tls=certificates["127.0.0.1"][1])
    result = hussar.pull(hub, "owner/model", "--ca-file", tmp_path / "none.pem")
    assert result.code == 2 and "none.pem" in result.err
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    assert hussar.pull(hub, "owner/model", "--ca-file", broken).code == 2
    assert not hub.requests
