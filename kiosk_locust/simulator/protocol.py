"""HTTP on one connection: uvicorn's protocol, with a fast path for frequent calls.

Most requests are small JSON calls with an immediate response. They are answered when their last
byte is read, without a task, an event and messages for each, which halves their cost. All others
use uvicorn's normal path: uploads, pages, the control interface, requests that a fault may affect,
and requests on a connection whose previous response is pending.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from kiosk_locust.simulator.answers import KEEP_ALIVE_S, SimulatedAnswer
from kiosk_locust.simulator.app import BODY_LIMIT, KioskApp

#: Method and target of the calls on the fast path.
SHORT = {
    (b"POST", b"/api/predict"),
    (b"POST", b"/api/status"),
    (b"POST", b"/api/redis"),
    (b"POST", b"/api/redis/expire"),
    (b"GET", b"/api/health-check"),
    (b"GET", b"/api/jobtypes"),
}
_HEAD = (
    b"content-type: %b\r\ncontent-length: %d\r\n"
    b"connection: keep-alive\r\nkeep-alive: timeout=" + str(KEEP_ALIVE_S).encode() + b"\r\n\r\n"
)


class KioskProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which also notes the start of requests and counts connections."""

    kiosk: KioskApp
    _counted = False
    _body: bytearray | None = None  # body of the fast path's request, while it is read
    _received_at = 0.0  # epoch s

    def on_message_begin(self) -> None:
        """Note the time first, and add time and transport to the scope."""
        self._received_at = self.kiosk.clock()
        self._body = None
        super().on_message_begin()
        scope: Any = self.scope  # a TypedDict without our keys
        scope["kiosk.received_at"] = self._received_at
        scope["kiosk.transport"] = self.transport

    def on_headers_complete(self) -> None:
        """Count the connection at its first request to the Kiosk itself; choose the path."""
        if not self._counted and not self.url.startswith(b"/simulator/"):
            self._counted = True
            self.kiosk.traffic.opened()
        if self._may_go_short():
            self._body = bytearray()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Collect the body; one byte above the limit marks it as too large."""
        if self._body is None:
            super().on_body(body)
        elif len(self._body) <= BODY_LIMIT:
            self._body += body

    def on_message_complete(self) -> None:
        """Respond at once on the fast path."""
        if self._body is None:
            super().on_message_complete()
            return
        raw = bytes(self._body) if len(self._body) <= BODY_LIMIT else None
        self._body = None
        method, path = self.parser.get_method().decode("ascii"), self.url.decode("ascii")
        answer = self.kiosk.answer_now(method, path, self.headers, raw, self._received_at)
        if not self.transport.is_closing():
            self.transport.write(self._on_the_wire(answer))
        self.on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection as closed."""
        if self._counted:
            self.kiosk.traffic.closed()
        super().connection_lost(exc)

    def _may_go_short(self) -> bool:
        """Tell if the request's body is all that its response needs."""
        return (
            (self.parser.get_method(), self.url) in SHORT
            and not self.kiosk.faults.rules
            and (self.cycle is None or self.cycle.response_complete)
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
        )

    def _on_the_wire(self, answer: SimulatedAnswer) -> bytes:
        usual = b"".join(b"%b: %b\r\n" % header for header in self.server_state.default_headers)
        head = _HEAD % (answer.content_type, len(answer.body))
        return STATUS_LINE[answer.status] + usual + head + answer.body
