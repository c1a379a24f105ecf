"""HTTP below the client libraries: exact bytes out, status and JSON back."""

import http.client
import json
import socket


def post(server, path, body, headers=None, timeout=120):
    """(status, headers, JSON or text). `body` may be bytes, or anything that JSON can hold."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", path, data, {"Content-Type": "application/json", **(headers or {})})
    return _read(connection)


def request(server, method, path, timeout=60):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    connection.request(method, path)
    return _read(connection)


def _read(connection):
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    try:
        return answer.status, headers, json.loads(text)
    except json.JSONDecodeError:
        return answer.status, headers, text


def events(server, path, body):
    """The documents of an event stream, as text, up to and without [DONE]; fails when that is missing."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("POST", path, json.dumps({**body, "stream": True}), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    assert answer.getheader("Content-Type").startswith("text/event-stream")
    done = False
    for line in answer:
        if not line.strip():
            continue
        assert not done, "something came after [DONE]"
        assert line.startswith(b"data: "), line
        if line == b"data: [DONE]\n":
            done = True
        else:
            yield json.loads(line[len(b"data: "):].decode("utf-8", errors="strict"))
    assert done, "the stream ended without [DONE]"
    connection.close()


def raw(server, data, timeout=10):
    """Sends bytes as they are and returns all that comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as connection:
        connection.sendall(data)
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except (ConnectionResetError, socket.timeout):
            pass
        return received
