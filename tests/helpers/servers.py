"""Small servers on raw sockets that misbehave as real ones do, and remember what they were sent.

They run in threads of the test's process (greenlets, once gevent has patched it)::

    with RawServer(answering(json_answer({"message": "OK"}))) as server:
        ...server.url...
    assert server.requests[0].path == "/api/health-check"

A server calls its ``behaviour`` for each connection; a behaviour reads requests from it and
does with it what it wants. When it returns, the connection is closed.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    """One request, as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One accepted connection."""

    def __init__(self, sock: socket.socket, server: RawServer) -> None:
        self.sock = sock
        self.server = server
        self._buffer = b""

    def read_request(self) -> Received | None:
        """Read the next request, and remember it; None once the client has closed."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._read_more():
                return None
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        length = int(headers.get("content-length", "0"))
        while len(self._buffer) < length:
            if not self._read_more():
                return None
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        received = Received(method, path, headers, body)
        self.server.requests.append(received)
        self.server.got_request.set()
        return received

    def _read_more(self) -> bool:
        try:
            data = self.sock.recv(65536)
        except OSError:
            return False
        self._buffer += data
        return bool(data)

    def send(self, data: bytes) -> bool:
        """Send; False if the client has gone."""
        try:
            self.sock.sendall(data)
        except OSError:
            return False
        return True

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Behaviour = Callable[[Connection], None]


def accept(listener: socket.socket, take: Callable[[socket.socket], None]) -> None:
    """Hand each connection to ``take`` from now on, until the listener is closed."""

    def accept_for_ever() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            take(sock)

    threading.Thread(target=accept_for_ever, daemon=True).start()


def hang_up(sock: socket.socket) -> None:
    """Close a socket that another thread may wait for."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


class RawServer:
    """A server on a free loopback port, or a given one; over TLS if it is given a context."""

    def __init__(
        self, behaviour: Behaviour, tls: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self._behaviour = behaviour
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[Received] = []
        self.got_request = threading.Event()
        self.stopping = threading.Event()
        self.connections = 0
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        accept(self._listener, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self.stop_listening()
        self.close_connections()

    def stop_listening(self) -> None:
        """Refuse connections from now on; those that there are stay."""
        hang_up(self._listener)

    def close_connections(self) -> None:
        """Close every connection, as an ingress that is reloaded does."""
        for sock in tuple(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _take(self, sock: socket.socket) -> None:
        self.connections += 1
        threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            self._open.add(sock)
            self._behaviour(Connection(sock, self))
        except OSError:
            pass  # a client that does not trust us, or has gone
        finally:
            self._open.discard(sock)
            with contextlib.suppress(OSError):
                sock.close()


# -- answers


def raw_answer(
    status: int = 200,
    body: bytes = b"",
    content_type: str = "application/json; charset=utf-8",
    **headers: str,
) -> bytes:
    """Make a whole answer; underscores in header names become hyphens."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"Content-Type: {content_type}"] if content_type else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def json_answer(value: Any, status: int = 200, **headers: str) -> bytes:
    """Make an answer with ``value`` as JSON."""
    return raw_answer(status, json.dumps(value).encode(), **headers)


def html_answer(status: int = 200, title: str = "Sign in") -> bytes:
    """Make a page, as a login or an ingress answers."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>Hi</h1></body>"
    return raw_answer(status, page.encode(), "text/html")


# -- behaviours


def answering(*answers: bytes) -> Behaviour:
    """Answer the n-th request (of all connections) with the n-th answer, then with the last."""

    def behave(connection: Connection) -> None:
        while connection.read_request():
            count = len(connection.server.requests)
            connection.send(answers[min(count, len(answers)) - 1])

    return behave


def answering_paths(answers: dict[str, bytes]) -> Behaviour:
    """Answer by path, and 404 ``{}`` for others."""

    def behave(connection: Connection) -> None:
        while request := connection.read_request():
            connection.send(answers.get(request.path, json_answer({}, 404)))

    return behave


def closing_after(answer: bytes) -> Behaviour:
    """Answer once a connection as if it were kept, and close it."""

    def behave(connection: Connection) -> None:
        if connection.read_request():
            connection.send(answer)

    return behave


def resetting_at_once(connection: Connection) -> None:
    """Reset each connection without reading from it."""
    connection.reset()


def resetting_after_request(connection: Connection) -> None:
    """Read a request and reset the connection instead of answering."""
    connection.read_request()
    connection.reset()


def hanging(connection: Connection) -> None:
    """Read a request and never answer."""
    connection.read_request()
    connection.server.stopping.wait()


def hanging_after(data: bytes) -> Behaviour:
    """Read a request, send some bytes, and nothing more."""

    def behave(connection: Connection) -> None:
        connection.read_request()
        connection.send(data)
        connection.server.stopping.wait()

    return behave


def dripping(answer: bytes, every_s: float = 0.02) -> Behaviour:
    """Answer a byte at a time."""

    def behave(connection: Connection) -> None:
        while connection.read_request():
            for byte in answer:
                if not connection.send(bytes([byte])) or connection.server.stopping.wait(every_s):
                    return

    return behave


def pouring(block: bytes, begin: bytes = b"", most: int = 10_000) -> Behaviour:
    """Send ``begin`` and then ``block`` again and again, until the client goes."""

    def behave(connection: Connection) -> None:
        connection.read_request()
        connection.send(begin)
        for _ in range(most):
            if not connection.send(block):
                return

    return behave


def free_port() -> int:
    """One of loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes(number: int) -> tuple[str, ...]:
    """Locust's arguments for so many workers, on no port where another run may be."""
    port = str(free_port())
    return "--processes", str(number), "--master-port", port, "--master-bind-port", port


@contextlib.contextmanager
def refusing_url() -> Iterator[str]:
    """Give the URL of a port that refuses connections, and is given to nobody else."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound but not listening
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


def make_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a self-signed certificate for 127.0.0.1; its file, and a server's context with it."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subprocess.run(
        [
            *command.split(),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
