"""How runs of several processes end, are cut off, and go on, with real processes."""

from __future__ import annotations

import re
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiosk_locust.assembly.signals import APART_S
from tests.helpers.plays import sees
from tests.helpers.proxies import Proxy
from tests.helpers.real import Locust, simulator, wait_until
from tests.helpers.servers import free_port, processes
from tests.runs.test_distributed import (
    BY_NUMBER,
    Seen,
    cluster,
    nothing_is_lost_or_doubled_in_silence,
    submissions,
    submitted,
)
from tests.runs.test_webui import WebUi

pytestmark = pytest.mark.resilience  # scripts/resilience runs it

# -- a worker that is cut off


def cut_off(folder: Path) -> Seen:
    with (
        simulator("--predict-s=1") as kiosk,
        cluster(folder, kiosk, "-u", "180", "-r", "12", workers=2, started=1) as run,
        Proxy(int(run.port)) as proxy,
    ):
        run.join(port=str(proxy.port))
        submitted(kiosk, 40)
        proxy.hold()
        wait_until(  # the leases are over, and what it held is dealt to the other
            lambda: re.search(r"worker \S+ was lost", run.master.output), what="the loss"
        )
        proxy.release()
        return run.finish()


@sees(cut_off)
def test_a_worker_that_was_cut_off_for_longer_than_its_leases_doubles_nothing_in_silence(
    seen: Seen,
) -> None:
    assert seen.all_codes == (0, [0, 0]), seen.said
    assert seen.finished.outcomes == {"done": 180}
    nothing_is_lost_or_doubled_in_silence(seen, 180)
    assert "the master took this worker for dead; it begins anew" in seen.said


# -- a master that is killed


@dataclass
class Killed(Seen):
    """How many jobs were in flight by the ledger when the master was killed."""

    in_flight: int


def in_flight(folder: Path) -> int:
    (path,) = folder.glob("master/results/*.db")
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as ledger:
        sql = "SELECT count(*) FROM tickets WHERE state = 'submitted'"
        return int(ledger.execute(sql).fetchone()[0])


def killed_with_many_in_flight(folder: Path) -> Killed:
    with simulator("--predict-s=8", "--jobs-per-gpu=2000") as kiosk:
        with cluster(folder, kiosk, "-u", "1000", "-r", "100") as run:
            submitted(kiosk, 320)
            wait_until(lambda: in_flight(folder) >= 300, what="300 in flight")
            run.master.process.kill()
            jobs = in_flight(folder)
        with cluster(folder, kiosk, "--resume", "latest") as run:
            return Killed(**vars(run.finish()), in_flight=jobs)


@sees(killed_with_many_in_flight)
def test_1000_jobs_survive_a_master_that_is_killed_with_300_of_them_in_flight(seen: Killed) -> None:
    assert seen.all_codes == (0, [0, 0]), seen.said
    assert seen.in_flight >= 300
    assert seen.finished.outcomes == {"done": 1000}
    nothing_is_lost_or_doubled_in_silence(seen, 1000)
    assert 1000 <= len(seen.submitted) <= 1000 + len(seen.ambiguous())
    assert len(seen.finished.results[0]["sessions"]) == 2


def resumed_by_one(folder: Path) -> Seen:
    with simulator("--predict-s=2") as kiosk:
        with cluster(folder, kiosk, "-u", "90", "-r", "30") as run:
            submitted(kiosk, 40)
            run.master.process.kill()
        arguments = ("--resume", "latest")
        alone = Locust(folder / "master", *arguments, host=kiosk.url, locustfile=BY_NUMBER)
        finished = alone.finish()
        return Seen(finished, [], finished.output, submissions(kiosk))


@sees(resumed_by_one)
def test_a_single_process_goes_on_with_what_a_master_left(seen: Seen) -> None:
    assert seen.finished.code == 0, seen.said
    assert seen.finished.outcomes == {"done": 90}
    nothing_is_lost_or_doubled_in_silence(seen, 90)


# -- runs that go well


def thousand_jobs_forked(folder: Path) -> Seen:
    with simulator() as kiosk:
        arguments = ("-u", "1000", "-r", "100", *processes(2))
        finished = Locust(folder, *arguments, host=kiosk.url, locustfile=BY_NUMBER).finish()
        return Seen(finished, [], finished.output, submissions(kiosk))


@sees(thousand_jobs_forked)
def test_two_forked_workers_submit_and_record_each_of_1000_jobs_once(seen: Seen) -> None:
    assert seen.finished.code == 0, seen.said
    assert seen.finished.outcomes == {"done": 1000}
    assert sorted(number for number, _ in seen.submitted) == list(range(1000))
    nothing_is_lost_or_doubled_in_silence(seen, 1000)


# -- ends


def time_is_over(folder: Path) -> Seen:
    arguments = ("-u", "300", "-r", "20", "-t", "6s", "-s", "1")
    with simulator("--predict-s=0.3") as kiosk, cluster(folder, kiosk, *arguments) as run:
        return run.finish()


@sees(time_is_over)
def test_the_end_of_its_time_interrupts_a_counted_run(seen: Seen) -> None:
    assert seen.all_codes == (2, [0, 0]), seen.said
    assert "exit code 2: interrupted by -t" in seen.finished.output
    nothing_is_lost_or_doubled_in_silence(seen, 300)
    jobs = len(seen.submitted)
    assert 0 < jobs < 200
    assert seen.finished.outcomes == {"done": jobs, "unfinished": 300 - jobs}


def signalled_twice(folder: Path) -> Seen:
    with (
        simulator("--predict-s=60") as kiosk,
        cluster(folder, kiosk, "-u", "90", "-r", "30", "-s", "60") as run,
    ):
        submitted(kiosk, 30)
        run.master.signal(signal.SIGINT)
        wait_until(lambda: "once more to wait no longer" in run.master.output, what="the first")
        time.sleep(2 * APART_S)  # sooner, it would count as the same
        run.master.signal(signal.SIGINT)
        wait_until(lambda: run.master.process.poll() is not None, 40, what="the master's end")
        return run.finish()


@sees(signalled_twice)
def test_a_second_signal_to_the_master_ends_the_run_at_once_with_everything_written(
    seen: Seen,
) -> None:
    assert seen.all_codes == (2, [0, 0]), seen.said
    nothing_is_lost_or_doubled_in_silence(seen, 90)
    assert seen.finished.outcomes == {"unfinished": 90}
    assert seen.ambiguous() == set()


@dataclass
class Quit:
    """What an autostarted run left: its exit codes, jobs, and how long workers outlived it."""

    codes: list[int]
    jobs: int
    outlived_s: float


def autoquit(folder: Path) -> Quit:
    port = str(free_port())
    bind = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    ends = ("--autostart", "--autoquit", "0", "--expect-workers", "2", "-s", "20")
    processes, workers = [], []
    with simulator() as kiosk:
        try:
            for name in ("one", "two"):
                (folder / name).mkdir()
                arguments = ("--worker", "--master-port", port)
                workers.append(Locust(folder / name, *arguments, headless=False))
                processes.append(workers[-1].process)
            (folder / "master").mkdir()
            plan = ("-u", "40", "-r", "40")
            master = WebUi(folder / "master", *bind, *ends, *plan, host=kiosk.url)
            processes.append(master.process)
            codes = [master.finish().code]
            since = time.monotonic()
            codes += [worker.finish().code for worker in workers]
            return Quit(codes, len(kiosk.submissions), time.monotonic() - since)
        finally:
            for process in processes:
                if process.poll() is None:
                    process.kill()
                process.wait()


@sees(autoquit)
def test_a_run_that_quits_by_itself_ends_its_workers_too(seen: Quit) -> None:
    assert seen.codes == [0, 0, 0]
    assert seen.jobs == 40
    assert seen.outlived_s < 10
