"""HTTP responses in the form of the frontend (Express on Node)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = b"application/json; charset=utf-8"
TEXT = b"text/plain; charset=utf-8"
HTML = b"text/html; charset=utf-8"
_ENCODER = json.JSONEncoder(separators=(",", ":"))  # json.dumps would create one per call
#: Header of every response that identifies the simulator.
IDENTITY = ("X-Kiosk", "simulated")
KEEP_ALIVE_S = 5  # as Node: an idle connection is closed after this time


class SimulatedAnswer(NamedTuple):
    """A whole response, with headers beyond the usual ones in ``extra``."""

    status: int
    body: bytes
    content_type: bytes = JSON
    extra: tuple[tuple[bytes, bytes], ...] = ()


def json_answer(value: object, status: int = 200) -> SimulatedAnswer:
    """Response in JSON, as compact as Node writes it."""
    return SimulatedAnswer(status, _ENCODER.encode(value).encode())


BAD_JSON = json_answer({"message": "Bad Request", "stack": {}}, 400)
TOO_LARGE = json_answer({"message": "Payload Too Large", "stack": {}}, 413)
NOT_FOUND = json_answer({}, 404)
NO_FILE = SimulatedAnswer(400, b"Bad Request", TEXT)
SERVER_ERROR = SimulatedAnswer(500, b"Internal Server Error", TEXT)
HOME = SimulatedAnswer(
    200,
    b"<!doctype html><title>Simulated Kiosk</title><p>This is a simulated DeepCell Kiosk."
    b' See <a href="/simulator/state">its state</a>.',
    HTML,
)

_CLOSE = (b"connection", b"close")
_KEEP = (
    (b"connection", b"keep-alive"),
    (b"keep-alive", b"timeout=%d" % KEEP_ALIVE_S),
)


async def send_answer(answer: SimulatedAnswer, scope: Scope, send: Send) -> None:
    """Send a response; close the connection if the client asks for it or speaks HTTP/1.0."""
    closing = scope["http_version"] == "1.0" or _CLOSE in scope["headers"]
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
        *((_CLOSE,) if closing else _KEEP),
        *answer.extra,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
