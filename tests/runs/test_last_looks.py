"""What has ended at the Kiosk is not called unfinished, and nothing that hangs holds up the end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.real import Locust, run_locust, simulator, wait_until
from tests.helpers.servers import RawServer, hanging

HUNG = """
import time

from kiosk_locust import attach
from kiosk_locust.plugin.user import KioskUser

attach()


class Slow(KioskUser):
    def request(self, ticket, default):
        if ticket.number == 3:
            time.sleep(300)
        return default
"""
WRONG_TYPES = """
from dataclasses import replace

from kiosk_locust import attach
from kiosk_locust.plugin.user import KioskUser

attach()


class Wrong(KioskUser):
    def request(self, ticket, default):
        return replace(default, channels=["0"]) if ticket.number == 3 else default
"""


def test_jobs_that_are_done_between_two_polls_are_done_when_the_run_is_stopped(
    tmp_path: Path,
) -> None:
    with simulator() as kiosk:
        arguments = ("-u", "30", "-r", "100", "-s", "1", "--update-interval", "300")
        run = Locust(tmp_path, *arguments, host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) == 30)
        run.signal(signal.SIGINT)
        finished = run.finish()
    assert finished.outcomes == {"done": 30}
    assert finished.code == 0, finished.output


def test_jobs_that_are_done_between_two_polls_do_not_time_out(tmp_path: Path) -> None:
    with simulator() as kiosk:
        arguments = ("-u", "20", "-r", "100", "--job-timeout", "2", "--update-interval", "300")
        finished = run_locust(tmp_path, *arguments, host=kiosk.url)
    assert finished.outcomes == {"done": 20}


def test_a_user_class_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    (tmp_path / "hung.py").write_text(HUNG)
    with simulator() as kiosk:
        arguments = ("-u", "10", "-r", "100", "-s", "1")
        run = Locust(tmp_path, *arguments, host=kiosk.url, locustfile=tmp_path / "hung.py")
        wait_until(lambda: kiosk.requests["POST /api/redis/expire"] == 9)
        begun = time.monotonic()
        run.signal(signal.SIGINT)
        finished = run.finish()
    assert time.monotonic() - begun < 20
    assert finished.outcomes == {"done": 9, "unfinished": 1}
    assert finished.code == 2


def test_a_request_of_a_wrong_type_costs_its_own_ticket_only(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG_TYPES)
    with simulator() as kiosk:
        locustfile = tmp_path / "wrong.py"
        finished = run_locust(tmp_path, "-u", "10", host=kiosk.url, locustfile=locustfile)
    assert finished.outcomes == {"done": 9, "error": 1}
    (reason,) = (job["reason"] for job in finished.jobs if job["outcome"] == "error")
    assert "JobRequest.channels must be a string" in reason


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_first_job_is_an_interrupted_run(
    tmp_path: Path, number: signal.Signals
) -> None:
    with RawServer(hanging) as kiosk:
        run = Locust(tmp_path, "-u", "5", host=kiosk.url)
        assert kiosk.got_request.wait(20)
        run.signal(number)
        finished = run.finish()
    assert finished.code == 2
    assert "before the first job" in finished.output.splitlines()[-1]


def test_a_second_sigterm_leaves_the_last_words_to_the_verdict(tmp_path: Path) -> None:
    with simulator("--predict-s=600") as kiosk:
        run = Locust(tmp_path, "-u", "20", "-r", "200", "-s", "500", host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) == 20)
        run.signal(signal.SIGTERM)
        wait_until(lambda: "jobs in flight have" in run.output)
        time.sleep(0.1)  # what a person cannot undercut counts as one signal
        run.signal(signal.SIGTERM)
        finished = run.finish()
    assert (finished.code, finished.outcomes) == (2, {"unfinished": 20})
    assert finished.output.splitlines()[-1].startswith("exit code 2: interrupted by SIGTERM")
    assert "Traceback" not in finished.output


def test_a_job_type_that_looks_like_a_path_stays_in_the_output_folder(tmp_path: Path) -> None:
    with simulator("--job-types=x/../../esc,segmentation") as kiosk:
        finished = run_locust(tmp_path, "-u", "1", host=kiosk.url, JOB_TYPE="x/../../esc")
    assert finished.code in (0, 1), finished.output
    assert len(list(tmp_path.glob("results/*_x_.._.._esc.db"))) == 1
    assert not list(tmp_path.glob("*.db"))


def test_two_runs_that_start_in_one_second_have_ledgers_of_their_own(tmp_path: Path) -> None:
    with simulator() as kiosk:
        folders = [tmp_path / name for name in ("a", "b")]
        for folder in folders:
            folder.mkdir()
        shared: dict[str, Any] = {"OUTPUT_DIR": str(tmp_path / "results")}
        runs = [Locust(folder, "-u", "3", host=kiosk.url, **shared) for folder in folders]
        assert [run.finish().code for run in runs] == [0, 0]
    assert len(list(tmp_path.glob("results/*.db"))) == 2


def test_a_finished_run_leaves_its_ledger_its_results_its_report_and_its_log_and_no_more(
    tmp_path: Path,
) -> None:
    with simulator() as kiosk:
        run_locust(tmp_path, "-u", "2", "--run-name", "tidy", host=kiosk.url)
    assert {name.rsplit(".", 1)[1] for name in os.listdir(tmp_path / "results")} == {
        "db",
        "html",
        "json",
    }
    assert (tmp_path / "results" / "tidy.db").is_file()
