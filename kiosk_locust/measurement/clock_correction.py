"""Durations that mix two of the Kiosk's clocks, set right as far as their offsets are known."""

from __future__ import annotations

import math
from typing import NamedTuple

from kiosk_locust.measurement.clocks import Bound

_UNKNOWN = Bound(-math.inf, math.inf)


class Corrected(NamedTuple):
    """A job's duration by our clock's rate; seconds.

    The truth lies between ``low_s`` and ``high_s``. ``duration_s`` is what the server's two
    stamps say where that lies between them (``is_corrected`` is false: nothing shows that the
    clocks differ), else the middle. It is None where the bounds contradict one another.
    ``flaw`` names what is wrong with the stamps; it is empty where nothing is.
    """

    duration_s: float | None
    stamped_s: float
    low_s: float
    high_s: float
    is_corrected: bool
    flaw: str

    @property
    def error_s(self) -> float:
        """How far the truth may be from ``duration_s``; infinite where nothing bounds it."""
        if self.duration_s is None:
            return math.inf
        return max(self.high_s - self.duration_s, self.duration_s - self.low_s)


def correct(
    created_at: float,
    finished_at: float,
    *,
    frontend: Bound | None,
    consumer: Bound | None,
    watched_s: float | None = None,
) -> Corrected:
    """The duration from a creation by the frontend's clock to an end by a consumer's.

    ``frontend`` and ``consumer`` are the offsets of those clocks at these moments (None: not
    known). ``watched_s`` is the time from the sending of the submission to the poll that saw the
    end, which no duration exceeds. finished_at - created_at is too long by the offset of the
    consumer less that of the frontend.
    """
    stamped_s = finished_at - created_at
    early, late = frontend or _UNKNOWN, consumer or _UNKNOWN
    watched = math.inf if watched_s is None else watched_s
    low_s = max(0.0, stamped_s - (late.high_s - early.low_s))
    high_s = min(watched, stamped_s - (late.low_s - early.high_s))
    flaw = _flaw(stamped_s, watched)
    if low_s > high_s:
        contradiction = flaw or "its clocks contradict one another"
        return Corrected(None, stamped_s, low_s, high_s, is_corrected=False, flaw=contradiction)
    fits = low_s <= stamped_s <= high_s
    if not fits and math.isinf(high_s):  # nothing bounds it from above
        return Corrected(None, stamped_s, low_s, high_s, is_corrected=False, flaw=flaw)
    duration_s = stamped_s if fits else (low_s + high_s) / 2
    return Corrected(duration_s, stamped_s, low_s, high_s, is_corrected=not fits, flaw=flaw)


def _flaw(stamped_s: float, watched_s: float) -> str:
    if stamped_s < 0:
        return "it ended before it was created, by the Kiosk's clocks"
    if stamped_s > watched_s:
        return "it took longer, by the Kiosk's clocks, than it was watched"
    return ""
