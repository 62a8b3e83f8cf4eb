"""Sentences on a whole run: its headline, and a line on each pause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kiosk_locust.formatting import units
from kiosk_locust.ledger.sessions import Gap
from kiosk_locust.measurement.plateau import Plateau
from kiosk_locust.measurement.steady_state import Regime

#: Of more pauses, one line tells of all.
_MOST_LINES = 3


def headline(
    regime: Regime,
    done: tuple[int, int],
    makespan_s: float | None,
    images_per_s: float | None,
    *,
    plateau: Plateau,
    latency: Mapping[str, Mapping[str, Any]],
) -> str:
    """A batch is told by how long it took, a steady run by its latency.

    ``done`` are jobs and images; ``latency`` is that of durations, by percentile. Of a run too
    small to be either, these are all.
    """
    if regime.kind == "unknown":
        jobs, images = (units.count(number, noun) for number, noun in zip(done, _OF, strict=True))
        return (
            f"{jobs} and {images} done in {units.seconds(makespan_s)}"
            if done[0]
            else "no job is done"
        )
    if regime.kind == "batch":
        return f"batch ({regime.why}): {units.seconds(makespan_s)}, {_pace(images_per_s, plateau)}"
    told = []
    for name in ("p50", "p95"):
        if latency[name]["value_s"] is None:
            continue
        least = "> " if latency[name]["is_least"] else ""
        told.append(f"{name} {least}{units.seconds(latency[name]['value_s'])}")
    return f"steady: {', '.join(told)} a job at {units.rate(regime.arrivals_per_s, 'jobs')}"


_OF = ("job", "image")


def _pace(images_per_s: float | None, plateau: Plateau) -> str:
    if plateau.images_per_s is None:
        return f"{units.rate(images_per_s, 'images')} over the makespan, no plateau"
    kind = "" if plateau.kind == "unknown" else f" {plateau.kind}"
    return f"{units.rate(plateau.images_per_s, 'images')} at its{kind} plateau"


def pause_lines(pauses: Sequence[Gap], start_at: float | None) -> tuple[str, ...]:
    """Who ended it, when and for how long: a line each, one for all where there are many.

    ``start_at`` is the first due time in epoch seconds, None where no job was due.
    """
    if len(pauses) > _MOST_LINES:
        longest = max(pauses, key=lambda gap: gap.seconds)
        whole_s = sum(gap.seconds for gap in pauses)
        return (
            f"{len(pauses):,} times, for {units.seconds(whole_s)} in all; the longest"
            f" {_line(longest, start_at)}",
        )
    return tuple(_line(gap, start_at) for gap in pauses)


def _line(gap: Gap, start_at: float | None) -> str:
    at = (
        ""
        if start_at is None
        else f", from {units.seconds(gap.begin - start_at)} after the first due time on"
    )
    why = gap.ended_by or "the cause is not known"
    return f"{units.seconds(gap.seconds)}{at} ({why})"
