"""The steps of a run's end, one by one."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from gevent.event import Event

from kiosk_locust.assembly.finalize import STEPS, carry_out
from kiosk_locust.assembly.finalize_steps.inputs import ClosedRun, FinalizeInputs
from kiosk_locust.assembly.finalize_steps.state import Finalization
from kiosk_locust.cost.query import Ended
from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.execution.run import ALL_CLOSED
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.model.options import Options, TrustOptions
from kiosk_locust.model.record import Outcome
from kiosk_locust.reporting.web import page_cache
from kiosk_locust.verdict import evaluate
from tests.helpers.clocks import ManualClock

META = {"run_id": "0" * 32, "run_name": "a-run", "options": '{"job_type": "mesmer"}'}


class Asked:
    """In place of `Costing`: answers, or raises, as told."""

    def __init__(self, answer: RunCost | Exception | None) -> None:
        self._answer = answer
        self.ended: list[Ended] = []
        self.hurries: list[float] = []

    def hurry(self, limit_s: float = 8.0) -> None:
        self.hurries.append(limit_s)

    def ask(self, ended: Ended) -> RunCost | None:
        self.ended.append(ended)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def finished(folder: Path, asked: Asked, ended_by: str = ALL_CLOSED, **meta: str) -> Finalization:
    ledger = Ledger.create(folder / "run.db", META | {"started_at": "900.0"} | meta)
    ledger.begin_session(1, 900.0)
    run = ClosedRun(
        cast(Options, SimpleNamespace(trust=TrustOptions())),
        Counter({Outcome.DONE: 2}),
        ended_by,
        is_over=True,
        given_up=Event(),
    )
    inputs = FinalizeInputs(run, "a-run", folder, ManualClock(1000.0), cost_query=asked)
    return carry_out(STEPS, Finalization.of(inputs, ledger))


def stored(folder: Path) -> RunCost | None:
    with opened(folder / "run.db") as db:
        return facts(db).cost


def test_the_cost_is_asked_for_the_run_s_window_and_kept_in_the_ledger(tmp_path: Path) -> None:
    asked = Asked(RunCost("GRAFANA_HOST (http://g)", "it is away"))
    finish = finished(tmp_path, asked)
    assert stored(tmp_path) == finish.cost == RunCost("GRAFANA_HOST (http://g)", "it is away")
    (ended,) = asked.ended
    assert (ended.window.start_at, ended.window.end_at) == (900.0, 1000.0)
    assert (ended.note.job_type, ended.note.outcome) == ("mesmer", "done")
    assert (asked.hurries, ended.was_signalled) == ([], False)


def test_a_fault_while_the_cost_is_asked_for_is_no_problem_of_the_run(tmp_path: Path) -> None:
    finish = finished(tmp_path, Asked(ZeroDivisionError()))
    assert finish.problems == ()
    assert finish.verdict().code == 0
    assert len(finish.files) == 3


def test_what_an_earlier_session_found_does_not_stay(tmp_path: Path) -> None:
    finished(tmp_path, Asked(None), cost=RunCost("GRAFANA_HOST (http://g)", "x").as_text())
    assert stored(tmp_path) is None


def test_after_sigterm_nothing_is_waited_for_and_it_is_not_asked_for_long(tmp_path: Path) -> None:
    asked = Asked(None)
    finished(tmp_path, asked, ended_by="SIGTERM")
    assert (asked.hurries, asked.ended[0].was_signalled) == ([2.0], True)


def test_after_ctrl_c_only_the_scale_down_is_not_waited_for(tmp_path: Path) -> None:
    asked = Asked(None)
    finished(tmp_path, asked, ended_by="Ctrl-C (SIGINT)")
    assert (asked.hurries, asked.ended[0].was_signalled) == ([], True)


def test_what_pages_tell_is_kept_in_the_ledger_and_nothing_is_left_beside_it(
    tmp_path: Path,
) -> None:
    finish = finished(tmp_path, Asked(None))
    assert finish.problems == ()
    with opened(tmp_path / "run.db") as db:
        assert page_cache.kept(db, facts(db)) is not None
    assert not list(tmp_path.glob("run.db-*"))


def test_a_run_that_cannot_be_judged_has_its_results_and_its_report_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("no room")

    monkeypatch.setattr(evaluate, "judge", fail)
    finish = finished(tmp_path, Asked(None))
    assert [problem.partition(":")[0] for problem in finish.problems] == [
        "the run could not be judged"
    ]
    assert {path.suffix for path in finish.files} == {".db", ".json", ".html"}


def test_the_last_line_says_how_many_results_are_missing(tmp_path: Path) -> None:
    finish = finished(tmp_path, Asked(None))
    assert finish.summary is not None
    moved = replace(finish.summary.moved, results_missing=2)
    finish = replace(finish, summary=replace(finish.summary, moved=moved))
    line = "exit code 0: both jobs are done; 2 results could not be downloaded"
    assert finish.verdict().line == line
