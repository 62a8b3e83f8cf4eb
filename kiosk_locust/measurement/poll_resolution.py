"""The figures of a run that its own poll interval blurs, and one that would sharpen them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kiosk_locust.formatting import units

#: An error above this share of the median duration is worth a word.
BLURRED = 0.1
#: What would be sharp: an error of this share of the median duration.
SHARP = 0.05
#: No shorter interval is advised: each poll is a request.
SHORTEST_S = 0.2


@dataclass(frozen=True, slots=True)
class Polling:
    """How far polls blur a run; seconds, None where not known.

    ``bounded`` jobs ended without a usable ``finished_at``, so that polls bound their end.
    ``error_s`` is the p95 of how far durations may be off, by polls and by the clocks that
    they bound. ``sharper_s`` is the UPDATE_INTERVAL that would sharpen them, and ``note``
    says so; empty where nothing is blurred.
    """

    interval_s: float | None
    bounded: int
    error_s: float | None
    sharper_s: float | None
    note: str


def polling(
    interval_s: float | None,
    bounded: int,
    *,
    median_s: float | None,
    error_s: float | None,
    waited_s: float | None = None,
    is_few: bool = False,
    unsplit: int = 0,
    zip_s: float | None = None,
) -> Polling:
    """Judge how far an interval blurs durations of this median.

    ``waited_s`` is the median polling delay of a closed workload, whose users begin their next
    job only once a poll saw the end of the last one; None in an open one. Of so few jobs that
    they have no p95 (``is_few``), ``error_s`` is the greatest. Of ``unsplit`` ZIPs, whose median
    duration is ``zip_s``, polls do not tell the stages apart.
    """
    sharp, blurred = Polling(interval_s, bounded, error_s, None, ""), []
    if interval_s is None or not median_s:
        return sharp
    worst_s = 0.0
    if error_s is not None and error_s > BLURRED * median_s:
        worst_s = error_s
        of_them = f" ({units.count(bounded, 'job')} without finished_at)" if bounded else ""
        known = f"{units.seconds(error_s)} ({'at most' if is_few else 'p95'})"
        blurred.append(
            f"durations are known within {known}{of_them}, beside a median"
            f" of {units.seconds(median_s)}"
        )
    if waited_s is not None and waited_s > BLURRED * median_s:
        worst_s = max(worst_s, waited_s)
        blurred.append(
            f"users waited {units.seconds(waited_s)} (median) for a poll before their next job,"
            " which throughput and makespan have in them"
        )
    sharper_s = _rounded(interval_s * SHARP * median_s / worst_s) if worst_s else interval_s
    if unsplit and zip_s:
        sharper_s = min(sharper_s, _rounded(SHARP * zip_s))
        blurred.append(
            f"when {units.count(unsplit, 'ZIP')} left the queue is not known, beside a median"
            f" duration of {units.seconds(zip_s)}"
        )
    if not blurred or sharper_s >= interval_s:
        return sharp
    note = (
        f"UPDATE_INTERVAL={interval_s:g} s blurs: {'; '.join(blurred)}."
        f" UPDATE_INTERVAL={sharper_s:g} would sharpen that"
    )
    return Polling(interval_s, bounded, error_s, sharper_s, note)


def _rounded(interval_s: float) -> float:
    """To one digit, downwards."""
    if interval_s <= SHORTEST_S:
        return SHORTEST_S
    unit = 10.0 ** math.floor(math.log10(interval_s))
    return round(math.floor(interval_s / unit) * unit, 6)
