"""A web server for this computer alone: what it refuses before an application sees it, and how it tells an error."""

import json
import socket
import socketserver
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from common import InputError, one_line, printable

ADDRESS = "127.0.0.1"
NAMES = (ADDRESS, "localhost")
SILENCE_SECONDS = 10.0
"""after so long without a byte a connection is closed"""
UPLOAD_SECONDS = 120.0
"""a whole upload may take so long: on one computer it takes less than a second"""
CHUNK = 1 << 16
LINGER_SECONDS, LINGER_BYTES = 1.0, 256 << 20
"""what is still being sent is read for so long after an answer, for a browser shows none while it sends"""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""of every answer, unless the application gives one of these itself"""
REASONS = {
    400: "Bad Request", 403: "Forbidden", 408: "Request Timeout", 411: "Length Required", 413: "Content Too Large",
    500: "Internal Server Error",
}  # fmt: skip
Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class RefusedError(Exception):
    """A request that is not answered; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class LocalServer(socketserver.ThreadingMixIn, WSGIServer):
    """Listens on 127.0.0.1 alone; a thread for each connection, so that a slow one holds up no other.

    Args:
        port: 0 takes any free one; `server_port` says which.

    Raises:
        InputError: the port is taken, or may not be used.
    """

    daemon_threads = True
    request_queue_size = 64
    allow_reuse_port = False

    def __init__(self, port: int) -> None:
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            reason = (error.strerror or "it cannot be used").lower()
            raise InputError(f"nothing can listen on port {port} of {ADDRESS} ({reason}); choose another --port") from None

    def server_bind(self) -> None:
        """Without asking the network what this computer is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]
        self.setup_environ()

    def shutdown_request(self, request: Any) -> None:
        """Read what is still being sent, so that the answer arrives, and close."""
        try:
            request.shutdown(socket.SHUT_WR)
            request.settimeout(LINGER_SECONDS)
            ends, left = time.monotonic() + LINGER_SECONDS, LINGER_BYTES
            while left > 0 and time.monotonic() < ends and (chunk := request.recv(CHUNK)):
                left -= len(chunk)
        except OSError:
            pass  # gone, or silent
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """One line of what went wrong outside the application; a client that is silent or has gone is none."""
        error = sys.exception()
        if error is not None and not isinstance(error, (TimeoutError, ConnectionError)):
            tell(error)


class _Handler(WSGIRequestHandler):
    timeout = SILENCE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line for each request would hide those that tell of errors."""


def guarded(app: Application, port: int) -> Application:
    """The application behind the checks, with `HEADERS` in each answer; an error becomes one line of JSON.

    A page of another site can make a browser send requests to this computer. It can't choose their `Host`, even if its own name
    leads to 127.0.0.1 (DNS rebinding), nor their `Origin`.

    Args:
        app: what answers; it may raise `RefusedError` and `InputError`, which is told with status 400.
        port: that the server listens on.
    """
    hosts = {f"{name}:{port}" for name in NAMES} | (set(NAMES) if port == 80 else set())

    def answer(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            given = {name.title() for name, _ in headers}
            return start_response(
                status, [*headers, *(pair for pair in HEADERS.items() if pair[0].title() not in given)], exc_info
            )

        try:
            _require_own_site(environ, hosts)
            return app(environ, begin)
        except RefusedError as error:
            return _told(begin, error.status, str(error))
        except InputError as error:
            return _told(begin, 400, one_line(error, 500))
        except Exception as error:
            tell(error)
            return _told(begin, 500, "this failed for a reason that the terminal of the server tells")

    return answer


def read_body(environ: Environ, most: int) -> bytes:
    """What was sent with a request.

    Args:
        environ: of the request.
        most: bytes that are read.

    Raises:
        RefusedError: no length, more bytes, fewer than were announced, or one that came too slowly.
    """
    if environ.get("HTTP_TRANSFER_ENCODING"):
        raise RefusedError(411, "a file is sent whole, with a Content-Length, not in chunks")
    length = environ.get("CONTENT_LENGTH") or ""
    if not length:
        raise RefusedError(411, "a file is sent with a Content-Length, but there is none")
    if not (length.isascii() and length.isdecimal()):
        raise RefusedError(400, "a Content-Length is a whole number of bytes")
    if len(length) > 18 or int(length) > most:
        raise RefusedError(413, f"a file may have {most >> 20} MiB, but this one is larger; give a smaller one")
    content, ends = bytearray(), time.monotonic() + UPLOAD_SECONDS
    try:
        while (left := int(length) - len(content)) and (chunk := environ["wsgi.input"].read1(min(left, CHUNK))):
            content += chunk
            if time.monotonic() > ends:
                raise TimeoutError
    except TimeoutError:
        raise RefusedError(408, "the file came too slowly; send it once more") from None
    if left:
        raise RefusedError(400, f"the file ended after {len(content):,} of {int(length):,} bytes; send it once more")
    return bytes(content)


def tell(error: BaseException) -> None:
    """What failed, and where, as one line on stderr."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    print(f"error: {type(error).__name__}{where}: {printable(one_line(error))}", file=sys.stderr, flush=True)


def _require_own_site(environ: Environ, hosts: set[str]) -> None:
    if environ.get("HTTP_HOST", "").lower() not in hosts:
        raise RefusedError(403, f"this server answers as {' or '.join(sorted(hosts))} alone")
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and origin.lower() not in {f"http://{host}" for host in hosts}:
        raise RefusedError(403, "pages of other sites may not use this server")


def _told(begin: Callable[..., Any], status: int, message: str) -> list[bytes]:
    content = json.dumps({"error": message}).encode()
    begin(f"{status} {REASONS[status]}", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]
