"""Locust as a library, run_single_user, and other classes beside KioskUser: real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.real import (
    CLEAN,
    PYTHONPATH,
    UNJUDGED,
    Finished,
    Simulator,
    run_locust,
    simulator,
)
from tests.helpers.servers import processes

pytestmark = pytest.mark.proof  # scripts/proof runs it

PROGRAMS = Path(__file__).parents[1] / "programs"
LOCUSTFILES = Path(__file__).parents[1] / "locustfiles"


@pytest.fixture
def kiosk() -> Iterator[Simulator]:
    with simulator() as kiosk:
        yield kiosk


def run(folder: Path, *command: str, **settings: str) -> Finished:
    """A Python program in ``folder``; its output has both streams."""
    environment = CLEAN | UNJUDGED | {"PYTHONPATH": PYTHONPATH, "FILE": "image.png"}
    environment |= {"UPDATE_INTERVAL": "0.2", "START_DELAY": "0.05"} | settings
    done = subprocess.run(
        [sys.executable, *command],
        check=False,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    files = sorted(folder.glob("results/*delay_*.json"))
    return Finished(
        done.returncode, done.stdout, folder, [json.loads(file.read_text()) for file in files]
    )


def library(folder: Path, way: str, **settings: str) -> Finished:
    return run(folder, str(PROGRAMS / "library_run.py"), WAY=way, **settings)


@pytest.mark.parametrize("way", ["plain", "init"])
def test_a_programs_environment_runs_jobs(kiosk: Simulator, tmp_path: Path, way: str) -> None:
    finished = library(tmp_path, way, API_HOST=kiosk.url, COUNT="6")
    assert (finished.code, finished.outcomes) == (0, {"done": 6}), finished.output
    assert len(kiosk.submissions) == 6
    assert "exit code 0: all 6 jobs are done" in finished.output


def test_without_a_count_there_is_a_job_for_each_user(kiosk: Simulator, tmp_path: Path) -> None:
    finished = library(tmp_path, "plain", API_HOST=kiosk.url)
    assert (finished.code, finished.outcomes) == (0, {"done": 4}), finished.output


def test_parsed_options_of_a_program_count(kiosk: Simulator, tmp_path: Path) -> None:
    finished = library(tmp_path, "parsed", API_HOST=kiosk.url, COUNT="6")
    assert (finished.code, finished.outcomes) == (0, {"done": 3}), finished.output


def test_the_host_of_an_environment_counts(kiosk: Simulator, tmp_path: Path) -> None:
    finished = library(tmp_path, "host", HOST_FOR_PROGRAM=kiosk.url, COUNT="3")
    assert (finished.code, finished.outcomes) == (0, {"done": 3}), finished.output
    assert len(kiosk.submissions) == 3


def test_a_program_can_end_the_run(tmp_path: Path) -> None:
    with simulator("--predict-s=600") as kiosk:
        finished = library(tmp_path, "quit", API_HOST=kiosk.url, COUNT="6", LOCUST_STOP_TIMEOUT="1")
    assert (finished.code, finished.outcomes) == (2, {"unfinished": 6}), finished.output


def test_without_attach_a_program_ends_with_a_sentence(kiosk: Simulator, tmp_path: Path) -> None:
    finished = library(tmp_path, "not attached", API_HOST=kiosk.url)
    assert finished.code == 2, finished.output
    assert "kiosk_locust.attach() must be called" in finished.output


def test_a_setting_that_cannot_be_used_is_raised(kiosk: Simulator, tmp_path: Path) -> None:
    finished = library(tmp_path, "plain", API_HOST=kiosk.url, COUNT="many")
    assert finished.code != 0
    assert "OptionsError: 1 setting cannot be used" in finished.output
    assert "COUNT" in finished.output


def test_jobs_run_in_tests_of_pytest_one_run_after_the_other(
    kiosk: Simulator, tmp_path: Path
) -> None:
    suite = tmp_path / "test_suite.py"
    suite.write_text((PROGRAMS / "suite.py").read_text())
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_suite.py")
    finished = run(tmp_path, *arguments, API_HOST=kiosk.url)
    assert finished.code == 0, finished.output
    assert "2 passed" in finished.output
    assert len(kiosk.submissions) == 7


def test_run_single_user_runs_its_jobs_and_returns(kiosk: Simulator, tmp_path: Path) -> None:
    program = str(PROGRAMS / "single_user.py")
    finished = run(tmp_path, program, API_HOST=kiosk.url, COUNT="3")
    assert (finished.code, finished.outcomes) == (0, {"done": 3}), finished.output
    assert len(kiosk.submissions) == 3
    assert "it has returned" in finished.output
    printed = [line for line in finished.output.splitlines() if "/api/predict" in line]
    assert len(printed) >= 3
    assert "{'user': 'the only one'}" in printed[0]


def test_run_single_user_ends_with_the_runs_exit_code(tmp_path: Path) -> None:
    with simulator("--failure-rate=1") as kiosk:
        program = str(PROGRAMS / "single_user.py")
        finished = run(tmp_path, program, API_HOST=kiosk.url, COUNT="1")
    assert (finished.code, finished.outcomes) == (1, {"failed": 1}), finished.output


def test_run_single_user_refuses_in_a_sentence(kiosk: Simulator, tmp_path: Path) -> None:
    program = str(PROGRAMS / "single_user.py")
    finished = run(tmp_path, program, API_HOST=kiosk.url, JOB_TYPE="unheard-of")
    assert finished.code == 2, finished.output
    assert "the run cannot start: " in finished.output
    assert "Traceback" not in finished.output


def test_an_http_user_beside_has_the_programs_kiosk(kiosk: Simulator, tmp_path: Path) -> None:
    finished = library(tmp_path, "beside", API_HOST=kiosk.url, COUNT="6")
    assert (finished.code, finished.outcomes) == (0, {"done": 6}), finished.output


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("is_simulated", [False, True])
def test_an_http_user_without_a_host_visits_the_kiosk(
    tmp_path: Path, workers: int, *, is_simulated: bool
) -> None:
    with simulator() as kiosk:
        finished = run_locust(
            tmp_path,
            *("-u", "6", "-r", "20", "--count", "8", "--json-file", "stats"),
            *(processes(workers) if workers else ()),
            locustfile=LOCUSTFILES / "hostless_http.py",
            **({} if is_simulated else {"host": kiosk.url}),
        )
        visits = kiosk.requests["GET /api/health-check"]
    assert (finished.code, finished.outcomes) == (0, {"done": 8}), finished.output
    assert "You must specify the base host" not in finished.output
    stats = json.loads((tmp_path / "stats.json").read_text())
    told = sum(row["num_requests"] for row in stats if row["name"] == "/api/health-check")
    assert told > 3  # one is ours, before the start
    if is_simulated:
        assert visits == 0
    else:  # a visit that is under way at the end is ended with its user, and Locust counts it not
        assert told <= visits <= told + 6
