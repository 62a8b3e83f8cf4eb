"""Batch or steady: whether work came in faster than it was done.

Latencies mean something in a steady run only. In a batch their percentiles grow with the number
of jobs, so its headline is how long it took and how fast it went at its plateau.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from kiosk_locust.formatting import units

#: How far L may be from lambda * W, and which share of the jobs may pile up, in a steady run.
TOLERANCE = 0.05
#: Of so few jobs, TOLERANCE is less than one job: they tell neither a batch nor a steady run.
FEWEST_JOBS = 20


class Stay(NamedTuple):
    """One job in the system; epoch seconds. ``ended_at`` is None of one that did not end."""

    submitted_at: float
    ended_at: float | None


@dataclass(frozen=True, slots=True)
class Regime:
    """What a run was, and by which figures.

    Over the window, ``in_system`` is the mean number of jobs in the Kiosk (L),
    ``arrivals_per_s`` their rate (lambda; n arrivals have n - 1 gaps between them) and ``stay_s``
    their mean duration (W), ``growth`` the share of the jobs that came in and piled up: what the
    number in the system grew by, by its slope, over the jobs. None where there was nothing to
    measure. ``kind`` is ``unknown`` of fewer than FEWEST_JOBS jobs.
    """

    kind: Literal["batch", "steady", "unknown"]
    in_system: float | None
    arrivals_per_s: float | None
    stay_s: float | None
    growth: float | None
    why: str


@dataclass(frozen=True, slots=True)
class Flow:
    """What came, stayed and piled up over one window; a cycle has one."""

    span_s: float
    arrivals: int
    stayed_s: float  # the sum over the jobs that arrived in it, to their ends
    inside_s: float  # the time that jobs spent within it
    piled_up: float  # the slope of the number in the system times the span: jobs


def flow(stays: Iterable[Stay], start_at: float, end_at: float, until: float) -> Flow:
    """What came and went between two moments.

    ``until`` is when the run was over: a job that did not end stayed until then. All in epoch
    seconds, read once, in any order, in constant memory.
    """
    span_s = end_at - start_at
    middle = (start_at + end_at) / 2
    arrivals, stayed_s, inside_s, moment = 0, 0.0, 0.0, 0.0
    for stay in stays:
        ended_at = until if stay.ended_at is None else stay.ended_at
        if start_at <= stay.submitted_at <= end_at:
            arrivals += 1
            stayed_s += max(0.0, ended_at - stay.submitted_at)
        low, high = max(start_at, stay.submitted_at), min(end_at, ended_at)
        if high > low:
            inside_s += high - low
            moment += (high - low) * ((high + low) / 2 - middle)
    # The least-squares slope of N(t) on t is 12 / span**3 times the integral of (t - middle) N(t).
    piled_up = 12 * moment / span_s**2 if span_s > 0 else 0.0
    return Flow(max(0.0, span_s), arrivals, stayed_s, inside_s, piled_up)


def unknown(jobs: int) -> Regime:
    """The regime of so few jobs."""
    why = f"{units.count(jobs, 'job')} came in, {FEWEST_JOBS} are needed to tell"
    return Regime("unknown", None, None, None, None, why)


def judged(flows: Sequence[Flow], cycles: int | None = None) -> Regime:
    """The regime of a run, by the windows of its cycles together.

    A run is steady where the jobs that piled up come to at most 5 % of those that came in,
    and where L = lambda * W (Little, Oper. Res. 9 (1961) 383) holds within 5 %; over a finite
    window the two sides differ by the work that is carried over its ends. Cycles are taken
    together, not each by itself: with many, one of them would look like a batch by chance.
    Fewer than FEWEST_JOBS jobs are not judged. ``cycles`` is how many cycles the flows are of,
    where that is not one each: one that was interrupted has a flow before and one after.
    """
    span_s = sum(each.span_s for each in flows)
    arrivals = sum(each.arrivals for each in flows if each.span_s)
    stayed_s = sum(each.stayed_s for each in flows if each.span_s)
    came = sum(each.arrivals for each in flows)
    if came < FEWEST_JOBS:
        return unknown(came)
    if not span_s:
        return Regime("batch", None, None, None, None, "all jobs were submitted at once")
    if not arrivals or stayed_s <= 0:
        return Regime("batch", None, None, None, None, "no job was in the system")
    rate = sum(max(0, each.arrivals - 1) for each in flows if each.span_s) / span_s
    growth = sum(each.piled_up for each in flows) / arrivals
    inside_s = sum(each.inside_s for each in flows)
    found = Regime("steady", inside_s / span_s, rate, stayed_s / arrivals, growth, "")
    # L / (lambda * W) - 1, with the arrivals that W is the mean of: they and the window cancel out.
    error = inside_s / stayed_s - 1
    return _judged(found, error, len(flows) if cycles is None else cycles)


def _judged(found: Regime, error: float, cycles: int) -> Regime:
    growth = found.growth or 0.0
    kind: Literal["batch", "steady", "unknown"] = "batch"
    if abs(growth) > TOLERANCE:
        what = "came in and piled up" if growth > 0 else "were worked off from a pile"
        why = f"{abs(growth):.0%} of the jobs {what}"
    elif abs(error) > TOLERANCE:
        why = f"the run was short beside its jobs: L is {error:+.0%} off lambda * W"
    else:
        kind, why = "steady", "the queue did not grow, and L = lambda * W within 5 %"
    over = f"over {cycles} cycles, " if cycles > 1 else ""
    return replace(found, kind=kind, why=over + why)
