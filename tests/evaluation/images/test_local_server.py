"""What the server of a page refuses, over real sockets."""

import http.client
import json
import socket
import threading
import time

import pytest

from common import InputError
from evaluation.images import local_server
from evaluation.images.local_server import LocalServer, guarded, read_body

MOST = 1000


def echo(environ, start_response):
    """Says how many bytes came; `/broken` fails, `/wrong` is given wrong input."""
    if environ["PATH_INFO"] == "/broken":
        raise RuntimeError("a secret\nof two lines")
    if environ["PATH_INFO"] == "/wrong":
        raise InputError("it must be right")
    content = str(len(read_body(environ, MOST)) if environ["REQUEST_METHOD"] == "POST" else 0).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(content)))])
    return [content]


@pytest.fixture(scope="module")
def port():
    server = LocalServer(0)
    server.set_app(guarded(echo, server.server_port))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def raw(port: int, request: bytes) -> tuple[int, bytes]:
    """Status and body of what is answered to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read()


def asked(port: int, head: str, body: bytes = b"", host: str | None = None) -> tuple[int, bytes]:
    name = host if host is not None else f"127.0.0.1:{port}"
    return raw(port, f"{head}\r\nHost: {name}\r\n\r\n".encode() + body)


def refused(answer: tuple[int, bytes]) -> tuple[int, str]:
    return answer[0], json.loads(answer[1])["error"]


def posted(port: int, *headers: str, body: bytes = b"", path: str = "/") -> tuple[int, bytes]:
    return asked(port, "\r\n".join([f"POST {path} HTTP/1.1", *headers]), body)


def test_it_listens_on_this_computer_alone(port):
    server = LocalServer(0)
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", server.server_port), timeout=2)  # another address of the same computer
    server.server_close()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "127.0.0.1:{port}.evil"])
def test_it_answers_under_its_own_names_alone(port, host):
    """A page of another site whose name leads to 127.0.0.1 sends that name."""
    status, error = refused(asked(port, "GET / HTTP/1.1", host=host.format(port=port)))
    assert status == 403
    assert f"127.0.0.1:{port} or localhost:{port}" in error


def test_a_request_with_two_hosts_or_none_is_refused(port):
    assert asked(port, "GET / HTTP/1.1\r\nHost: evil.example")[0] == 403
    assert raw(port, b"GET / HTTP/1.0\r\n\r\n")[0] == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_it_answers_this_computer(port, name):
    assert asked(port, "GET / HTTP/1.1", host=f"{name}:{port}") == (200, b"0")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1", "http://127.0.0.1"]
)
def test_what_pages_of_other_sites_send_is_refused(port, origin):
    status, error = refused(posted(port, f"Origin: {origin.format(port=port)}", "Content-Length: 2", body=b"ab"))
    assert (status, error) == (403, "pages of other sites may not use this server")


def test_its_own_page_may_send(port):
    for own in (f"Origin: http://127.0.0.1:{port}", f"Origin: http://localhost:{port}", "X: no origin"):
        assert posted(port, own, "Content-Length: 2", body=b"ab") == (200, b"2")


def test_a_file_needs_a_length_and_comes_in_one_piece(port):
    assert refused(posted(port))[0] == 411
    chunked = posted(port, "Transfer-Encoding: chunked", "Content-Length: 2", body=b"2\r\nab\r\n0\r\n\r\n")
    assert refused(chunked) == (411, "a file is sent whole, with a Content-Length, not in chunks")
    for length in ("two", "-1", "1.5", "\u0662"):
        assert refused(posted(port, f"Content-Length: {length}"))[0] == 400
    assert refused(posted(port, "Content-Length: 5", body=b"abc")) == (
        400,
        "the file ended after 3 of 5 bytes; send it once more",
    )


def test_a_file_that_is_too_large_is_refused_before_it_is_read(port):
    assert posted(port, f"Content-Length: {MOST}", body=b"x" * MOST) == (200, b"1000")
    for length in (str(MOST + 1), "9" * 5000):
        assert refused(posted(port, f"Content-Length: {length}"))[0] == 413


def test_the_answer_arrives_though_more_is_being_sent(port):
    """A connection that is closed with unread bytes is reset, and a browser then shows no answer."""
    size = 8 << 20
    assert refused(posted(port, f"Content-Length: {size}", body=b"x" * size))[0] == 413


def test_wrong_input_is_told_and_a_failure_only_in_the_terminal(port, capfd):
    assert refused(asked(port, "GET /wrong HTTP/1.1")) == (400, "it must be right")
    assert capfd.readouterr().err == ""
    status, error = refused(asked(port, "GET /broken HTTP/1.1"))
    assert status == 500
    assert "secret" not in error
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: RuntimeError at test_local_server.py:")
    assert line.endswith(": a secret of two lines")


@pytest.mark.parametrize("path", ["/", "/wrong", "/broken"])
def test_every_answer_tells_browsers_to_do_as_little_as_they_can(port, path, capfd):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    answer = connection.getresponse()
    headers = {name.title(): value for name, value in answer.getheaders()}
    assert {**headers, **{name.title(): value for name, value in local_server.HEADERS.items()}} == headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    connection.close()


def test_slow_clients_hold_up_no_other_and_are_hung_up_on(port, monkeypatch, capfd):
    monkeypatch.setattr(local_server._Handler, "timeout", 0.3)
    slow = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(40)]
    for number, connection in enumerate(slow):
        head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 9\r\n\r\nab" if number % 2 else "GET"
        connection.sendall(head.encode())
    began = time.monotonic()
    assert asked(port, "GET / HTTP/1.1") == (200, b"0")
    assert time.monotonic() - began < 0.3
    for number, connection in enumerate(slow):
        told = connection.recv(1000)
        assert (b"408" in told) == bool(number % 2)
        connection.close()
    assert capfd.readouterr().err == ""


def test_a_file_that_drips_is_given_up(monkeypatch):
    class Drip:
        def read1(self, most):
            time.sleep(0.01)
            return b"x"

    monkeypatch.setattr(local_server, "UPLOAD_SECONDS", 0.05)
    with pytest.raises(local_server.RefusedError, match="too slowly") as error:
        read_body({"CONTENT_LENGTH": "900", "wsgi.input": Drip()}, MOST)
    assert error.value.status == 408


def test_a_port_in_use_is_told_in_one_line(port):
    with pytest.raises(InputError, match=f"^nothing can listen on port {port} of 127.0.0.1 .*; choose another --port$"):
        LocalServer(port)
