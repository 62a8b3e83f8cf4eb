"""A Kiosk whose Redis refuses commands, or is away: real runs, told by the simulator's own log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.helpers.plays import sees
from tests.helpers.real import Finished, run_locust, simulator

pytestmark = pytest.mark.proof  # scripts/proof runs it

JOBS = 4


@dataclass
class Seen:
    """A run of four jobs, and what the server has of them."""

    finished: Finished
    made: int  # jobs
    answered: list[int]  # the status of each POST /api/predict
    statuses: dict[str, int]  # hashes by status at the end
    expired: int  # POST /api/redis/expire

    @property
    def attempts(self) -> list[dict[str, Any]]:
        return [attempt for job in self.finished.jobs for attempt in job["attempts"]]


def played(folder: Path, *rules: str, **settings: str) -> Seen:
    faults = [part for rule in rules for part in ("--fault", rule)]
    with simulator(*faults) as kiosk:
        finished = run_locust(folder, "--count", str(JOBS), "-u", "1", host=kiosk.url, **settings)
        answered = [predict["status"] for predict in kiosk.log()["predicts"]]
        state = requests.get(f"{kiosk.url}/simulator/state", timeout=10).json()
        expired = kiosk.requests["POST /api/redis/expire"]
        return Seen(finished, len(kiosk.submissions), answered, state["jobs"], expired)


def out_of_memory(folder: Path) -> Seen:
    return played(folder, "POST /api/predict redis=hmset count=3")


@sees(out_of_memory)
def test_a_redis_out_of_memory_costs_a_wait_and_no_ambiguity(seen: Seen) -> None:
    assert seen.finished.code == 0, seen.finished.output
    assert seen.answered == [500] * 3 + [200] * JOBS
    assert seen.made == JOBS
    assert seen.statuses == {"done": JOBS}  # nothing else was made
    assert [a["result"] for a in seen.attempts] == ["refused"] * 3 + ["accepted"] * JOBS
    assert not any(job["ambiguous"] for job in seen.finished.jobs)
    assert "Redis refused hmset (out of memory, read-only" in seen.attempts[0]["error"]


def wrong_type(folder: Path) -> Seen:
    return played(folder, "POST /api/predict redis=lpush count=2")


@sees(wrong_type)
def test_a_key_that_was_not_queued_leaves_a_hash_that_is_named_and_expires(seen: Seen) -> None:
    assert seen.finished.code == 0, seen.finished.output
    assert (seen.made, seen.statuses) == (JOBS, {"done": JOBS, "new": 2})
    assert not any(job["ambiguous"] for job in seen.finished.jobs)
    left = seen.attempts[0]["error"]
    assert "Redis refused lpush" in left
    assert "the hash segmentation:image.png:" in left
    assert seen.expired == JOBS + 2


def for_ever(folder: Path) -> Seen:
    return played(folder, "POST /api/predict redis=hmset", RETRY_BUDGET="2")


@sees(for_ever)
def test_a_redis_that_refuses_for_ever_ends_jobs_that_were_surely_not_submitted(seen: Seen) -> None:
    assert seen.finished.code == 2
    assert (seen.made, seen.statuses) == (0, {})
    assert seen.finished.outcomes == {"error": JOBS}
    for job in seen.finished.jobs:
        assert job["reason"].startswith("not submitted: POST ")
        assert "Redis refused hmset" in job["reason"]
        assert not job["ambiguous"]


def away(folder: Path) -> Seen:
    # The true one takes 10.55 s for each call; these give up sooner.
    return played(
        folder,
        "POST /api/predict redis=away latency=0.1 count=1",
        "POST /api/redis redis=away latency=0.1 count=3",
        "POST /api/redis/expire redis=expire",
    )


@sees(away)
def test_a_redis_that_is_away_may_have_queued_the_job_and_says_so(seen: Seen) -> None:
    assert seen.finished.outcomes == {"done": JOBS}, seen.finished.output
    first = seen.finished.jobs[0]
    assert first["ambiguous"]
    assert "an empty error after 0.1 s (Redis unreachable?)" in first["attempts"][0]["error"]
    assert sum(job["ambiguous"] for job in seen.finished.jobs) == 1
    rows = seen.finished.sql("SELECT expire_error FROM tickets")
    assert all("answered 500: Redis refused expire" in error for (error,) in rows)
