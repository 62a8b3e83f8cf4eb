"""What listeners of ``run_closed`` are given, and when."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kiosk_locust import RunClosed, events
from kiosk_locust.ledger.lock import Lock
from tests.assembly.test_made_up import MISSED, died, make_up


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[..., None]], None]]:
    """Adds a listener for the time of one test."""
    listeners: list[Callable[..., None]] = []

    def add(listener: Callable[..., None]) -> None:
        listeners.append(events.run_closed.add_listener(listener))

    yield add
    for listener in listeners:
        events.run_closed.remove_listener(listener)


@pytest.fixture
def closed(tmp_path: Path, listen: Callable[[Callable[..., None]], None]) -> RunClosed:
    """A run that missed a threshold, and that was killed before it was judged."""
    runs: list[RunClosed] = []
    listen(lambda run, **_: runs.append(run))
    make_up(died(tmp_path), trust=MISSED)
    (run,) = runs
    return run


def test_its_code_and_reason_are_those_that_the_ledger_keeps(closed: RunClosed) -> None:
    with closing(sqlite3.connect(closed.path)) as db:
        ((text,),) = db.execute("SELECT value FROM meta WHERE key = 'finish'").fetchall()
    kept = json.loads(text)
    assert (closed.exit_code, closed.why) == (kept["exit_code"], kept["why"])
    assert closed.exit_code == 1


def test_its_judgement_is_that_of_the_results(closed: RunClosed) -> None:
    (path,) = (file for file in closed.files if file.suffix == ".json")
    assert closed.judgement is not None
    assert closed.judgement.as_json() == json.loads(path.read_text())["verdict"]


def test_its_outcomes_are_those_of_the_ledgers_tickets(closed: RunClosed) -> None:
    with closing(sqlite3.connect(closed.path)) as db:
        rows = db.execute("SELECT outcome, count(*) FROM tickets GROUP BY 1").fetchall()
    assert dict(closed.outcomes) == dict(rows)


def test_its_options_are_named_as_in_the_results(closed: RunClosed) -> None:
    assert (closed.options["count"], closed.options["workload"]) == (2, "open")


def test_a_listener_can_change_nothing_of_it(closed: RunClosed) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        closed.exit_code = 0  # type: ignore[misc]
    with pytest.raises(TypeError):
        closed.options["count"] = 3  # type: ignore[index]
    with pytest.raises(TypeError):
        closed.outcomes["done"] = 3  # type: ignore[index]


def test_all_its_files_are_there_and_nobody_holds_its_ledger_when_listeners_are_told(
    tmp_path: Path, listen: Callable[[Callable[..., None]], None]
) -> None:
    free: list[bool] = []

    def check(run: RunClosed, **_: object) -> None:
        Lock(run.path).release()  # raises where somebody has it
        free.append(all(file.is_file() for file in run.files))

    listen(check)
    make_up(died(tmp_path))
    assert free == [True]


def test_a_program_may_import_it_before_locust() -> None:
    """Locust patches the standard library, which must not be in use by then."""
    code = (
        "import sys; from kiosk_locust import RunClosed; print({'ssl', 'gevent'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
