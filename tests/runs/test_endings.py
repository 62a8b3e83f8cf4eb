"""Every way a run can end leaves each ticket closed, everything written, and a true exit code."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.helpers.real import Locust, Simulator, run_locust, simulator, wait_until

SLOW = ("--predict-s=1.5",)


def every_submission_has_one_record(kiosk: Simulator, run: Locust) -> None:
    (counted,) = run_sql(run, "SELECT count(*), count(DISTINCT job_id) FROM tickets")
    submitted = len(kiosk.submissions)
    assert counted[1] == submitted
    assert run_sql(run, "SELECT count(*) FROM tickets WHERE state <> 'closed'") == [(0,)]


def run_sql(run: Locust, query: str) -> list[tuple[int, ...]]:
    (path,) = run.folder.glob("results/*.db")
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def started(kiosk: Simulator, jobs: int) -> None:
    wait_until(lambda: len(kiosk.submissions) >= jobs, what=f"{jobs} submissions")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_jobs_in_flight_end_and_closes_the_rest_as_unfinished(
    tmp_path: Path, number: signal.Signals
) -> None:
    with simulator(*SLOW) as kiosk:
        run = Locust(tmp_path, "-u", "200", "-r", "20", host=kiosk.url)
        started(kiosk, 20)
        run.signal(number)
        finished = run.finish()
        every_submission_has_one_record(kiosk, run)
        submitted = len(kiosk.submissions)
    assert finished.code == 2, finished.output
    assert finished.outcomes == {"done": submitted, "unfinished": 200 - submitted}
    assert f"interrupted by {'Ctrl-C' if number == signal.SIGINT else 'SIGTERM'}" in finished.output


def test_jobs_that_do_not_end_within_stop_timeout_are_unfinished_and_not_expired(
    tmp_path: Path,
) -> None:
    with simulator("--predict-s=600") as kiosk:
        run = Locust(tmp_path, "-u", "20", "-r", "200", "-s", "1", host=kiosk.url)
        started(kiosk, 20)
        begun = time.monotonic()
        run.signal(signal.SIGINT)
        finished = run.finish()
        took_s = time.monotonic() - begun
        assert kiosk.requests["POST /api/redis/expire"] == 0
    assert (finished.code, finished.outcomes) == (2, {"unfinished": 20})
    assert 1 <= took_s < 5


def test_a_second_signal_gives_up_waiting_but_still_writes(tmp_path: Path) -> None:
    with simulator("--predict-s=600") as kiosk:
        run = Locust(tmp_path, "-u", "20", "-r", "200", "-s", "500", host=kiosk.url)
        started(kiosk, 20)
        run.signal(signal.SIGINT)
        wait_until(lambda: "jobs in flight have" in run.output)
        begun = time.monotonic()
        run.signal(signal.SIGINT)
        finished = run.finish()
    assert (finished.code, finished.outcomes) == (2, {"unfinished": 20})
    assert time.monotonic() - begun < 5


def test_a_run_time_ends_a_counted_run_before_its_tickets_are_closed(tmp_path: Path) -> None:
    with simulator() as kiosk:
        run = Locust(tmp_path, "-u", "500", "-r", "20", "-t", "3", host=kiosk.url)
        finished = run.finish()
        every_submission_has_one_record(kiosk, run)
    assert finished.code == 2
    assert finished.outcomes["done"] + finished.outcomes["unfinished"] == 500
    assert 20 < finished.outcomes["done"] < 70
    assert "interrupted by -t" in finished.output


@pytest.mark.alone
def test_an_open_ended_run_is_finished_when_its_time_is_over_and_its_jobs_have_ended(
    tmp_path: Path,
) -> None:
    with simulator(*SLOW) as kiosk:
        arguments = ("--count", "0", "-u", "200", "-r", "20", "-t", "3")
        finished = run_locust(tmp_path, *arguments, host=kiosk.url)
        submitted = len(kiosk.submissions)
    assert finished.code == 0, finished.output
    assert finished.outcomes == {"done": submitted}
    assert 30 < submitted < 70


def test_failed_jobs_make_the_exit_code_1_with_a_reason(tmp_path: Path) -> None:
    with simulator("--failure-rate=1") as kiosk:
        finished = run_locust(tmp_path, "-u", "5", host=kiosk.url)
    assert (finished.code, finished.outcomes) == (1, {"failed": 5})
    assert "exit code 1: 5 of 5 jobs failed" in finished.output
    assert all("Traceback" in job["reason"] for job in finished.jobs)


def test_the_embedded_simulator_says_so_everywhere_and_ends_with_the_run(tmp_path: Path) -> None:
    run = Locust(tmp_path, "-u", "3")
    finished = run.finish()
    assert finished.code == 0, finished.output
    assert all(found["simulated"] for found in finished.results)
    names = os.listdir(tmp_path / "results")
    assert names
    assert all(name.startswith("simulated_") for name in names)
    lines = [line for line in finished.output.splitlines() if line.strip()]
    assert "SIMULATED" in lines[-1]
    assert not simulators_of(tmp_path)


def simulators_of(folder: Path) -> list[str]:
    """Command lines of simulators whose working directory is ``folder``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                command = (process / "cmdline").read_bytes().decode()
                found += [command] if "kiosk_locust.simulator" in command else []
        except OSError:
            continue
    return found


def test_the_embedded_simulator_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    run = Locust(tmp_path, "-u", "50", "-r", "5")
    wait_until(lambda: simulators_of(tmp_path), what="the simulator's start")
    wait_until(lambda: "the first job is due" in run.output)
    run.process.kill()
    run.process.wait()
    wait_until(lambda: not simulators_of(tmp_path), what="the simulator's end")


def test_what_meant_a_real_kiosk_gets_no_simulated_one(tmp_path: Path) -> None:
    finished = run_locust(tmp_path, "-u", "1", STORAGE_BUCKET="gs://real")
    assert finished.code == 2
    assert "STORAGE_BUCKET" in finished.output
    assert not (tmp_path / "results").exists()


def test_all_mistakes_are_told_at_once_and_nothing_starts(tmp_path: Path) -> None:
    finished = run_locust(
        tmp_path,
        *("-u", "1", "--start-delay", "-1", "--arrival-trace", "none.txt"),
        host="http://127.0.0.1:9",
        MODEL="noversion",
        dotenv="UPDATE_INTERVAL=\nEXPIRE_TIME=soon\n",
    )
    assert finished.code == 2
    for source in ("--start-delay", "--arrival-trace", "MODEL", "EXPIRE_TIME in .env"):
        assert re.search(rf"- .*{re.escape(source)}", finished.output), source
    assert not (tmp_path / "results").exists()
