"""One master and workers as real processes: one ledger, nothing lost or doubled in silence."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real import Finished, Locust, Simulator, simulator, wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes(number: int) -> tuple[str, ...]:
    """Not on Locust's own port, where another run of this machine may be."""
    port = str(free_port())
    return "--processes", str(number), "--master-port", port, "--master-bind-port", port


class Cluster:
    """A headless master and its workers, each in a folder of its own."""

    def __init__(self, folder: Path, kiosk: Simulator, *arguments: str, workers: int = 2) -> None:
        port = str(free_port())
        self.master = self._locust(
            *(folder / "master", kiosk, "--master", "--master-bind-port", port),
            *("--master-bind-host", "127.0.0.1", "--expect-workers", str(workers), *arguments),
        )
        self.workers = [
            self._locust(folder / f"worker{n}", kiosk, "--worker", "--master-port", port)
            for n in range(workers)
        ]

    @staticmethod
    def _locust(folder: Path, kiosk: Simulator, *arguments: str) -> Locust:
        folder.mkdir()
        worker = "--worker" in arguments
        # Workers learn the host from their master.
        return Locust(folder, *arguments, host="" if worker else kiosk.url, headless=not worker)

    @property
    def processes(self) -> list[Locust]:
        return [self.master, *self.workers]

    def finish(self) -> tuple[Finished, list[int]]:
        """What the master left, and the workers' exit codes."""
        finished = self.master.finish()
        return finished, [worker.finish(timeout_s=20).code for worker in self.workers]

    def kill(self) -> None:
        for locust in self.processes:
            if locust.process.poll() is None:
                locust.process.kill()
            locust.process.wait()

    @property
    def said(self) -> str:
        return "\n".join(locust.output for locust in self.processes)


@contextmanager
def cluster(folder: Path, kiosk: Simulator, *arguments: str, workers: int = 2) -> Iterator[Cluster]:
    started = Cluster(folder, kiosk, *arguments, workers=workers)
    try:
        yield started
    finally:
        started.kill()


def submitted(kiosk: Simulator, jobs: int) -> None:
    wait_until(lambda: len(kiosk.submissions) >= jobs, 40, what=f"{jobs} submissions")


def every_hash_has_its_record(finished: Finished, kiosk: Simulator) -> None:
    """By the server's own log: no job is unknown, and a ticket with two says so."""
    rows = finished.sql("SELECT id, job_id, ambiguous FROM tickets")
    recorded = {job_id for _, job_id, _ in rows if job_id}
    kept = {
        job_id: ticket for ticket, job_id in finished.sql("SELECT ticket_id, job_id FROM attempts")
    }
    ambiguous = {ticket for ticket, _, flag in rows if flag}
    hashes = {submission["hash"] for submission in kiosk.submissions}
    assert recorded <= hashes
    for job_id in hashes - recorded:
        assert not kept or kept.get(job_id, next(iter(ambiguous), None)) in ambiguous
    assert len(hashes - recorded) <= len(ambiguous)


def test_a_master_and_two_workers_submit_and_record_each_of_1000_jobs_once(tmp_path: Path) -> None:
    with simulator() as kiosk, cluster(tmp_path, kiosk, "-u", "1000", "-r", "100") as run:
        finished, codes = run.finish()
        hashes = [submission["hash"] for submission in kiosk.submissions]
    assert (finished.code, codes) == (0, [0, 0]), run.said
    assert finished.outcomes == {"done": 1000}
    assert len(hashes) == 1000
    assert set(hashes) == {job_id for (job_id,) in finished.sql("SELECT job_id FROM tickets")}
    assert finished.sql("SELECT count(*) FROM tickets WHERE ambiguous") == [(0,)]


def test_processes_share_one_ledger_too(tmp_path: Path) -> None:
    with simulator() as kiosk:
        run = Locust(tmp_path, "-u", "200", "-r", "100", *processes(2), host=kiosk.url)
        finished = run.finish()
        assert len(kiosk.submissions) == 200
    assert finished.code == 0, finished.output
    assert finished.outcomes == {"done": 200}


def test_several_cycles_and_a_closed_workload_are_dealt_out_to_workers(tmp_path: Path) -> None:
    arguments = ("--count", "30", "-u", "8", "-r", "100", "--num-cycles", "2")
    with simulator() as kiosk, cluster(tmp_path, kiosk, *arguments) as run:
        finished, codes = run.finish()
        assert len(kiosk.submissions) == 60
    assert (finished.code, codes) == (0, [0, 0]), run.said
    assert finished.sql("SELECT cycle, count(*) FROM tickets GROUP BY 1") == [(1, 30), (2, 30)]


def test_the_jobs_of_a_worker_that_is_killed_are_adopted_or_submitted_again_and_say_so(
    tmp_path: Path,
) -> None:
    with (
        simulator("--predict-s=2") as kiosk,
        cluster(tmp_path, kiosk, "-u", "300", "-r", "30") as run,
    ):
        submitted(kiosk, 100)
        run.workers[0].process.kill()
        finished, codes = run.finish()
        assert codes[1] == 0, run.said
        every_hash_has_its_record(finished, kiosk)
        jobs = len(kiosk.submissions)
    assert finished.code == 0, run.said
    assert finished.outcomes == {"done": 300}
    ((ambiguous,),) = finished.sql("SELECT count(*) FROM tickets WHERE ambiguous")
    assert 300 <= jobs <= 300 + ambiguous
    assert ambiguous <= 60


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to", ["the master", "all"])
def test_a_signal_ends_the_run_with_everything_written(
    tmp_path: Path, number: signal.Signals, to: str
) -> None:
    with (
        simulator("--predict-s=1") as kiosk,
        cluster(tmp_path, kiosk, "-u", "300", "-r", "30") as run,
    ):
        submitted(kiosk, 60)
        for locust in run.processes if to == "all" else [run.master]:
            locust.signal(number)
        finished, codes = run.finish()
        assert set(codes) == {0}, run.said
        every_hash_has_its_record(finished, kiosk)
        jobs = len(kiosk.submissions)
    assert finished.code == 2, run.said
    assert Counter(finished.outcomes).total() == 300
    assert 60 <= finished.outcomes["done"] <= jobs
    assert finished.sql("SELECT count(*) FROM tickets WHERE state <> 'closed'") == [(0,)]


def test_ctrl_c_to_a_group_of_processes_ends_them_all(tmp_path: Path) -> None:
    with simulator("--predict-s=1") as kiosk:
        arguments = ("-u", "300", "-r", "30", *processes(2))
        run = Locust(tmp_path, *arguments, host=kiosk.url, start_new_session=True)
        submitted(kiosk, 60)
        os.killpg(run.process.pid, signal.SIGINT)
        finished = run.finish()
        every_hash_has_its_record(finished, kiosk)
    assert finished.code == 2, finished.output
    assert Counter(finished.outcomes).total() == 300


def test_a_worker_that_is_told_to_end_hands_its_jobs_over(tmp_path: Path) -> None:
    with (
        simulator("--predict-s=2") as kiosk,
        cluster(tmp_path, kiosk, "-u", "200", "-r", "30") as run,
    ):
        submitted(kiosk, 60)
        run.workers[0].signal(signal.SIGTERM)
        finished, codes = run.finish()
        assert len(kiosk.submissions) == 200
    assert (finished.code, codes) == (0, [0, 0]), run.said
    assert finished.outcomes == {"done": 200}
