"""What a run reports beside what really happened, as the simulated Kiosk's own log has it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.helpers.real import Finished, Simulator

#: The frontend's stamps are cut off to whole milliseconds; floats of epoch seconds add 1 µs.
STAMP_S = 1.002e-3


@dataclass(frozen=True)
class Told:
    """One job as the results have it, and as it really was; times in epoch seconds."""

    job: dict[str, Any]
    arrived_at: float  # the first byte of its submission, at the server
    created_at: float
    started_at: float
    ended_at: float

    @property
    def duration_s(self) -> float:
        return self.ended_at - self.created_at


def told(finished: Finished, kiosk: Simulator) -> list[Told]:
    """Every job of a run in order of its ticket; each is known to both sides, or it raises."""
    lives = kiosk.lives
    arrived = {each["hash"]: each["at"] for each in kiosk.submissions}
    return [
        Told(
            job,
            arrived[job["job_id"]],
            *(lives[job["job_id"]][name] for name in ("created_at", "started_at", "ended_at")),
        )
        for job in finished.jobs
    ]


def duration_errors(jobs: Sequence[Told]) -> list[float]:
    """How far each reported duration is off, in seconds."""
    return [abs(each.job["duration_s"] - each.duration_s) for each in jobs]


def beyond_their_bounds(jobs: Sequence[Told]) -> list[str]:
    """Every time that lies farther from the truth than it says; empty where all hold."""
    found = []
    for each in jobs:
        job = each.job
        if not job["observed_after"] <= each.ended_at + 1e-3 or each.ended_at > job["observed_at"]:
            found.append(f"{job['job_id']}: it ended at {each.ended_at}, outside what was observed")
        error_s = abs(job["duration_s"] - each.duration_s)
        if job["duration_error_s"] is not None and error_s > job["duration_error_s"] + STAMP_S:
            found.append(f"{job['job_id']}: off by {error_s} s, and says {job['duration_error_s']}")
        lag_s = job["submitted_at"] - job["due_at"]
        if not -1e-3 <= (each.arrived_at - job["due_at"]) - lag_s <= job["submission_http_s"]:
            found.append(f"{job['job_id']}: its lag of {lag_s} s is not what the server saw")
        queue_s = each.started_at - each.created_at
        is_stamped = job["queue_wait_s"] is not None and not job["duration_corrected"]
        if is_stamped and abs(job["queue_wait_s"] - queue_s) > STAMP_S:
            found.append(f"{job['job_id']}: its queue wait is off: {queue_s}")
    return found


def kolmogorov_smirnov(values: Sequence[float], mean: float) -> float:
    """The chance that so many exponential values of this mean lie as far from it as these.

    The asymptotic distribution of the greatest distance with Stephens' correction for few values
    (J. Roy. Stat. Soc. B 32 (1970) 115).
    """
    ordered = sorted(values)
    count = len(ordered)
    shares = [1 - math.exp(-max(0.0, value) / mean) for value in ordered]
    distance = max(
        max((rank + 1) / count - share, share - rank / count) for rank, share in enumerate(shares)
    )
    scaled = distance * (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count))
    terms = (
        math.copysign(1, k % 2 - 0.5) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101)
    )
    return min(1.0, max(0.0, 2 * sum(terms)))


def fisher(chances: Sequence[float]) -> float:
    """The chance that independent tests together speak so much against what is true of all.

    Of ten sound runs, one or more have a p below 0.05 in 40 % of the cases; together they are
    judged by the sum of -2 ln p, which is chi-squared with two degrees of freedom for each
    (Fisher, Statistical Methods for Research Workers, 4th ed. (1932), 21.1).
    """
    half = -math.fsum(math.log(max(chance, 1e-300)) for chance in chances)
    terms = [math.exp(-half)]
    for k in range(1, len(chances)):
        terms.append(terms[-1] * half / k)
    return min(1.0, math.fsum(terms))
