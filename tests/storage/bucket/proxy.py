"""A proxy before fake-gcs-server that breaks what it is told to break, and keeps a log.

fake-gcs-server ends an upload when it is asked how far it got, and minds no precondition of
uploads in pieces; the proxy does both as Google documents it
(https://cloud.google.com/storage/docs/performing-resumable-uploads).
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import requests

UNIT = 1 << 18  # a bucket keeps whole units of what it was sent
NOT_PASSED_ON = {"host", "content-length", "connection", "transfer-encoding", "accept-encoding"}


@dataclass
class Fault:
    """What goes wrong with the next request of this method whose target has these words."""

    method: str
    words: str
    kind: str  # answer, cut (the request or the answer), lose (the answer), damage (the body)
    status: int = 0
    body: str = ""
    after: int = 0  # bytes that get through before it is cut
    times: int = 1


@dataclass
class Session:
    """An upload in pieces, as the bucket sees it."""

    kept: int = 0
    finished: tuple[int, bytes] | None = None


@dataclass
class Proxy:
    """Where it listens, what shall go wrong, and what came."""

    upstream: str
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fault(self, method: str, target: str) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.method == method and fault.words in target:
                fault.times -= 1
                return fault
        return None

    def sent(self, method: str, words: str = "") -> list[str]:
        return [line for line in self.log if line.startswith(method) and words in line]


class Handler(BaseHTTPRequestHandler):
    """Serves one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: Proxy

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        wanted = self.headers.get("Content-Range", "")
        self.proxy.log.append(f"{self.command} {self.path} {wanted}".rstrip())
        fault = self.proxy.fault(self.command, f"{self.path} {wanted}")
        length = int(self.headers.get("Content-Length") or 0)
        cut = fault is not None and fault.kind == "cut" and self.command != "GET"
        body = self.rfile.read(min(length, fault.after) if fault and cut else length)
        if fault and fault.kind == "answer":
            self._answer(fault.status, fault.body.encode(), {"Content-Type": "application/json"})
            return
        if fault and fault.kind == "damage":
            middle = len(body) // 2  # of the file, even where a head and a boundary are about it
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        if "upload_id=" in self.path:
            status, content, headers = self._piece(body, wanted)
        elif cut:
            status, content, headers = 0, b"", {}
        elif "uploadType=resumable" in self.path and self._is_taken(body):
            status, content, headers = 412, b'{"error": {"message": "conditionNotMet"}}', {}
        else:
            status, content, headers = self._forward(body)
        if cut or (fault and fault.kind == "lose"):
            self._reset()
        elif fault and fault.kind == "cut":
            self._answer(status, content, headers, only=fault.after)
            self._reset()
        else:
            self._answer(status, content, headers)

    def _piece(self, body: bytes, wanted: str) -> tuple[int, bytes, dict[str, str]]:
        """Take a piece of an upload, or say how far it got."""
        session = self.proxy.sessions.setdefault(self.path, Session())
        found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+)", wanted)
        assert found, wanted
        total = int(found[2])
        if found[1] is not None and session.finished is None:
            body = body[session.kept - int(found[1]) :]
            end = session.kept + len(body)
            if end < total:
                end -= (end - session.kept) % UNIT
            if end > session.kept:
                part = body[: end - session.kept]
                span = {"Content-Range": f"bytes {session.kept}-{end - 1}/{total}"}
                status, content, _ = self._forward(part, span)
                assert status in (200, 308), content
                session.kept = end
                if end == total:
                    session.finished = (status, content)
        if session.finished:
            return *session.finished, {}
        kept = {"Range": f"bytes=0-{session.kept - 1}"} if session.kept else {}
        return 308, b"", kept

    def _is_taken(self, body: bytes) -> bool:
        query = parse_qs(urlsplit(self.path).query)
        (wanted,) = query.get("ifGenerationMatch", [""])
        if not wanted:
            return False
        bucket = re.search(r"/b/([^/]+)/", self.path)
        assert bucket
        name = quote(json.loads(body)["name"], safe="")
        there = f"{self.proxy.upstream}/storage/v1/b/{bucket[1]}/o/{name}"
        answer = requests.get(there, timeout=10)
        return (str(answer.json()["generation"]) if answer.ok else "0") != wanted

    def _forward(
        self, body: bytes, more: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in NOT_PASSED_ON}
        answer = requests.request(
            self.command,
            self.proxy.upstream + self.path,
            data=body,
            headers=headers | (more or {}),
            timeout=30,
            allow_redirects=False,
        )
        found = {k: v for k, v in answer.headers.items() if k.lower() not in NOT_PASSED_ON}
        if location := found.get("Location"):
            found["Location"] = location.replace(self.proxy.upstream, self.proxy.url)
        content = answer.content
        if "json" in answer.headers.get("Content-Type", ""):  # it tells where to download
            content = content.replace(self.proxy.upstream.encode(), self.proxy.url.encode())
        return answer.status_code, content, found

    def _answer(
        self, status: int, content: bytes, headers: dict[str, str], only: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:only])

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """One that does not complain of connections that broke."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass


@contextmanager
def proxy_before(upstream: str) -> Iterator[Proxy]:
    proxy = Proxy(upstream)
    server = Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"proxy": proxy}))
    proxy.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
