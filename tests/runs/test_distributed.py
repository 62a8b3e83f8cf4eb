"""One master and workers as real processes: one ledger, nothing lost or doubled in silence."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.plays import sees
from tests.helpers.real import ROOT, Finished, Locust, Simulator, simulator, wait_until
from tests.helpers.servers import free_port, processes

LOCUSTFILES = ROOT / "tests" / "locustfiles"
#: Each ticket has an image of its own, so that the server's log tells which one was submitted.
BY_NUMBER = LOCUSTFILES / "by_number.py"


@dataclass
class Seen:
    """What a run left behind, and what the server received, ticket by ticket."""

    finished: Finished
    codes: list[int]
    said: str
    submitted: list[tuple[int, str]]  # number of the ticket, hash

    @property
    def all_codes(self) -> tuple[int, list[int]]:
        return self.finished.code, self.codes

    def ambiguous(self) -> set[int]:
        return {number for (number,) in self.sql("SELECT number FROM tickets WHERE ambiguous")}

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        return self.finished.sql(query)


def submissions(kiosk: Simulator) -> list[tuple[int, str]]:
    return [
        (int(s["body"]["imageName"].removesuffix(".tif")), s["hash"]) for s in kiosk.submissions
    ]


class Cluster:
    """A master and its workers, each in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        kiosk: Simulator,
        *arguments: str,
        workers: int = 2,
        started: int | None = None,  # so many at once, and the others by `join`
        locustfile: Path = BY_NUMBER,
        at_workers: Mapping[str, Any] | None = None,  # environment, which the master has not
    ) -> None:
        self._at_workers = at_workers or {}
        self._folder, self._kiosk, self._file = folder, kiosk, locustfile
        self.port = str(free_port())
        self.master = self._locust(
            *("master", "--master", "--master-bind-port", self.port),
            *("--master-bind-host", "127.0.0.1", "--expect-workers", str(workers), *arguments),
        )
        self.workers: list[Locust] = []
        for _ in range(workers if started is None else started):
            self.join()

    def join(self, port: str = "") -> None:
        """One worker more, that reaches its master at ``port`` if that is another."""
        name = f"worker{len(self.workers)}"
        self.workers.append(self._locust(name, "--worker", "--master-port", port or self.port))

    def _locust(self, name: str, *arguments: str) -> Locust:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        worker = "--worker" in arguments
        # Workers learn the host from their master.
        host = "" if worker else self._kiosk.url
        settings = self._at_workers if worker else {}
        return Locust(
            folder,
            *arguments,
            host=host,
            headless=not worker,
            locustfile=self._file,
            **settings,
        )

    @property
    def processes(self) -> list[Locust]:
        return [self.master, *self.workers]

    def finish(self, lost: tuple[int, ...] = ()) -> Seen:
        """Wait for all but the lost workers to end, and see what is left."""
        finished = self.master.finish()
        alive = [w for number, w in enumerate(self.workers) if number not in lost]
        codes = [worker.finish(timeout_s=20).code for worker in alive]
        return Seen(finished, codes, self.said, submissions(self._kiosk))

    def kill(self) -> None:
        for locust in self.processes:
            if locust.process.poll() is None:
                locust.process.kill()
            locust.process.wait()

    @property
    def said(self) -> str:
        return "\n".join(locust.output for locust in self.processes)


@contextmanager
def cluster(folder: Path, kiosk: Simulator, *arguments: str, **settings: Any) -> Iterator[Cluster]:
    started = Cluster(folder, kiosk, *arguments, **settings)
    try:
        yield started
    finally:
        started.kill()


def submitted(kiosk: Simulator, jobs: int) -> None:
    wait_until(lambda: len(kiosk.submissions) >= jobs, 40, what=f"{jobs} submissions")


def nothing_is_lost_or_doubled_in_silence(seen: Seen, tickets: int) -> None:
    """By the server's own log, ticket by ticket."""
    rows = seen.sql("SELECT number, job_id, ambiguous, state FROM tickets")
    assert sorted(number for number, *_ in rows) == list(range(tickets))
    assert {state for *_, state in rows} == {"closed"}
    recorded = {number: job_id for number, job_id, *_ in rows if job_id}
    tried = Counter(number for (number,) in seen.sql(
        "SELECT tickets.number FROM attempts JOIN tickets ON id = ticket_id"
    ))  # fmt: skip
    received = Counter(number for number, _ in seen.submitted)
    ambiguous = seen.ambiguous()
    for number, hash_ in seen.submitted:
        assert recorded.get(number) == hash_ or number in ambiguous, (number, seen.said)
    assert set(recorded.items()) <= set(seen.submitted)
    for number, count in received.items():
        assert count == 1 or number in ambiguous, (number, seen.said)
        assert count <= tried[number], (number, seen.said)


# -- a run that goes well


def thousand_jobs(folder: Path) -> Seen:
    with simulator() as kiosk, cluster(folder, kiosk, "-u", "1000", "-r", "200") as run:
        return run.finish()


@sees(thousand_jobs)
def test_a_master_and_two_workers_submit_and_record_each_of_1000_jobs_once(seen: Seen) -> None:
    assert seen.all_codes == (0, [0, 0]), seen.said
    assert seen.finished.outcomes == {"done": 1000}
    assert sorted(number for number, _ in seen.submitted) == list(range(1000))
    nothing_is_lost_or_doubled_in_silence(seen, 1000)
    assert seen.ambiguous() == set()


@sees(thousand_jobs)
def test_the_results_tell_how_far_each_workers_clock_was_off(seen: Seen) -> None:
    (results,) = seen.finished.results
    assert len({worker["worker"] for worker in results["workers"]}) == 2
    for worker in results["workers"]:  # all have the clock of this machine
        assert abs(worker["skew_s"]) <= worker["skew_bound_s"] + 0.01


def forked(folder: Path) -> tuple[Finished, int]:
    arguments = ("--count", "30", "-u", "8", "-r", "100", "--num-cycles", "2", *processes(2))
    with simulator() as kiosk:
        finished = Locust(folder, *arguments, host=kiosk.url).finish()
        return finished, len(kiosk.submissions)


@pytest.mark.resilience
@sees(forked)
def test_forked_workers_share_the_cycles_of_a_closed_workload(seen: tuple[Finished, int]) -> None:
    finished, jobs = seen
    assert (finished.code, jobs) == (0, 60), finished.output
    assert finished.sql("SELECT cycle, count(*) FROM tickets GROUP BY 1") == [(1, 30), (2, 30)]


# -- workers that are lost, and one that joins


def killed_hung_and_joined(folder: Path) -> Seen:
    with (
        simulator("--predict-s=2") as kiosk,
        cluster(folder, kiosk, "-u", "300", "-r", "20", "--count", "300", workers=3) as run,
    ):
        submitted(kiosk, 40)
        run.workers[0].process.kill()
        run.workers[1].signal(signal.SIGSTOP)
        run.join()
        wait_until(  # it was taken for dead, and others have what it held
            lambda: len(set(re.findall(r"worker (\S+) (?:is|was) lost", run.master.output))) == 2,
            40,
            what="the loss of both",
        )
        run.workers[1].signal(signal.SIGCONT)
        return run.finish(lost=(0,))


@pytest.mark.resilience
@sees(killed_hung_and_joined)
def test_whatever_befalls_workers_every_job_ends_and_none_is_doubled_in_silence(seen: Seen) -> None:
    assert seen.finished.code == 0, seen.said
    assert seen.finished.outcomes == {"done": 300}
    nothing_is_lost_or_doubled_in_silence(seen, 300)
    assert 0 < len(seen.ambiguous()) <= 60


@pytest.mark.resilience
@sees(killed_hung_and_joined)
def test_a_worker_that_stood_still_for_longer_than_its_lease_takes_part_again(seen: Seen) -> None:
    assert "the master took this worker for dead; it begins anew" in seen.said
    assert seen.codes[0] == 0, seen.said


@pytest.mark.resilience
@sees(killed_hung_and_joined)
def test_a_worker_that_joins_in_mid_run_takes_part(seen: Seen) -> None:
    (results,) = seen.finished.results
    assert len(results["workers"]) == 4
    assert results["generator"]["workers_lost"] >= 2  # killed, and stopped for too long
    assert seen.codes[2] == 0, seen.said


def told_to_end(folder: Path) -> Seen:
    with (
        simulator("--predict-s=2") as kiosk,
        cluster(folder, kiosk, "-u", "120", "-r", "30") as run,
    ):
        submitted(kiosk, 40)
        run.workers[0].signal(signal.SIGTERM)
        return run.finish()


@pytest.mark.resilience
@sees(told_to_end)
def test_a_worker_that_is_told_to_end_hands_its_jobs_over(seen: Seen) -> None:
    assert seen.all_codes == (0, [0, 0]), seen.said
    assert seen.finished.outcomes == {"done": 120}
    assert len(seen.submitted) == 120
    assert seen.finished.results[0]["generator"]["workers_lost"] == 0
    nothing_is_lost_or_doubled_in_silence(seen, 120)


def broken_at_a_worker(folder: Path) -> Seen:
    file = LOCUSTFILES / "loses_count_at_workers.py"
    with (
        simulator() as kiosk,
        cluster(folder, kiosk, "-u", "200", "-r", "40", locustfile=file) as run,
    ):
        finished = run.master.finish()
        codes = [worker.finish(timeout_s=20).code for worker in run.workers]
        return Seen(finished, codes, run.said, [])


@pytest.mark.resilience
@sees(broken_at_a_worker)
def test_a_fault_at_a_worker_ends_the_run_with_its_words(seen: Seen) -> None:
    assert seen.finished.code == 2, seen.said
    assert re.search(r"exit code 2: worker \S+ cannot go on: lost count", seen.said)
    assert 2 in seen.codes, seen.said
    assert seen.sql("SELECT count(*), sum(state = 'closed') FROM tickets") == [(200, 200)]


# -- signals


def signalled(
    folder: Path, number: signal.Signals, whom: Callable[[Cluster], list[Locust]]
) -> Seen:
    with (
        simulator("--predict-s=1") as kiosk,
        cluster(folder, kiosk, "-u", "300", "-r", "30") as run,
    ):
        submitted(kiosk, 60)
        for locust in whom(run):
            locust.signal(number)
        return run.finish()


def sigterm_to_the_master(folder: Path) -> Seen:
    return signalled(folder, signal.SIGTERM, lambda run: [run.master])


def sigint_to_all(folder: Path) -> Seen:
    return signalled(folder, signal.SIGINT, lambda run: run.processes)


def sigterm_to_all(folder: Path) -> Seen:
    return signalled(folder, signal.SIGTERM, lambda run: run.processes)


def everything_is_written(seen: Seen) -> None:
    assert seen.all_codes == (2, [0, 0]), seen.said
    nothing_is_lost_or_doubled_in_silence(seen, 300)
    assert seen.finished.outcomes.total() == 300
    assert 60 <= seen.finished.outcomes["done"] <= len(seen.submitted)


@pytest.mark.resilience
@sees(sigterm_to_the_master)
def test_sigterm_to_the_master_ends_the_run_with_everything_written(seen: Seen) -> None:
    everything_is_written(seen)


@pytest.mark.resilience
@sees(sigint_to_all)
def test_ctrl_c_to_all_ends_the_run_with_everything_written(seen: Seen) -> None:
    everything_is_written(seen)


@pytest.mark.resilience
@sees(sigterm_to_all)
def test_sigterm_to_all_ends_the_run_with_everything_written(seen: Seen) -> None:
    everything_is_written(seen)


def ctrl_c_to_forked(folder: Path) -> Seen:
    with simulator("--predict-s=1") as kiosk:
        arguments = ("-u", "300", "-r", "30", *processes(2))
        run = Locust(
            folder, *arguments, host=kiosk.url, start_new_session=True, locustfile=BY_NUMBER
        )
        submitted(kiosk, 60)
        os.killpg(run.process.pid, signal.SIGINT)
        finished = run.finish()
        return Seen(finished, [0, 0], finished.output, submissions(kiosk))


@pytest.mark.resilience
@sees(ctrl_c_to_forked)
def test_ctrl_c_to_a_group_of_forked_processes_ends_them_all(seen: Seen) -> None:
    everything_is_written(seen)


# -- open-ended


def open_ended(folder: Path) -> Seen:
    arguments = ("--count", "0", "-u", "20", "-r", "20", "-t", "4s")
    with simulator() as kiosk, cluster(folder, kiosk, *arguments) as run:
        return run.finish()


@pytest.mark.resilience
@sees(open_ended)
def test_an_open_ended_run_is_finished_if_each_job_that_it_began_has_ended(seen: Seen) -> None:
    assert seen.all_codes == (0, [0, 0]), seen.said
    jobs = len(seen.submitted)
    assert seen.finished.outcomes == {"done": jobs}
    assert jobs >= 20
    nothing_is_lost_or_doubled_in_silence(seen, jobs)
