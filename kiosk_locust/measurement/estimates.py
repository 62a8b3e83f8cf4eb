"""A figure that a run came to, with all that is known of how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """The bounds between which the true value lies with the confidence stated, 0.95 for 95 %."""

    low: float
    high: float
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class MeasuredFigure:
    """A measured value in the own unit of its kind (s, share, jobs, a second, USD).

    ``value`` is None where it could not be measured, and then ``why`` says why. With
    ``is_least`` the true value is known to be at least ``value``, and a threshold counts it as
    infinite: jobs that did not end might never have. With ``is_part``, too, it is at least
    ``value``, since a part of a sum is not known, but nothing says that it is far more. Without
    an interval, ``why`` may say why there is none.
    """

    value: float | None
    is_least: bool = False
    is_part: bool = False
    interval: Interval | None = None
    why: str = ""


def unmeasured(why: str) -> MeasuredFigure:
    """A figure that there is none of."""
    return MeasuredFigure(None, why=why)
