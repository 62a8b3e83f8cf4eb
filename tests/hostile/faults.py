"""What goes wrong with a request: by name, as bytes on a socket, and as the transport tells it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

from kiosk_locust.errors import BadAnswer, KioskError, NoAnswer, TooLarge, Unreachable
from tests.helpers.servers import Behaviour, Connection, raw_answer

#: What Retry-After asks for, in seconds.
RETRY_AFTER_S = 3
HUGE_BYTES = 100 * 1024 * 1024
JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """An answer that is not the Kiosk's own; a body of None is that of the true answer."""

    status: int
    body: bytes | None = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)

    def headers_at(self, now: float, path: str) -> dict[str, str]:
        """Its headers at that moment, to a request for ``path``."""
        later = format_datetime(datetime.fromtimestamp(now + RETRY_AFTER_S, UTC), usegmt=True)
        return {
            name: value.replace("{later}", later).replace("{path}", path)
            for name, value in self.headers.items()
        }


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    ``arrives``: the Kiosk may have done what was asked, and at worst it has. ``errors`` are those
    that the transport raises, where it hands no answer on; ``waits``: it waits for its time limit
    before that. ``play`` is what a server does to a connection, of which one request was read;
    where ``at_once`` is set, none was.
    """

    name: str
    arrives: bool
    answer: Answer | None = None
    errors: tuple[type[KioskError], ...] = ()
    waits: bool = False
    at_once: bool = False
    play: Callable[[Connection], None] | None = None


def _hang(connection: Connection) -> None:
    connection.server.stopping.wait()


def _drip(connection: Connection) -> None:
    for byte in raw_answer(200, b'{"message": "OK"}'):
        if not connection.send(bytes([byte])) or connection.server.stopping.wait(0.2):
            return


def _pour(connection: Connection) -> None:
    """100 MB in chunks, so that nothing tells how much will come."""
    block = b"10000\r\n" + b"\0" * 0x10000 + b"\r\n"
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(HUGE_BYTES // 0x10000):
        if not connection.send(block):
            return
    connection.send(b"0\r\n\r\n")


def _bomb(connection: Connection) -> None:
    packed = gzip.compress(b"\0" * (20 * 1024 * 1024))
    connection.send(raw_answer(200, packed, JSON, Content_Encoding="gzip"))


def _answers(name: str, *, arrives: bool, **answer: object) -> Fault:
    return Fault(name, arrives, Answer(**answer))  # type: ignore[arg-type]  # its fields


_PAGE = b"<!DOCTYPE html><html><head><title>%s</title></head><body>nginx</body></html>"
_HTML = "text/html"

FAULTS = (
    Fault("refused", arrives=False, errors=(Unreachable,), at_once=True),
    Fault(
        "reset before the request is read",
        arrives=False,
        errors=(NoAnswer, Unreachable),
        at_once=True,
    ),
    Fault("reset after it", arrives=True, errors=(NoAnswer,), play=Connection.reset),
    Fault("hang", arrives=True, errors=(NoAnswer,), waits=True, play=_hang),
    Fault("slow drip", arrives=True, errors=(NoAnswer,), waits=True, play=_drip),
    _answers("30x loop", arrives=False, status=308, headers={"Location": "{path}"}),
    _answers("400", arrives=False, status=400, body=b'{"message": "Invalid."}'),
    _answers("401", arrives=False, status=401, body=_PAGE % b"401", content_type=_HTML),
    _answers("403", arrives=False, status=403, body=_PAGE % b"403", content_type=_HTML),
    _answers("404", arrives=False, status=404, body=b"{}"),
    _answers("408", arrives=False, status=408),
    _answers("413", arrives=False, status=413, body=_PAGE % b"413", content_type=_HTML),
    _answers("429", arrives=False, status=429),
    _answers(
        "429 with seconds", arrives=False, status=429, headers={"Retry-After": str(RETRY_AFTER_S)}
    ),
    _answers("429 with a date", arrives=False, status=429, headers={"Retry-After": "{later}"}),
    _answers("500", arrives=True, status=500, body=json.dumps({"message": "boom"}).encode()),
    _answers(
        "500 of Redis",
        arrives=False,
        status=500,
        body=json.dumps({"message": {"command": {"name": "hmset", "args": ["k"]}}}).encode(),
    ),
    _answers(
        "502 HTML", arrives=True, status=502, body=_PAGE % b"502 Bad Gateway", content_type=_HTML
    ),
    _answers("503", arrives=False, status=503),
    _answers("504", arrives=True, status=504, body=_PAGE % b"504", content_type=_HTML),
    _answers("invalid JSON", arrives=True, status=200, body=b'{"message": "OK", '),
    _answers("JSON of another shape", arrives=True, status=200, body=b'{"other": [1, {}]}'),
    _answers(
        "login page as 200",
        arrives=True,
        status=200,
        body=_PAGE % b"Sign in",
        content_type=_HTML,
    ),
    _answers("invalid UTF-8", arrives=True, status=200, body=b'{"message": "\xff\xfe"}'),
    Fault("100 MB body", arrives=True, errors=(TooLarge,), play=_pour),
    Fault("gzip bomb", arrives=True, errors=(BadAnswer,), play=_bomb),
    _answers("wrong content type", arrives=True, status=200, body=None, content_type="text/plain"),
)
BY_NAME = {fault.name: fault for fault in FAULTS}


def bytes_of(answer: Answer, now: float, path: str, true_body: bytes) -> bytes:
    """An answer as it goes over the wire."""
    body = true_body if answer.body is None else answer.body
    headers = answer.headers_at(now, path)
    return raw_answer(answer.status, body, answer.content_type, **headers)


def behaviour(fault: Fault, now: Callable[[], float], true_body: bytes = b"{}") -> Behaviour:
    """A server that does nothing else."""

    def behave(connection: Connection) -> None:
        if fault.at_once:
            connection.reset()
            return
        while request := connection.read_request():
            if fault.answer is None:
                assert fault.play is not None
                fault.play(connection)
                return
            connection.send(bytes_of(fault.answer, now(), request.path, true_body))

    return behave
