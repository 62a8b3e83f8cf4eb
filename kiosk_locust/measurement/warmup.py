"""Warm-up and cool-down: which jobs are left out of summaries, and where a cut would be right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from kiosk_locust.parsing import duration

_JOBS = re.compile(r"(\d+)\s*jobs?", re.IGNORECASE)
_BATCH = 5


@dataclass(frozen=True, slots=True)
class Trim:
    """What is cut from one end of a cycle: a number of jobs or a time; both 0 cut nothing."""

    jobs: int = 0
    time_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Kept:
    """The part of a cycle that summaries are over.

    Jobs due (in a closed workload: submitted) from ``start_at`` to ``end_at``, both included;
    None on a side where nothing is cut. ``cut`` is how many are left out. Of jobs that are due
    at one moment, all are kept or cut.
    """

    start_at: float | None
    end_at: float | None
    cut: int

    def has(self, due_at: float) -> bool:
        """Whether a job that was due then counts."""
        after = self.start_at is None or due_at >= self.start_at
        return after and (self.end_at is None or due_at <= self.end_at)


def parse(text: str) -> Trim:
    """What ``100 jobs`` or ``2min`` says; ValueError with the right form where it says nothing.

    A number alone is refused: jobs and seconds are too easily taken for one another.
    """
    if text.strip() in ("", "0"):
        return Trim()
    if jobs := _JOBS.fullmatch(text.strip()):
        return Trim(jobs=int(jobs[1]))
    try:
        return Trim(time_s=duration(text, bare=False))
    except ValueError:
        raise ValueError(
            "a number of jobs or a time is needed: 100 jobs, 90s, 2min, 1h30m"
        ) from None


def kept(due_at: Sequence[float], warmup: Trim, cooldown: Trim) -> Kept:
    """What a warm-up and a cool-down leave of a cycle whose jobs are due then (ascending).

    A time counts from the first job or back from the last. If they leave nothing, ``cut`` is
    the number of all jobs.
    """
    if not due_at:
        return Kept(None, None, 0)
    start_at = end_at = None
    if warmup.jobs:
        start_at = due_at[warmup.jobs] if warmup.jobs < len(due_at) else float("inf")
    elif warmup.time_s:
        start_at = due_at[0] + warmup.time_s
    if cooldown.jobs:
        end_at = due_at[-1 - cooldown.jobs] if cooldown.jobs < len(due_at) else float("-inf")
    elif cooldown.time_s:
        end_at = due_at[-1] - cooldown.time_s
    found = Kept(start_at, end_at, 0)
    return Kept(start_at, end_at, sum(not found.has(moment) for moment in due_at))


def mser5(values: Sequence[float]) -> int | None:
    """How many of the first values are best left out, by MSER-5; None where it cannot tell.

    Means of five values each are taken; cut after d of m of them, where the squared error of
    the mean of the rest, sum((y - mean) ** 2) / (m - d) ** 2, is least (White, Simulation 69
    (1997) 323; White, Cobb and Spratt, Proc. Winter Simulation Conf. 2000, 755). A least value
    in the second half says that the run was too short to have a steady part, as do fewer than 10
    batches. ``values`` are durations in the order in which their jobs were due.
    """
    batches = [
        sum(values[start : start + _BATCH]) / _BATCH
        for start in range(0, len(values) - _BATCH + 1, _BATCH)
    ]
    count = len(batches)
    if count < 10:
        return None
    shift = batches[-1]  # values near 0 lose no digits in their squares
    moved = [value - shift for value in reversed(batches)]
    sums = list(accumulate(moved))
    squares = list(accumulate(value * value for value in moved))
    best, best_error = 0, float("inf")
    for cut in range(count - _BATCH):  # a mean of the last few is nearly without error
        rest = count - cut
        spread = max(0.0, squares[rest - 1] - sums[rest - 1] ** 2 / rest)
        error = spread / rest**2
        if error < best_error:
            best, best_error = cut, error
    return best * _BATCH if best <= count // 2 else None
