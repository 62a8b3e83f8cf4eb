"""When jobs arrive: as the server received them, against the slots in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tests.helpers.real import Finished, Locust, Simulator, run_locust, simulator

pytestmark = pytest.mark.alone  # what they compare is disturbed by a busy machine

#: Clocks of two processes on one machine are one clock; times in a file are cut to microseconds.
EARLY_S = 0.0005


@dataclass(frozen=True)
class Arrival:
    """One submission: when it was due, by the ledger, and when it arrived, by the server."""

    due_at: float
    at: float


def arrivals(finished: Finished, kiosk: Simulator) -> list[Arrival]:
    """All submissions of a run in the order of their tickets."""
    received = {submission["hash"]: submission["at"] for submission in kiosk.submissions}
    rows = finished.sql("SELECT job_id, due_at FROM tickets ORDER BY id")
    return [Arrival(due_at, received[job_id]) for job_id, due_at in rows]


def test_jobs_arrive_at_the_rate_and_none_before_its_slot(tmp_path: Path) -> None:
    plans = {50.0: ("-u", "200", "-r", "50"), 7.5: ("-u", "30", "-r", "7.5")}
    runs = {}
    with simulator() as kiosk:
        for rate, arguments in plans.items():
            (tmp_path / str(rate)).mkdir()
            runs[rate] = Locust(tmp_path / str(rate), *arguments, host=kiosk.url)
        finished = {rate: run.finish() for rate, run in runs.items()}
        arrived = {rate: arrivals(found, kiosk) for rate, found in finished.items()}
    for rate, found in arrived.items():
        assert finished[rate].code == 0, finished[rate].output
        gaps = [after.due_at - before.due_at for before, after in pairwise(found)]
        assert all(gap == pytest.approx(1 / rate, abs=1e-6) for gap in gaps)
        mean_s = (found[-1].at - found[0].at) / (len(found) - 1)
        assert mean_s == pytest.approx(1 / rate, rel=0.01)
        assert min(arrival.at - arrival.due_at for arrival in found) > -EARLY_S
        assert max(arrival.at - arrival.due_at for arrival in found) < 0.25


def test_random_arrivals_are_those_of_the_seed(tmp_path: Path) -> None:
    arguments = ("-u", "60", "-r", "30", "--arrival", "poisson", "--arrival-seed")
    planned = []
    with simulator() as kiosk:
        runs = []
        for number, seed in enumerate(("7", "7", "8")):
            (tmp_path / str(number)).mkdir()
            runs.append(Locust(tmp_path / str(number), *arguments, seed, host=kiosk.url))
        for run in runs:
            finished = run.finish()
            assert finished.code == 0, finished.output
            arrived = arrivals(finished, kiosk)
            lags = [arrival.at - arrival.due_at for arrival in arrived]
            assert -EARLY_S < min(lags) <= max(lags) < 0.1
            planned.append([round(a.due_at - arrived[0].due_at, 4) for a in arrived])
    assert planned[0] == planned[1] != planned[2]
    gaps = [after - before for before, after in pairwise(planned[0])]
    assert len({round(gap, 3) for gap in gaps}) > 20


def test_a_trace_is_followed(tmp_path: Path) -> None:
    (tmp_path / "trace.txt").write_text("0\n0.05\n0.3\n0.3\n0.6\n")
    with simulator() as kiosk:
        finished = run_locust(tmp_path, "--arrival-trace", "trace.txt", host=kiosk.url)
        arrived = arrivals(finished, kiosk)
    assert finished.code == 0, finished.output
    offsets = [arrival.at - arrived[0].due_at for arrival in arrived]
    assert offsets == pytest.approx([0, 0.05, 0.3, 0.3, 0.6], abs=0.1)


def test_a_closed_workload_begins_a_job_when_one_is_closed_and_never_has_more_in_flight(
    tmp_path: Path,
) -> None:
    users = 5
    with simulator("--predict-s=0.2") as kiosk:
        arguments = ("-u", str(users), "--count", "20", "--workload", "closed", "-r", "100")
        finished = run_locust(tmp_path, *arguments, host=kiosk.url)
    assert (finished.code, finished.outcomes) == (0, {"done": 20}), finished.output
    times = finished.sql("SELECT submitted_at, closed_at FROM tickets ORDER BY submitted_at")
    ends = sorted(closed_at for _, closed_at in times)
    for begun, (submitted_at, _) in enumerate(times):
        assert begun - sum(end <= submitted_at for end in ends) < users
    for (submitted_at, _), end in zip(times[users:], ends, strict=False):
        assert 0 <= submitted_at - end < 0.25
    dues = finished.sql("SELECT count(due_at) FROM tickets")
    assert dues == [(users,)]
    assert "closed workload" in finished.output


def test_a_cycle_begins_when_the_one_before_is_over_and_its_interval_has_passed(
    tmp_path: Path,
) -> None:
    with simulator() as kiosk:
        arguments = ("-u", "6", "-r", "50", "--num-cycles", "3", "--cycle-interval", "0.4")
        finished = run_locust(tmp_path, *arguments, host=kiosk.url)
        received = {submission["hash"]: submission["at"] for submission in kiosk.submissions}
    assert (finished.code, len(received)) == (0, 18), finished.output
    cycles: dict[int, list[tuple[float, float]]] = {}
    for cycle, job_id, closed_at in finished.sql("SELECT cycle, job_id, closed_at FROM tickets"):
        cycles.setdefault(cycle, []).append((received[job_id], closed_at))
    assert {cycle: len(jobs) for cycle, jobs in cycles.items()} == {1: 6, 2: 6, 3: 6}
    for before, after in ((1, 2), (2, 3)):
        last_end = max(closed_at for _, closed_at in cycles[before])
        first = min(at for at, _ in cycles[after])
        assert 0.4 <= first - last_end < 1.2
    assert sorted(found["cycle"] for found in finished.results) == [1, 2, 3]
