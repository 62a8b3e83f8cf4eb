"""The oracle tells each thing that must not be: ledgers and witnesses made for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults.oracle import Judgement, Witness, judge
from tests.faults.plan import Plan
from tests.helpers.ledgers import T0, Row, make

PLAN = Plan(
    seed=0,
    workers=2,
    jobs=2,
    cycles=1,
    users=2,
    closed=False,
    rate=1.0,
    job_s=1.0,
    on_ambiguous="resubmit",
    stop_timeout_s=0,
    by_name=False,
    faults=(),
)


def attempt(number: int, result: str, job_id: str | None = None) -> tuple[Any, ...]:
    return (number, T0, T0, T0, result, 200, None, job_id)


def row(number: int, **changes: Any) -> Row:
    """A ticket that was submitted once and is done."""
    key = f"hash{number}"
    usual = Row(number=number, job_id=key, attempts=(attempt(1, "accepted", key),))
    return replace(usual, **changes)


def made(*jobs: tuple[int, str]) -> list[dict[str, Any]]:
    """The server's log of the jobs of these tickets."""
    return [{"hash": key, "body": {"imageName": f"1-{number}.tif"}} for number, key in jobs]


ONCE = made((0, "hash0"), (1, "hash1"))


def judged(
    folder: Path,
    *rows: Row,
    predicts: list[dict[str, Any]] = ONCE,
    polls: dict[str, dict[str, float]] | None = None,
    plan: Plan = PLAN,
) -> Judgement:
    return judge(plan, make(folder / "run.db", rows), Witness(predicts, polls or {}))


def test_a_run_whose_jobs_were_each_made_and_recorded_once_is_well(tmp_path: Path) -> None:
    found = judged(tmp_path, row(0), row(1), polls={"hash0": {"last_at": T0 + 7}})
    assert found == Judgement(2, 2, 2, 0, 0, 0, 0, ())


def test_a_ticket_without_a_record_is_lost(tmp_path: Path) -> None:
    found = judged(tmp_path, row(0))
    assert (found.lost, len(found.complaints)) == (1, 1)
    assert "(1, 1) has no closed record" in found.complaints[0]


def test_a_job_that_no_record_names_is_lost_and_one_too_many_in_silence(tmp_path: Path) -> None:
    found = judged(tmp_path, row(0), row(1), predicts=[*ONCE, *made((1, "other"))])
    assert (found.lost, found.silent_duplicates) == (1, 1)
    assert any("in silence" in said for said in found.complaints)
    assert any("hides {'other'}" in said for said in found.complaints)


def test_a_second_job_of_a_ticket_that_is_marked_is_well(tmp_path: Path) -> None:
    attempts = (attempt(1, "maybe"), attempt(2, "accepted", "hash1"))
    marked = row(1, ambiguous=1, attempts=attempts)
    found = judged(tmp_path, row(0), marked, predicts=[*ONCE, *made((1, "other"))])
    assert found == Judgement(2, 2, 3, 0, 0, 1, 1, ())


def test_more_jobs_than_attempts_are_told_though_the_ticket_is_marked(tmp_path: Path) -> None:
    found = judged(tmp_path, row(0), row(1, ambiguous=1), predicts=[*ONCE, *made((1, "other"))])
    (said,) = found.complaints
    assert "2 jobs and 1 attempts" in said


def test_a_record_of_a_job_that_never_was_is_told(tmp_path: Path) -> None:
    found = judged(tmp_path, row(0), row(1), predicts=made((0, "hash0")))
    assert any("never reached the server" in said for said in found.complaints)
    assert any("names jobs that are not its own" in said for said in found.complaints)


def test_a_record_that_names_another_tickets_job_is_told(tmp_path: Path) -> None:
    found = judged(tmp_path, row(0), row(1), predicts=made((0, "hash1"), (1, "hash0")))
    assert sum("not its own" in said for said in found.complaints) == 2


def test_a_ticket_that_was_never_sent_may_have_no_job_but_must_not_be_left_so(
    tmp_path: Path,
) -> None:
    left = row(1, job_id=None, attempts=(), outcome="unfinished")
    (said,) = judged(tmp_path, row(0), left, predicts=made((0, "hash0"))).complaints
    assert "was left as unfinished" in said


def test_a_ticket_that_was_given_up_because_it_may_have_been_sent_is_well(tmp_path: Path) -> None:
    given_up = row(1, job_id=None, attempts=(attempt(1, "maybe"),), outcome="error", ambiguous=1)
    plan = replace(PLAN, on_ambiguous="close")
    found = judged(tmp_path, row(0), given_up, predicts=made((0, "hash0")), plan=plan)
    assert (found.complaints, found.ambiguous) == ((), 1)


def test_a_hash_that_is_polled_long_after_its_record_was_closed_is_told(tmp_path: Path) -> None:
    (said,) = judged(tmp_path, row(0), row(1), polls={"hash1": {"last_at": T0 + 60}}).complaints
    assert "hash1 was polled 54.0 s after" in said


def test_a_poll_of_a_hash_that_was_never_made_is_told(tmp_path: Path) -> None:
    (said,) = judged(tmp_path, row(0), row(1), polls={"hash2": {"last_at": T0}}).complaints
    assert "the server never made it" in said
