"""Runs that users' code ends: each leaves its results, a right exit code, and no process."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.real import Finished, Simulator, run_locust, simulator
from tests.helpers.servers import processes

pytestmark = pytest.mark.proof  # scripts/proof runs it

LOCUSTFILE = Path(__file__).parents[1] / "locustfiles" / "ends_run.py"
PLACES = ("job_submitted", "job_status", "job_closed", "request", "KioskUser.request", "task")
COUNT = 60


def sampled(every: int, *cases: tuple[str, ...]) -> list[Any]:
    """One case in so many for each run of the tests; the others are of the whole proof."""
    return [
        pytest.param(*case, marks=[pytest.mark.whole] if place % every else [])
        for place, case in enumerate(cases)
    ]


@pytest.fixture
def kiosk() -> Iterator[Simulator]:
    with simulator() as kiosk:
        yield kiosk


def run(
    folder: Path, kiosk: Simulator, where: str, how: str, *arguments: str, **settings: Any
) -> Finished:
    """A run of 60 jobs, 20/s; one that nothing ends takes longer than 3 s and ends with code 0."""
    settings = {"AT_CALL": "15" if where == "request" else "3"} | settings  # 3 before the start
    asked = ("-u", "10", "-r", "20", "-s", "2", "--count", str(COUNT), *arguments)
    return run_locust(
        folder, *asked, locustfile=LOCUSTFILE, host=kiosk.url, WHERE=where, HOW=how, **settings
    )


def check_interrupted(finished: Finished, kiosk: Simulator, by: str, code: int = 2) -> None:
    """All tickets are accounted for, the jobs that the server received by their ids."""
    assert finished.code == code, finished.output
    assert len(finished.jobs) == COUNT, finished.output
    assert 0 < finished.outcomes["unfinished"] <= COUNT
    submitted = {s["hash"] for s in kiosk.submissions}
    recorded = {job["job_id"] for job in finished.jobs if job["job_id"]}
    assert recorded <= submitted
    # A submission that was cut off has no id here, and says that it may have arrived.
    cut_off = sum(not job["job_id"] and job["ambiguous"] for job in finished.jobs)
    assert len(submitted - recorded) <= cut_off, finished.output
    assert by in finished.output, finished.output


@pytest.mark.parametrize("where", PLACES)
def test_runner_quit_ends_the_run_wherever_it_is_called(
    kiosk: Simulator, tmp_path: Path, where: str
) -> None:
    finished = run(tmp_path, kiosk, where, "quit")
    check_interrupted(finished, kiosk, "interrupted by runner.quit()")


@pytest.mark.parametrize("where", ["job_closed", "KioskUser.request"])
def test_runner_stop_ends_a_headless_process_too(
    kiosk: Simulator, tmp_path: Path, where: str
) -> None:
    finished = run(tmp_path, kiosk, where, "stop")
    check_interrupted(finished, kiosk, "interrupted by runner.stop()")


@pytest.mark.parametrize("where", sampled(2, *((place,) for place in PLACES)))
def test_sys_exit_ends_the_run_with_its_results(
    kiosk: Simulator, tmp_path: Path, where: str
) -> None:
    finished = run(tmp_path, kiosk, where, "exit 3")
    check_interrupted(finished, kiosk, "interrupted by SystemExit(3) raised in", 3)
    last = finished.output.splitlines()[-1]
    assert last.startswith("exit code 3: set by a listener"), finished.output


@pytest.mark.parametrize(
    ("where", "how"),
    sampled(
        2,
        *product(("job_closed", "request", "KioskUser.request"), ("exit", "interrupt", "StopTest")),
    ),
)
def test_what_else_ends_a_process_ends_the_run_with_its_results(
    kiosk: Simulator, tmp_path: Path, where: str, how: str
) -> None:
    finished = run(tmp_path, kiosk, where, how)
    check_interrupted(finished, kiosk, "interrupted by ")


@pytest.mark.parametrize("where", ["job_submitted", "job_status", "job_closed", "request"])
def test_greenlet_exit_in_a_listener_costs_no_job(
    kiosk: Simulator, tmp_path: Path, where: str
) -> None:
    finished = run(tmp_path, kiosk, where, "GreenletExit")
    assert (finished.code, finished.outcomes) == (0, {"done": COUNT}), finished.output
    assert len(kiosk.submissions) == COUNT


def test_an_exit_code_that_a_listener_sets_is_the_processs(
    kiosk: Simulator, tmp_path: Path
) -> None:
    finished = run(tmp_path, kiosk, "job_closed", "code 7")
    check_interrupted(finished, kiosk, "interrupted by runner.quit()", 7)


@pytest.mark.parametrize("how", ["quit", "exit 3"])
@pytest.mark.parametrize("where", ["on_start", "test_start"])
def test_a_test_that_is_ended_as_it_starts_ends_the_process(
    kiosk: Simulator, tmp_path: Path, where: str, how: str
) -> None:
    finished = run(tmp_path, kiosk, where, how, AT_CALL="1")
    assert finished.code == (3 if how == "exit 3" else 2), finished.output
    assert finished.outcomes.get("done", 0) == 0
    assert len(kiosk.submissions) == 0


@pytest.mark.parametrize(
    ("where", "how"),
    sampled(
        3,
        *product(
            ("on_stop", "run_closed", "test_stopping", "test_stop"),
            ("quit", "stop", "exit", "GreenletExit"),
        ),
    ),
)
def test_a_run_that_is_ended_again_while_it_ends_keeps_its_exit_code(
    kiosk: Simulator, tmp_path: Path, where: str, how: str
) -> None:
    finished = run(tmp_path, kiosk, where, how, "--count", "4", AT_CALL="1")
    assert (finished.code, finished.outcomes) == (0, {"done": 4}), finished.output


def test_sys_exit_in_quitting_comes_after_the_results(kiosk: Simulator, tmp_path: Path) -> None:
    finished = run(tmp_path, kiosk, "quitting", "exit 3", "--count", "4", AT_CALL="1")
    assert (finished.code, finished.outcomes) == (3, {"done": 4}), finished.output


@pytest.mark.parametrize(
    ("where", "how"),
    sampled(
        2,
        ("job_closed", "quit"),
        ("request", "quit"),
        ("KioskUser.request", "quit"),
        ("task", "stop"),
        ("job_closed", "exit 3"),
        ("KioskUser.request", "StopTest"),
        ("task", "interrupt"),
    ),
)
def test_workers_end_the_run_for_all(
    kiosk: Simulator, tmp_path: Path, where: str, how: str
) -> None:
    finished = run(tmp_path, kiosk, where, how, *processes(2))
    # The master has listeners of its own, and their exit code.
    code = 3 if (where, how) == ("job_closed", "exit 3") else 2
    said = "exit code 2: " if code == 2 else "; of the run alone, 2: "
    check_interrupted(finished, kiosk, said, code)


@pytest.mark.parametrize("how", ["quit", "exit 3"])
def test_a_distributed_test_that_is_ended_as_it_starts_ends_all_processes(
    kiosk: Simulator, tmp_path: Path, how: str
) -> None:
    finished = run(tmp_path, kiosk, "test_start", how, *processes(2), AT_CALL="1")
    assert finished.code in (2, 3), finished.output
    assert len(kiosk.submissions) == 0
