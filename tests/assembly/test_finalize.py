"""The steps of a run's end, one by one."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gevent.event import Event

from kiosk_locust.assembly import finalize
from kiosk_locust.assembly.finalize import STEPS, carry_out
from kiosk_locust.assembly.finalize_steps.inputs import ClosedRun, FinalizeInputs
from kiosk_locust.assembly.finalize_steps.state import Finalization, StepResult
from kiosk_locust.checkpoint.scheduler import Checkpoints
from kiosk_locust.cost.query import Ended
from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.execution.run_state import ALL_CLOSED
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.model.options import Options, TrustOptions
from kiosk_locust.model.record import Outcome
from kiosk_locust.reporting import html
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
        return RunCost.of_run(facts(db))


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


# -- the list of steps


def begun(folder: Path, ended_by: str = ALL_CLOSED, **inputs: Any) -> Finalization:
    """A finalization before its first step, of a run without jobs."""
    ledger = Ledger.create(folder / "run.db", META)
    ledger.begin_session(1, 900.0)
    options = cast(Options, SimpleNamespace(trust=TrustOptions()))
    is_over = ended_by == ALL_CLOSED
    run = ClosedRun(options, Counter(), ended_by, is_over=is_over, given_up=Event())
    clock = ManualClock(1000.0)
    return Finalization.of(FinalizeInputs(run, "a-run", folder, clock, **inputs), ledger)


def recorded_steps(folder: Path) -> list[str]:
    """The complete steps by the ledger, and by no code of ours."""
    with closing(sqlite3.connect(folder / "run.db")) as db:
        rows = db.execute("SELECT value FROM meta WHERE key = 'finish'").fetchall()
    return [step for (text,) in rows for step in json.loads(text)["steps"]]


def test_a_step_that_raises_is_a_problem_and_keeps_no_other_from_being_done(
    tmp_path: Path,
) -> None:
    def judge(_state: Finalization) -> StepResult:
        raise ZeroDivisionError

    def decide(state: Finalization) -> StepResult:
        return StepResult(replace(state, queues="looked at"))

    state = carry_out([judge, decide], begun(tmp_path))
    assert state.problems == ("a fault of kiosk_locust: ZeroDivisionError()",)
    assert state.queues == "looked at"
    assert recorded_steps(tmp_path) == ["decide"]


def test_a_step_that_has_to_be_done_again_is_no_problem_and_not_recorded(tmp_path: Path) -> None:
    def judge(state: Finalization) -> StepResult:
        return StepResult(state, is_complete=False)

    state = carry_out([judge], begun(tmp_path))
    assert (state.problems, state.has_failed) == ((), False)
    assert recorded_steps(tmp_path) == []


def test_what_a_step_came_to_before_it_failed_stays(tmp_path: Path) -> None:
    def judge(state: Finalization) -> StepResult:
        return StepResult(replace(state, queues="looked at"), problem="no room")

    state = carry_out([judge], begun(tmp_path))
    assert (state.problems, state.queues) == (("no room",), "looked at")
    assert recorded_steps(tmp_path) == []


def test_a_complete_step_is_not_done_again(tmp_path: Path) -> None:
    times: list[str] = []

    def judge(state: Finalization) -> StepResult:
        times.append("judge")
        return StepResult(state)

    carry_out([judge], carry_out([judge], begun(tmp_path)))
    assert times == ["judge"]


def test_an_interruption_is_told_beside_a_report_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(html, "write", fail)
    state = carry_out(STEPS, begun(tmp_path, "SIGINT"))
    assert state.problems[0] == "interrupted by SIGINT"
    assert state.problems[1].startswith("the report could not be written: no room")
    assert len(state.problems) == 2


class OvertakenCheckpoints:
    """In place of `Checkpoints`: finds another process's checkpoint when it takes the last."""

    has_timed_out = False

    def __init__(self, overtaken: list[str]) -> None:
        self._overtaken = overtaken

    def last(self, _within_s: float, _given_up: Event, _mute_s: float) -> bool:
        self._overtaken[:] = ["another process goes on with this run"]
        return False


def test_a_run_with_which_another_process_goes_on_has_exit_code_2(tmp_path: Path) -> None:
    overtaken: list[str] = []
    checkpoints = cast(Checkpoints, OvertakenCheckpoints(overtaken))
    state = carry_out(STEPS, begun(tmp_path, checkpoints=checkpoints, overtaken=overtaken))
    assert (state.record.exit_code, state.last_verdict.code) == (2, 2)
    assert "another process goes on with this run" in state.last_verdict.why


def test_a_run_lets_go_of_what_it_holds_between_its_files_and_its_listeners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def last(state: Finalization) -> StepResult:
        order.append("listeners")
        return StepResult(state)

    monkeypatch.setattr(finalize, "LAST_STEPS", (last,))
    state = begun(tmp_path)

    def release(state: Finalization) -> None:
        order.append(f"release {len(state.files)} files")

    finalize.finalize(state, release=release)
    assert order == ["release 3 files", "listeners"]


def test_the_verdict_that_the_ledger_has_counts_unless_there_is_a_problem_since(
    tmp_path: Path,
) -> None:
    state = begun(tmp_path)
    state = replace(state, record=replace(state.record, exit_code=1, why="one job failed"))
    assert state.last_verdict.line == "exit code 1: one job failed"
    assert state.failed("no room").last_verdict.line == "exit code 2: no room"


def test_a_judgement_is_told_as_soon_as_it_is_made(tmp_path: Path) -> None:
    states: list[Finalization] = []
    finalize.carry_out(STEPS, begun(tmp_path), states.append)
    first = next(state for state in states if state.judgement is not None)
    assert (first.page, first.summary, len(first.files)) == (None, None, 1)
