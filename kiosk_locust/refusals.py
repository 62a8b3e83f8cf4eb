"""Warns early of polls that are refused: without a cure they hold their tickets for an hour."""

from __future__ import annotations

import logging

from kiosk_locust.errors import Answered
from kiosk_locust.http.answers import refusal_advice
from kiosk_locust.http.exchange import RequestSample

logger = logging.getLogger(__name__)

#: What reads a job's status.
POLL = "/api/redis"
#: So long no poll may have succeeded: one refusal may be an ingress that is reloaded.
PATIENCE_S = 10.0
#: How often the same is said again.
AGAIN_S = 600.0
#: These answers are of a Kiosk that is busy: they pass by themselves (see `http.answers`).
_PASS = frozenset({408, 429})


class Refusals:
    """Hears of each request of a process, and warns once no poll but refused ones came back."""

    def __init__(self) -> None:
        self._since: float | None = None  # the first refusal after the last good poll
        self._warned_at: float | None = None

    def on_request(self, sample: RequestSample) -> None:
        """A request to the Kiosk has ended."""
        if sample.name != POLL:
            return
        error = sample.error
        if error is None:
            self._since = self._warned_at = None
        elif isinstance(error, Answered) and error.status < 500 and error.status not in _PASS:
            self._refused(error.status, sample.started_at + sample.response_time_s)

    def _refused(self, status: int, at: float) -> None:
        if self._since is None:
            self._since = at
        for_s = at - self._since
        if for_s < PATIENCE_S or (self._warned_at is not None and at - self._warned_at < AGAIN_S):
            return
        self._warned_at = at
        logger.warning(
            "for %.0f s all polls (POST %s) have been refused, the last one with %d: %s; jobs in"
            " flight are asked for until RETRY_BUDGET is over, and go on once that is mended, or"
            " press Ctrl-C, mend it, and go on with --resume",
            *(for_s, POLL, status, _advice(status)),
        )


def _advice(status: int) -> str:
    if status < 400:
        return "it redirects, as to a login page; is API_HOST right?"
    return refusal_advice(status)
