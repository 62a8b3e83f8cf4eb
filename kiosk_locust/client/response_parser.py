"""One HTTP answer as it comes from the wire, piece by piece."""

from __future__ import annotations

import re

from geventhttpclient.response import HTTPParseError, HTTPResponse

_KEEP_ALIVE_TIMEOUT = re.compile(r"\btimeout\s*=\s*(\d{1,6})", re.IGNORECASE)


WRAPPING_BYTES = 64 * 1024


class Oversized(Exception):
    """The answer weighs more than was allowed; says what does."""


class HttpAnswer(HTTPResponse):
    """The first final (not 1xx) answer to one request.

    ``status`` is 0 and ``fields`` (its headers) is empty until its headers are complete. A
    server that sends more than one answer gets its first one taken and its connection dropped.
    """

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self.status = 0
        self.fields: dict[str, str] = {}  # its headers, names in lower case
        self.body = bytearray()
        self.complete = False
        self.closed = False  # the connection ended
        self._wire_bytes = 0
        self._surplus = False
        self._keep_alive = False

    @property
    def is_error(self) -> bool:
        """Whether the status is known already, and is not one of success."""
        return self.status >= 300

    @property
    def may_be_kept(self) -> bool:
        """Whether the connection can carry another request."""
        return self.complete and not self.closed and not self._surplus and self._keep_alive

    @property
    def kept_s(self) -> float | None:
        """How long the server promises to keep an idle connection (``Keep-Alive``)."""
        found = _KEEP_ALIVE_TIMEOUT.search(self.fields.get("keep-alive", ""))
        return float(found[1]) if found else None

    def feed(self, data: str | bytes) -> None:
        """Take the next bytes; none means that the connection was closed.

        Raises geventhttpclient's HTTPParseError (an http.client.HTTPException) for what is
        not HTTP, and for an end that comes too early.
        """
        self._wire_bytes += len(data)
        self.closed = not data
        try:
            super().feed(data)
        except HTTPParseError:
            if not self.complete:
                raise
            self._surplus = True
        if self.closed and not self.complete:  # the parser minds an end only inside an answer
            raise HTTPParseError("the connection was closed before an answer")

    def check_size(self, limit_bytes: int) -> None:
        """Raise Oversized where the body is, or says it will be, larger than the limit.

        Headers, and what chunks of the body are wrapped in, may add ``WRAPPING_BYTES``.
        """
        if not self.status:
            if self._wire_bytes > WRAPPING_BYTES:
                raise Oversized(f"headers of more than {WRAPPING_BYTES:,} bytes")
            return
        announced = int(self.fields.get("content-length", "0"))
        wrapped = self._wire_bytes - WRAPPING_BYTES
        if max(len(self.body), announced, wrapped) > limit_bytes:
            raise Oversized(f"more than {limit_bytes:,} bytes")

    def _on_message_begin(self) -> None:
        if self.complete:
            self._surplus = True
        super()._on_message_begin()

    def _on_headers_complete(self) -> int | bool | None:
        skip_body = super()._on_headers_complete()
        if not self.complete and self.get_code() >= 200:
            self.status = self.get_code()
            for name, value in self.info().iterlower():
                known = self.fields.get(name)
                self.fields[name] = value if known is None else f"{known}, {value}"
        return skip_body

    def _on_body(self, buf: bytearray) -> None:
        if not self.complete:
            self.body += buf

    def _on_message_complete(self) -> None:
        super()._on_message_complete()
        if self.status and not self.complete:
            self.complete = True
            self._keep_alive = self.should_keep_alive()
