"""Nothing in a locustfile loops hot, fills the disk or keeps a run from ending."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.plugin.log_rate_limit import EVERY_S, FIRST, RepeatFilter
from tests.helpers.real import Finished, Locust, Simulator, simulator
from tests.helpers.servers import processes

pytestmark = pytest.mark.proof  # scripts/proof runs it

LOCUSTFILES = Path(__file__).parents[1] / "locustfiles"


@pytest.fixture
def kiosk() -> Iterator[Simulator]:
    with simulator() as kiosk:
        yield kiosk


def run(folder: Path, kiosk: Simulator, *arguments: str, **settings: Any) -> Finished:
    """A run of 20 jobs with 10 users."""
    asked = ("-u", "10", "-r", "10", "--count", "20", *arguments)
    file = LOCUSTFILES / "fails_at_once.py"
    return Locust(folder, *asked, locustfile=file, host=kiosk.url, **settings).finish()


def lines(finished: Finished, text: str) -> int:
    return sum(text in line for line in finished.output.splitlines())


# -- tags


@pytest.mark.parametrize(
    ("workers", "arguments", "settings"),
    [
        (0, ("--tags", "other"), {}),
        (0, (), {"LOCUST_TAGS": "other"}),
        (0, ("--tags", "other", "--exclude-tags", "more"), {}),
        (2, ("--tags", "other"), {}),
    ],
)
def test_tags_have_no_effect_on_jobs(
    kiosk: Simulator,
    tmp_path: Path,
    workers: int,
    arguments: tuple[str, ...],
    settings: dict[str, str],
) -> None:
    several = processes(workers) if workers else ()
    finished = run(tmp_path, kiosk, *several, *arguments, **settings)
    assert (finished.code, finished.outcomes) == (0, {"done": 20}), finished.output
    assert len(kiosk.submissions) == 20
    assert "Kiosk submits all of its jobs: tags have no effect on them" in finished.output
    assert "Traceback" not in finished.output


def test_tags_of_a_configuration_file_have_none_either(kiosk: Simulator, tmp_path: Path) -> None:
    (tmp_path / "locust.conf").write_text("tags = [other]\n")
    finished = run(tmp_path, kiosk)
    assert (finished.code, finished.outcomes) == (0, {"done": 20}), finished.output


@pytest.mark.parametrize("tags", ["--tags other", "--exclude-tags beside"])
def test_a_class_that_tags_leave_no_task_is_refused(
    kiosk: Simulator, tmp_path: Path, tags: str
) -> None:
    finished = run(tmp_path, kiosk, *tags.split(), FAULT="tagged")
    assert finished.code == 2, finished.output
    last = finished.output.splitlines()[-1]
    assert last.startswith(f"exit code 2: the run cannot start: Beside has no task under {tags}")
    assert len(kiosk.submissions) == 0


# -- loops


@pytest.mark.parametrize("fault", ["task", "reschedule"])
def test_a_user_beside_that_fails_at_once_is_slowed_down(
    kiosk: Simulator, tmp_path: Path, fault: str
) -> None:
    finished = run(tmp_path, kiosk, FAULT=fault)
    assert (finished.code, finished.outcomes) == (0, {"done": 20}), finished.output
    assert "users of Beside fail again and again" in finished.output
    assert lines(finished, "Traceback") <= 2
    assert len(finished.output) < 30_000


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("on_start", "no user is left to take jobs: RuntimeError('cannot start') in Kiosk"),
        ("__init__", "no user is left to take jobs: RuntimeError('cannot be made')"),
        ("wait_time", "no user is left to take jobs: RuntimeError('cannot wait') in Kiosk"),
        ("no way out", "every user fails again and again: RuntimeError('no way out') in Kiosk"),
    ],
)
def test_a_run_without_a_user_that_can_take_jobs_ends(
    kiosk: Simulator, tmp_path: Path, fault: str, words: str
) -> None:
    finished = run(tmp_path, kiosk, FAULT=fault)
    assert finished.code == 2, finished.output
    assert words in finished.output.splitlines()[-1]
    assert len(finished.jobs) == 20
    submitted = {s["hash"] for s in kiosk.submissions}
    assert {job["job_id"] for job in finished.jobs if job["job_id"]} == submitted
    assert len(finished.output) < 100_000


@pytest.mark.parametrize("fault", ["on_start", "no way out"])
def test_a_run_whose_workers_have_no_such_user_ends(
    kiosk: Simulator, tmp_path: Path, fault: str
) -> None:
    finished = run(tmp_path, kiosk, *processes(2), FAULT=fault)
    assert finished.code == 2, finished.output
    ours = [line for line in finished.output.splitlines() if line.startswith("exit code")]
    assert "user" in ours[-1]  # Locust adds, as it exits, that a worker's code was not 0
    assert len(finished.jobs) == 20


def test_weights_that_leave_no_user_for_jobs_end_the_run(kiosk: Simulator, tmp_path: Path) -> None:
    finished = Locust(
        tmp_path,
        *("-u", "1", "--count", "2"),
        locustfile=LOCUSTFILES / "beside_http.py",
        host=kiosk.url,
        VISITED=kiosk.url,
    ).finish()
    if finished.outcomes == {"done": 2}:  # which class Locust takes is its own affair
        pytest.skip("the one user submits jobs")
    assert finished.code == 2, finished.output
    assert "raise -u" in finished.output.splitlines()[-1]


@pytest.mark.parametrize("fault", ["request", "listeners"])
def test_what_raises_for_each_job_or_request_is_logged_once_with_its_traceback(
    kiosk: Simulator, tmp_path: Path, fault: str
) -> None:
    finished = run(tmp_path, kiosk, FAULT=fault)
    assert len(finished.jobs) == 20
    assert finished.code == (2 if fault == "request" else 0), finished.output
    assert 1 <= lines(finished, "Traceback") <= 4
    log = tmp_path / "logs" / "kiosk_locust.log"
    assert not log.exists() or os.path.getsize(log) < 60_000


# -- the filter of repeated records


def logged(times: int, seconds: float, text: str = "no %d", **more: Any) -> list[str]:
    """What passes of so many records of a kind, ``seconds`` apart."""
    now = [0.0]
    limit = RepeatFilter(lambda: now[0])
    passed = []
    for number in range(times):
        record = logging.LogRecord("x", logging.ERROR, "", 0, text, (number,), None)
        if limit.filter(record):
            passed.append(record.getMessage())
        now[0] += seconds
    return passed


def test_the_first_records_of_a_kind_pass_and_then_one_in_10_s_with_a_count() -> None:
    passed = logged(FIRST + 1000, 0.1)
    assert passed[:2] == ["no 0", "no 1"]
    assert len(passed) - FIRST in (9, 10)  # in 100 s, one each EVERY_S
    assert EVERY_S == 10.0
    assert "more since" in passed[-1]


def test_of_a_traceback_that_repeats_its_last_line_is_left() -> None:
    text = 'Traceback (most recent call last):\n  File "x", line 3\nKeyError: %d'
    assert logged(2, 1.0, text)[1] == "KeyError: 1"


def test_warnings_are_not_limited() -> None:
    limit = RepeatFilter()
    record = logging.LogRecord("x", logging.WARNING, "", 0, "w", (), None)
    assert all(limit.filter(record) for _ in range(1000))
