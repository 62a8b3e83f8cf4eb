"""A peer at the master's port that is no worker of this plugin: real processes and a raw socket."""

from __future__ import annotations

from pathlib import Path

import gevent
import pytest
from locust import __version__
from locust.rpc import Message, zmqrpc
from locust.runners import STATE_RUNNING

from tests.helpers.plays import sees
from tests.helpers.real import simulator, wait_until
from tests.runs.test_distributed import (
    Cluster,
    Seen,
    cluster,
    nothing_is_lost_or_doubled_in_silence,
    submitted,
)

pytestmark = pytest.mark.resilience  # scripts/resilience runs it

JOBS = 60
#: Reports of a wrong type; what is wrong in them Locust itself does not look at.
WRONG = {
    "stats": [],
    "stats_total": {"name": "Aggregated", "method": ""},
    "errors": {},
    "user_classes_count": {},
    "user_count": "none",
}
REPORTS = 3


def joined_by_a_stranger(folder: Path) -> Seen:
    """In mid-run a peer joins as Locust's workers do, is given users, and never says hello."""
    with (
        simulator("--predict-s=1") as kiosk,
        cluster(folder, kiosk, "-u", str(JOBS), "-r", "2", workers=1) as run,
    ):
        submitted(kiosk, 3)
        stranger = zmqrpc.Client("127.0.0.1", int(run.port), "stranger")
        beats = gevent.spawn(_live, stranger)
        _wait_for_refusal(run)
        beats.kill()
        stranger.close(linger=0)
        return run.finish()


def _live(stranger: zmqrpc.Client) -> None:
    stranger.send(Message("client_ready", __version__, "stranger"))
    for _ in range(REPORTS):
        stranger.send(Message("stats", WRONG, "stranger"))
    state = {"state": STATE_RUNNING, "current_cpu_usage": 1.0, "current_memory_usage": 1}
    while True:
        stranger.send(Message("heartbeat", state, "stranger"))
        gevent.sleep(1)


def _wait_for_refusal(run: Cluster) -> None:
    wait_until(lambda: "worker stranger is refused" in run.master.output, 60, what="the refusal")


@sees(joined_by_a_stranger)
def test_a_run_that_a_stranger_joined_does_all_its_jobs(seen: Seen) -> None:
    assert seen.all_codes == (0, [0]), seen.said
    assert seen.finished.outcomes == {"done": JOBS}
    assert len(seen.submitted) == JOBS
    nothing_is_lost_or_doubled_in_silence(seen, JOBS)


@sees(joined_by_a_stranger)
def test_what_a_stranger_says_with_a_wrong_type_is_counted_and_logged(seen: Seen) -> None:
    (results,) = seen.finished.results
    assert results["generator"]["unread_messages"] == REPORTS
    assert "a message of stranger could not be read, and is left out" in seen.finished.output
    assert "Traceback" not in seen.said


@sees(joined_by_a_stranger)
def test_the_users_of_a_stranger_are_given_to_the_workers(seen: Seen) -> None:
    """The master spreads them over two, and once it has refused the stranger over one again."""
    before, _, after = seen.said.partition("worker stranger is refused")
    assert "to 2 ready workers" in before
    assert f"Sending spawn jobs of {JOBS} users at 2.00 spawn rate to 1 ready workers" in after
