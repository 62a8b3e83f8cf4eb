"""One request on its way: how far it came, and what it means that it came no further."""

from __future__ import annotations

from collections.abc import Callable

from kiosk_locust.client import messages
from kiosk_locust.client.response_parser import HttpAnswer, Oversized
from kiosk_locust.errors import (
    BadAnswer,
    KioskError,
    NoAnswer,
    Timing,
    TooLarge,
    Unreachable,
    Withdrawn,
)


class Call:
    """How far one request to ``url`` came; times in epoch seconds."""

    __slots__ = (
        "asked_at",
        "method",
        "most_bytes",
        "moved_at",
        "path",
        "sent_at",
        "socket_at",
        "url",
        "wanted",
        "whole_at",
    )

    def __init__(
        self,
        method: str,
        path: str,
        url: str,
        asked_at: float,
        most_bytes: int,
        *,
        wanted: Callable[[], bool] | None,
    ) -> None:
        self.method = method
        self.path = path
        self.url = url  # of the server, without the path
        self.asked_at = asked_at
        self.socket_at = asked_at  # until it has a place
        self.most_bytes = most_bytes  # of the answer's body
        self.wanted = wanted
        self.sent_at: float | None = None
        self.moved_at: float | None = None  # the last piece of its body was given to the socket
        self.whole_at: float | None = None  # the last of all

    @property
    def still_since(self) -> float:
        """The moment since which nothing has moved: it waits for the server."""
        return self.moved_at or self.socket_at

    def timing(self, received_at: float | None = None) -> Timing:
        """The times so far."""
        return Timing(self.asked_at, self.socket_at, self.sent_at, received_at)

    @property
    def where(self) -> str:
        """What was asked, for messages."""
        return f"{self.method} {self.url}{self.path}"

    def check_wanted(self) -> None:
        """Raise Withdrawn if it is wanted no more."""
        if self.wanted is None or self.wanted():
            return
        error = Withdrawn(f"{self.where} was not sent: it was no longer wanted")
        error.timing = self.timing()
        raise error

    def unreachable(self, why: str) -> Unreachable:
        """The error of a request that was surely not sent."""
        error = Unreachable(f"{self.where} was not sent: {why}")
        error.timing = self.timing()
        return error

    def failed(self, why: str, within: str = "") -> KioskError:
        """The error of a request that broke off: what it is depends on how far it came."""
        if self.sent_at is None:
            return self.unreachable(messages.not_connected(within))
        error = NoAnswer(
            f"{self.where} {messages.no_whole_answer(self.method, why)}",
            sent_whole=self.whole_at is not None,
        )
        error.timing = self.timing()
        return error

    def late(self, limit_s: float, slowest_bytes_s: float) -> KioskError:
        """The error of a request that had no whole answer within its limit.

        ``slowest_bytes_s`` is what the limit of a body that was sent in pieces goes by, too.
        """
        within = messages.within(limit_s, None if self.whole_at is None else slowest_bytes_s)
        return self.failed(f"no whole answer came {within}", within)

    def too_large(self, answer: HttpAnswer, what: Oversized) -> TooLarge:
        """The error of a 2xx answer that weighs too much."""
        status = answer.status or answer.get_code()
        error = TooLarge(f"{self.where} {messages.oversized(status, what)}", status=status)
        error.timing = self.timing()
        return error

    def encoded(self, status: int, encoding: str, received_at: float) -> BadAnswer:
        """The error of a 2xx answer that is packed."""
        error = BadAnswer(f"{self.where} {messages.packed(status, encoding)}", status=status)
        error.timing = self.timing(received_at)
        return error
