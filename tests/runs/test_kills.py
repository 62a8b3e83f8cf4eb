"""Processes that are killed while they send: the server's log tells what they had sent.

`benchmarks/kills.py` does the same fifty times and counts.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.helpers.real import Finished, Locust, Simulator, run_locust, simulator, wait_until
from tests.helpers.servers import free_port
from tests.runs.test_distributed import (
    BY_NUMBER,
    cluster,
    nothing_is_lost_or_doubled_in_silence,
    submissions,
    submitted,
)

pytestmark = pytest.mark.proof  # scripts/proof runs it

AT_40_A_SECOND = ("-u", "160", "-r", "40")
QUICK_JOBS = "--predict-s=0.3"
#: What was on its way when its process died has reached the server by then.
SETTLE_S = 0.5


@dataclass
class Kills:
    """A run that is killed with all its processes again and again, and what the server had then."""

    folder: Path
    kiosk: Simulator
    arguments: tuple[str, ...] = ()
    received: set[int] = field(default_factory=set)  # tickets that had been sent by some death
    said: str = ""

    def kill(self, *arguments: str, more: int) -> None:
        """Let it submit ``more`` jobs, and kill it."""
        before = len(self.kiosk.submissions)
        run = self._locust(*arguments)
        try:
            wait_until(
                lambda: len(self.kiosk.submissions) >= before + more, 40, f"{more} jobs more"
            )
        finally:
            os.killpg(run.process.pid, signal.SIGKILL)
            run.process.wait()
        time.sleep(SETTLE_S)
        self.received |= {number for number, _ in submissions(self.kiosk)}

    def resume(self) -> Finished:
        finished = self._locust("--resume", "latest").finish()
        self.said = " ".join(finished.output.split())
        return finished

    @property
    def left(self) -> list[str]:
        return [path.name for path in (self.folder / "results").glob("*.account*")]

    def _locust(self, *arguments: str) -> Locust:
        return Locust(
            self.folder,
            *(*arguments, *self.arguments),
            host=self.kiosk.url,
            locustfile=BY_NUMBER,
            start_new_session=True,
        )


def near_ledger(folder: Path) -> dict[str, str]:
    """The setting by which a worker keeps its account beside its master's ledger."""
    return {"OUTPUT_DIR": str(folder / "master" / "results")}


def in_doubt(finished: Finished) -> set[int]:
    return {number for (number,) in finished.sql("SELECT number FROM tickets WHERE ambiguous")}


def doubled(kiosk: Simulator) -> set[int]:
    received = Counter(number for number, _ in submissions(kiosk))
    return {number for number, count in received.items() if count > 1}


def test_after_kills_only_what_had_been_sent_is_ambiguous_and_so_is_all_that_was_sent_twice(
    tmp_path: Path,
) -> None:
    with simulator(QUICK_JOBS) as kiosk:
        run = Kills(tmp_path, kiosk)
        run.kill(*AT_40_A_SECOND, more=30)
        assert len(run.left) == 1
        for _ in range(2):
            run.kill("--resume", "latest", more=30)
        finished = run.resume()
        assert (finished.code, finished.outcomes) == (0, {"done": 160}), finished.output
        assert doubled(kiosk) <= in_doubt(finished)
        assert in_doubt(finished) <= run.received
        assert len(kiosk.submissions) == 160 + len(doubled(kiosk))
        assert run.left == []


def test_without_the_account_the_resume_says_that_it_goes_by_time(tmp_path: Path) -> None:
    with simulator(QUICK_JOBS) as kiosk:
        run = Kills(tmp_path, kiosk)
        run.kill(*AT_40_A_SECOND, more=30)
        for name in run.left:
            (tmp_path / "results" / name).unlink()
        finished = run.resume()
        assert doubled(kiosk) <= in_doubt(finished)
        assert len(in_doubt(finished)) > 5  # most of them were not sent
        assert "due until 500 ms after the last sign of life" in run.said
        assert "the account of what was sent is gone" in run.said


def test_after_a_kill_of_a_master_and_its_workers_their_accounts_tell_what_was_sent(
    tmp_path: Path,
) -> None:
    port = str(free_port())
    with simulator(QUICK_JOBS) as kiosk:
        ports = ("--master-port", port, "--master-bind-port", port)
        run = Kills(tmp_path, kiosk, ("--processes", "2", *ports))
        run.kill(*AT_40_A_SECOND, more=60)
        assert len(run.left) >= 2
        finished = run.resume()
        assert (finished.code, finished.outcomes) == (0, {"done": 160}), finished.output
        assert doubled(kiosk) <= in_doubt(finished) <= run.received
        assert "due until" not in run.said
        assert run.left == []


def test_what_a_killed_worker_had_sent_is_known_to_its_living_master(tmp_path: Path) -> None:
    with (
        simulator(QUICK_JOBS) as kiosk,
        cluster(tmp_path, kiosk, "-u", "300", "-r", "40", at_workers=near_ledger(tmp_path)) as run,
    ):
        submitted(kiosk, 60)
        run.workers[0].process.kill()
        run.workers[0].process.wait()
        time.sleep(SETTLE_S)
        received = {number for number, _ in submissions(kiosk)}
        seen = run.finish(lost=(0,))
        nothing_is_lost_or_doubled_in_silence(seen, 300)
        assert seen.ambiguous() <= received
        assert "by its account it is known what it had sent" in seen.said
        assert list((tmp_path / "master" / "results").glob("*.account*")) == []


def test_workers_that_outlive_their_master_are_not_taken_for_silent(tmp_path: Path) -> None:
    with simulator(QUICK_JOBS) as kiosk:
        workers = near_ledger(tmp_path)
        with cluster(tmp_path, kiosk, "-u", "160", "-r", "40", at_workers=workers) as run:
            submitted(kiosk, 40)
            run.master.process.kill()
            run.master.process.wait()
            finished = run_locust(
                tmp_path / "master", "--resume", "latest", host=kiosk.url, locustfile=BY_NUMBER
            )
        assert finished.outcomes == {"done": 160}, finished.output
        assert doubled(kiosk) <= in_doubt(finished)
        assert "of those polled on by the account of what was sent" in " ".join(
            finished.output.split()
        )
