"""Masters and workers of different versions, and messages that nobody can read: real processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from locust.rpc import Message, zmqrpc

from tests.helpers.plays import sees
from tests.helpers.real import ROOT, simulator
from tests.runs.test_distributed import (
    Cluster,
    Seen,
    cluster,
    nothing_is_lost_or_doubled_in_silence,
    submitted,
)

pytestmark = pytest.mark.resilience  # scripts/resilience runs it

OTHER = ROOT / "tests" / "locustfiles" / "other_version.py"
#: What is sent to the master beside its workers' own messages; all of it is harmless to Locust.
UNREADABLE = (["no", "report"], None, [float("nan")] * 10)


def of_another_version(folder: Path) -> Seen:
    with simulator() as kiosk, cluster(folder, kiosk, "-u", "5", locustfile=OTHER) as run:
        return run.finish()


@sees(of_another_version)
def test_a_master_with_workers_of_another_version_ends_and_so_do_they(seen: Seen) -> None:
    assert seen.all_codes == (2, [2, 2]), seen.said
    assert seen.submitted == []


@sees(of_another_version)
def test_both_sides_say_both_versions_and_no_traceback(seen: Seen) -> None:
    assert "runs kiosk_locust 0.0.9 (messages" in seen.finished.output
    assert "this master runs kiosk_locust" in seen.finished.output.splitlines()[-1]
    assert "the master refuses this worker: it runs kiosk_locust" in seen.said
    assert "this worker runs kiosk_locust 0.0.9 (messages" in seen.said
    assert "Traceback" not in seen.said


def joined_and_babbled(folder: Path) -> Seen:
    """In mid-run, a worker of another version joins, and a stranger says what nobody can read."""
    with (
        simulator("--predict-s=1") as kiosk,
        cluster(folder, kiosk, "-u", "60", "-r", "2", workers=1) as run,
    ):
        submitted(kiosk, 3)
        stranger = zmqrpc.Client("127.0.0.1", int(run.port), "stranger")
        for data in UNREADABLE:
            stranger.send(Message("kiosk_report", data, "stranger"))
        _join_of_another_version(run)
        code = run.workers[1].finish(timeout_s=30).code
        stranger.close()
        seen = run.finish(lost=(1,))
        return Seen(seen.finished, [*seen.codes, code], seen.said, seen.submitted)


def _join_of_another_version(run: Cluster) -> None:
    run._file = OTHER
    run.join()


@sees(joined_and_babbled)
def test_a_run_goes_on_without_a_worker_of_another_version(seen: Seen) -> None:
    assert seen.all_codes == (0, [0, 2]), seen.said
    assert seen.finished.outcomes == {"done": 60}
    assert "is refused: it runs kiosk_locust 0.0.9" in seen.finished.output
    assert "the run goes on without it" in seen.finished.output
    nothing_is_lost_or_doubled_in_silence(seen, 60)


@sees(joined_and_babbled)
def test_unreadable_messages_are_counted_in_the_results_and_logged(seen: Seen) -> None:
    (results,) = seen.finished.results
    assert results["generator"]["unread_messages"] == len(UNREADABLE)
    assert "a message of stranger could not be read, and is left out" in seen.finished.output
    assert "Traceback" not in seen.said
