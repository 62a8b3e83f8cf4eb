"""A run that was interrupted says so, and gives its figures with the pause and without."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kiosk_locust.ledger.sessions import Gap, gaps, interrupted, sessions
from kiosk_locust.model.record import Outcome
from kiosk_locust.reporting.terminal import summary_table as screen
from kiosk_locust.verdict.exit_code import Verdict, exit_code
from kiosk_locust.verdict.judgement import judgement
from kiosk_locust.verdict.rules import Validity
from tests.helpers.ledgers import T0, Row, make, never_leased, summarise
from tests.measurement.test_completions import job

#: Two sessions of 10 s each with 14 s between them.
SESSIONS = (
    (1, T0 - 2, T0, T0 + 10, "SIGINT"),
    (2, T0 + 24, T0 + 24, T0 + 34, "all tickets closed"),
)


def ledger(tmp_path: Path, rows: list[Row], told: tuple[tuple[Any, ...], ...] = SESSIONS) -> Path:
    path = make(tmp_path / "run.db", rows)
    with closing(sqlite3.connect(path)) as db:
        db.executemany("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, '{}')", told)
        db.commit()
    return path


def rows() -> list[Row]:
    """40 jobs that ended at 0.25 s intervals in each session, and two that ended in the pause."""
    first = [job(n, 2.0 + n * 0.2) for n in range(40)]
    second = [job(50 + n, 26.0 + n * 0.2) for n in range(40)]
    return [*first, job(40, 12.0), job(41, 13.0), *second]


def shown(path: Path) -> str:
    output = io.StringIO()
    console = Console(file=output, width=200)
    screen.show(
        console, summarise(path), Verdict(0, "all well"), run_name="r", simulated=False, files=[]
    )
    return output.getvalue()


def test_figures_are_told_with_the_pause_and_without(tmp_path: Path) -> None:
    """From 0 s (due) to 33.8 s (last end), 14 s of it without a process; 2 of 82 ended in those."""
    found = summarise(ledger(tmp_path, rows()))
    pauses = found.pauses
    assert found.makespan_s == pytest.approx(33.8)
    assert (pauses.count, pauses.seconds) == (1, 14.0)
    assert pauses.makespan_s == pytest.approx(19.8)
    assert found.images_per_s == pytest.approx(82 / 33.8)
    assert pauses.images_per_s == pytest.approx(80 / 19.8)
    assert pauses.jobs_per_s == pytest.approx(80 / 19.8)
    assert pauses.lines == ("14.0 s, from 10.0 s after the first due time on (SIGINT)",)
    assert pauses.text == "the run was interrupted once (SIGINT), for 14.0 s"


def test_a_run_that_was_not_interrupted_has_the_same_figures_twice(tmp_path: Path) -> None:
    found = summarise(ledger(tmp_path, rows(), ((1, T0 - 2, T0, T0 + 34, "all tickets closed"),)))
    pauses = found.pauses
    assert (pauses.count, pauses.seconds, pauses.text, pauses.lines) == (0, 0.0, "", ())
    assert pauses.makespan_s == found.makespan_s
    assert pauses.jobs_per_s == pytest.approx(found.jobs_per_s)
    assert pauses.images_per_s == pytest.approx(found.images_per_s)


def test_the_screen_tells_each_interruption_and_both_figures(tmp_path: Path) -> None:
    text = shown(ledger(tmp_path, rows()))
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert "33.8 s, first due time to last end; 19.8 s without pauses" in lines["makespan"]
    assert "14.0 s, from 10.0 s after the first due time on (SIGINT)" in text
    assert lines["throughput"].count("jobs/s") == 2


def test_many_interruptions_take_one_line(tmp_path: Path) -> None:
    told = tuple(
        (n + 1, T0 + 5.0 * n, T0 + 5.0 * n, T0 + 5.0 * n + 4.0, "the process died")
        for n in range(6)
    )
    text = shown(ledger(tmp_path, rows(), told))
    assert text.count("pause  ") == 1
    assert "5 times, for 5.00 s in all; the longest 1.00 s, from 4.00 s after" in text


def test_a_pause_of_a_process_that_died_begins_at_its_last_sign_of_life(tmp_path: Path) -> None:
    told = ((1, T0 - 2, T0, None, None), (2, T0 + 24, T0 + 24, None, None))
    path = ledger(tmp_path, rows(), told)
    with closing(sqlite3.connect(path)) as db:
        found = sessions(db, T0 + 9.5)
    (gap,) = gaps(found)
    assert (gap.begin, gap.seconds) == (T0 + 9.5, 14.5)


def test_the_pause_makes_no_steady_run_a_batch(tmp_path: Path) -> None:
    """A job each 0.2 s before and after it, all of 2 s."""
    steady = [job(n, 2.0 + n * 0.2) for n in range(300)]
    steady += [job(300 + n, 200.0 + n * 0.2) for n in range(300)]
    told = (
        (1, T0 - 2, T0, T0 + 62, "SIGTERM"),
        (2, T0 + 198, T0 + 198, T0 + 262, "all tickets closed"),
    )
    found = summarise(ledger(tmp_path, steady, told))
    assert found.regime.arrivals_per_s == pytest.approx(5.0, rel=0.02)
    assert found.regime.in_system == pytest.approx(10.0, rel=0.1)
    assert "cycles" not in found.regime.why


def test_the_last_line_and_the_warnings_name_the_interruption() -> None:
    said = interrupted((Gap(0.0, 14.0, "SIGTERM"),))
    line = exit_code({Outcome.DONE: 400}, True, interrupted=said).line
    assert line == (
        "exit code 0: all 400 jobs are done; the run was interrupted once (SIGTERM), for 14.0 s"
    )
    made = judgement(Validity((), ()), (), is_batch=False, interrupted=said)
    assert (made.verdict, len(made.warnings)) == ("VALID", 1)
    assert made.warnings[0].startswith("the run was interrupted once (SIGTERM), for 14.0 s: ")
    assert judgement(Validity((), ()), (), is_batch=False).warnings == ()


def test_jobs_that_were_never_begun_are_not_unfinished_ones(tmp_path: Path) -> None:
    not_sent = (1, T0, None, None, "not sent", None, "held back", None)
    maybe = (1, T0, T0, None, "maybe", None, "reset", None)
    open_ended: dict[str, Any] = {
        "outcome": "unfinished", "job_id": None, "submitted_at": None, "duration_s": None,
        "fields": None, "queue_wait_s": None, "observed_at": None, "observed_after": None,
    }  # fmt: skip
    found = summarise(
        make(
            tmp_path / "run.db",
            [
                job(0, 2.0),
                job(1, 3.0, outcome="unfinished"),
                never_leased(2),
                Row(number=3, attempts=(not_sent,), **open_ended),
                Row(number=4, attempts=(maybe,), ambiguous=1, **open_ended),
            ],
        )
    )
    assert (found.tickets, found.outcomes["unfinished"], found.never_begun) == (5, 4, 2)


def test_the_verdict_tells_what_was_never_begun() -> None:
    counts = {Outcome.DONE: 200, Outcome.UNFINISHED: 200}
    why = exit_code(counts, False, "interrupted by Stop", never_begun=198).why
    assert why == "interrupted by Stop: 2 of 400 jobs are unfinished and 198 were never begun"
    assert (
        "1 of 2 jobs was never begun"
        in exit_code({Outcome.DONE: 1, Outcome.UNFINISHED: 1}, False, never_begun=1).why
    )
