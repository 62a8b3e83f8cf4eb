"""A master whose last worker goes, as real processes: it waits for one to come back."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.plays import sees
from tests.helpers.real import Locust, simulator, wait_until
from tests.helpers.servers import free_port
from tests.runs.test_distributed import (
    Cluster,
    Seen,
    cluster,
    nothing_is_lost_or_doubled_in_silence,
    submitted,
)
from tests.runs.test_webui import Outcomes, WebUi

pytestmark = pytest.mark.resilience  # scripts/resilience runs it


def gone(run: Cluster) -> None:
    wait_until(
        lambda: "the last worker has gone" in run.master.output, what="the last worker's end"
    )


def both_killed(folder: Path) -> Seen:
    with (
        simulator("--predict-s=2") as kiosk,
        cluster(folder, kiosk, "-u", "150", "-r", "30") as run,
    ):
        submitted(kiosk, 60)
        for worker in run.workers:
            worker.process.kill()
        time.sleep(3)  # Locust has not noticed by then
        run.join()
        return run.finish(lost=(0, 1))


@sees(both_killed)
def test_users_are_given_to_a_new_worker_without_holding_up_others_messages(seen: Seen) -> None:
    """Locust itself gives them in the greenlet that hears workers, before it says who came."""
    joined = seen.said.index("(index 2) reported as ready")
    assert seen.said.rindex("Sending spawn jobs") > joined


@sees(both_killed)
def test_a_run_whose_workers_were_all_killed_goes_on_with_a_new_one(seen: Seen) -> None:
    assert seen.all_codes == (0, [0]), seen.said
    assert seen.finished.outcomes == {"done": 150}
    nothing_is_lost_or_doubled_in_silence(seen, 150)


def refused(folder: Path) -> Seen:
    with (
        simulator() as kiosk,
        cluster(folder, kiosk, "-u", "3", "--job-type", "unheard-of", workers=1) as run,
    ):
        return run.finish()


@sees(refused)
def test_a_run_that_cannot_start_ends_its_master_and_workers(seen: Seen) -> None:
    assert seen.all_codes == (2, [0]), seen.said
    assert seen.finished.output.splitlines()[-1].startswith("exit code 2: the run cannot start: ")
    assert "Traceback" not in seen.finished.output
    assert seen.submitted == []


def told_to_end(folder: Path) -> Seen:
    with (
        simulator("--predict-s=2") as kiosk,
        cluster(folder, kiosk, "-u", "60", "-r", "30", workers=1) as run,
    ):
        submitted(kiosk, 20)
        run.workers[0].signal(signal.SIGTERM)
        gone(run)
        run.join()
        run.join()
        return run.finish()


@sees(told_to_end)
def test_a_run_whose_last_worker_left_goes_on_with_new_ones(seen: Seen) -> None:
    assert seen.all_codes == (0, [0, 0, 0]), seen.said
    assert seen.finished.outcomes == {"done": 60}
    assert len(seen.submitted) == 60
    nothing_is_lost_or_doubled_in_silence(seen, 60)


def stood_still(folder: Path) -> Seen:
    with (
        simulator("--predict-s=2") as kiosk,
        cluster(folder, kiosk, "-u", "60", "-r", "20", workers=1) as run,
    ):
        submitted(kiosk, 20)
        run.workers[0].signal(signal.SIGSTOP)
        gone(run)
        run.workers[0].signal(signal.SIGCONT)
        return run.finish()


@sees(stood_still)
def test_the_same_worker_may_come_back(seen: Seen) -> None:
    assert seen.all_codes == (0, [0]), seen.said
    assert "a worker is back: the run goes on" in seen.said
    assert seen.finished.outcomes == {"done": 60}
    nothing_is_lost_or_doubled_in_silence(seen, 60)


@dataclass
class Ended(Seen):
    """How long the master took to end after it was told to, or after nobody had come."""

    took_s: float


def never_back(folder: Path) -> Ended:
    with (
        simulator("--predict-s=2") as kiosk,
        cluster(folder, kiosk, "-u", "90", "-r", "30", "--worker-wait", "3") as run,
    ):
        submitted(kiosk, 30)
        for worker in run.workers:
            worker.process.kill()
        gone(run)
        since = time.monotonic()
        seen = run.finish(lost=(0, 1))
        return Ended(**vars(seen), took_s=time.monotonic() - since)


def sigterm(folder: Path) -> Ended:
    with (
        simulator("--predict-s=2") as kiosk,
        cluster(folder, kiosk, "-u", "90", "-r", "30") as run,
    ):
        submitted(kiosk, 30)
        for worker in run.workers:
            worker.process.kill()
        gone(run)
        run.master.signal(signal.SIGTERM)
        since = time.monotonic()
        seen = run.finish(lost=(0, 1))
        return Ended(**vars(seen), took_s=time.monotonic() - since)


def everything_is_written(seen: Ended) -> None:
    assert seen.finished.code == 2, seen.said
    nothing_is_lost_or_doubled_in_silence(seen, 90)
    assert seen.finished.outcomes.total() == 90
    assert seen.finished.outcomes["unfinished"] >= 60


@sees(never_back)
def test_a_run_to_which_no_worker_comes_back_ends_with_everything_written(seen: Ended) -> None:
    everything_is_written(seen)
    why = "exit code 2: the last worker went and none came back within 3 s (--worker-wait)"
    assert why in seen.finished.output
    assert 3 <= seen.took_s < 20  # Locust misses a worker after 5 s


@sees(sigterm)
def test_sigterm_ends_a_run_that_waits_for_a_worker_at_once(seen: Ended) -> None:
    everything_is_written(seen)
    assert "exit code 2: interrupted by SIGTERM" in seen.finished.output
    assert seen.took_s < 15  # not the 60 s of --worker-wait


# -- with the web UI


@dataclass
class Page:
    """What runs from the page came to, how long the stop took, and the exit codes."""

    back: Outcomes
    stopped: Outcomes
    stop_took_s: float
    codes: tuple[int, int]


def from_the_page(folder: Path) -> Page:
    port = str(free_port())

    def worker(name: str) -> Locust:
        (folder / name).mkdir()
        return Locust(folder / name, "--worker", "--master-port", port, headless=False)

    def lose(lost: Locust, jobs: int) -> None:
        before = web.output.count("the last worker has gone")
        submitted(kiosk, jobs)
        lost.process.kill()
        wait_until(lambda: web.output.count("the last worker has gone") > before, what="its loss")

    bind = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    with simulator("--predict-s=1") as kiosk:
        (folder / "master").mkdir()
        web = WebUi(folder / "master", *bind, host=kiosk.url)
        workers = [worker("first")]
        try:
            wait_until(lambda: "1 workers connected" in web.output, what="the worker")
            web.start("back", users=60, rate=10)
            lose(workers[0], 10)
            workers.append(worker("second"))
            back = web.written("back")
            web.start("stopped", users=60, rate=10)
            lose(workers[1], len(kiosk.submissions) + 10)
            since = time.monotonic()
            web.stop()
            stopped = web.written("stopped")
            took_s = time.monotonic() - since
            known = web.output.count("1 workers connected")
            workers.append(worker("third"))
            wait_until(lambda: web.output.count("1 workers connected") > known, what="the third")
            web.signal(signal.SIGINT)
            return Page(back, stopped, took_s, (web.finish().code, workers[2].finish().code))
        finally:
            for process in (web.process, *(locust.process for locust in workers)):
                if process.poll() is None:
                    process.kill()
                process.wait()


@sees(from_the_page)
def test_a_run_from_the_page_goes_on_with_a_worker_that_comes_later(seen: Page) -> None:
    assert seen.back == {"done": 60}


@sees(from_the_page)
def test_stop_ends_a_run_that_waits_for_a_worker_at_once(seen: Page) -> None:
    assert sum(seen.stopped.values()) == 60
    assert seen.stopped["unfinished"] >= 40
    assert seen.stop_took_s < 6
    assert seen.codes == (2, 0)
