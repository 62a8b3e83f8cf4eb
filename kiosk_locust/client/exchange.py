"""One request and its answer, as the transport hands them on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kiosk_locust.errors import Timing


class Exchange(NamedTuple):
    """One request and its answer; times in epoch seconds of the transport's clock."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    asked_at: float  # began to wait for a socket of the pool
    socket_at: float  # had one of the pool's places
    sent_at: float  # right before the first byte was given to the socket
    received_at: float  # the whole answer was there
    whole_at: float | None = None  # the end of a body that is sent in pieces was sent

    @property
    def answered_in_s(self) -> float:
        """Seconds that the server took, from the request's last byte to the whole answer."""
        return self.received_at - (self.whole_at or self.sent_at)

    @property
    def timing(self) -> Timing:
        """The times alone, as errors carry them."""
        return Timing(self.asked_at, self.socket_at, self.sent_at, self.received_at)


class RequestSample(NamedTuple):
    """One request as Locust's statistics want it; the wait for a place is not part of it."""

    method: str
    name: str  # the path
    response_time_s: float  # from having a place to the answer or the failure
    response_length: int  # bytes of body
    error: Exception | None  # also for an answer with a status of 300 or more
    started_at: float  # had a place, epoch seconds
    socket_wait_s: float = 0.0  # waited for that place
    base_url: str = ""  # without user name and password; the URL is this and the path
    exchange: Exchange | None = None  # where a whole answer came

    @property
    def url(self) -> str:
        """The whole URL that was requested."""
        return self.base_url + self.name
