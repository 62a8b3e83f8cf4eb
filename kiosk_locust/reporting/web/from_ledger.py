"""A run from its ledger, as the page shows it; exact, and read as a stream.

``python -m kiosk_locust.reporting.web.from_ledger LEDGER`` prints the picture as JSON:
a web UI reads it in a process of its own, since a run that is on must not wait for it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.errors import LedgerError
from kiosk_locust.formatting.json_text import loads
from kiosk_locust.ledger import queries
from kiosk_locust.ledger.reader import RunFacts, facts, opened, texts_of
from kiosk_locust.ledger.sessions import gaps, interrupted
from kiosk_locust.ledger.validate import check_pages, foreign
from kiosk_locust.measurement.by_job_type import several
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.summary import Summary
from kiosk_locust.measurement.timing_tables import cuts
from kiosk_locust.model.record import Outcome
from kiosk_locust.reporting.web import files, page_cache
from kiosk_locust.reporting.web.page_cache import Told
from kiosk_locust.reporting.web.view_model import (
    MOST_FAILURES,
    Cut,
    Failure,
    Pause,
    Picture,
    State,
    excerpt,
    problems,
    shown_settings,
)
from kiosk_locust.verdict.exit_code import ABORTED, Verdict, exit_code
from kiosk_locust.verdict.judgement import Judgement

#: A ledger whose last sign of life is younger belongs to a process that lives.
ALIVE_S = 5.0


def read(
    ledger: Path, found: Told | None = None, verdict: str = "", also: Path | None = None
) -> Picture:
    """The run in ``ledger``; ``found`` is what there is to tell of its jobs, where it is known.

    Else it is read, where the ledger keeps it, or worked out. ``also`` is a file that is about to
    be written and belongs to the run. Raises LedgerError.
    """
    with opened(ledger) as db:
        run = facts(db)
        found = found or page_cache.kept(db, run)
        if found is not None:
            return _with(also, _picture(db, ledger, run, found, verdict))
    with contextlib.closing(Reckoning(ledger)) as reckoning, reckoning:
        found = page_cache.work_out(reckoning)
        return _with(also, _picture(reckoning.db, ledger, reckoning.run, found, verdict))


def _with(also: Path | None, picture: Picture) -> Picture:
    """The picture, with a file that is not there yet."""
    if also is None or any(file.name == also.name for file in picture.files):
        return picture
    return replace(picture, files=(*picture.files, files.described(also)))


def _picture(
    db: sqlite3.Connection, ledger: Path, run: RunFacts, found: Told, verdict: str
) -> Picture:
    meta = texts_of(db)
    state = _state(run, _number(meta.get("alive_at")), is_written=bool(verdict))
    statuses = queries.jobs_by_status(db)
    is_on = state == "running"
    summary, begun_at = found.summary, found.begun_at
    closed = sum(summary.outcomes.values()) - summary.never_begun
    judgement = None if is_on else Judgement.of_run(run)
    ended_at = run.ended_at or _number(meta.get("alive_at")) or begun_at
    return Picture(
        run_name=run.run_name,
        host=run.host,
        simulated=run.simulated,
        workload=summary.workload,
        state=state,
        ended_by=run.ended_by,
        begun_at=begun_at,
        read_at=time.time() if is_on else ended_at,
        total=_total(run, closed + summary.never_begun, is_on=is_on),
        closed=closed,
        never_begun=summary.never_begun,
        submitted=summary.submitted,
        in_flight=sum(statuses.values()),
        images_done=summary.images_done,
        images_failed=summary.images_failed,
        elapsed_s=max(0.0, ended_at - begun_at),
        left_s=None,
        rate_per_s=None,
        rate_wanted_per_s=summary.rate_wanted_per_s,
        rate_achieved_per_s=summary.rate_achieved_per_s,
        outcomes=_outcomes(summary),
        statuses=statuses,
        plateau="" if is_on or summary.regime.kind == "unknown" else summary.plateau.text,
        course=found.course,
        durations=found.durations,
        percentiles_s=summary.percentiles_s,
        exact=True,
        failures=tuple(_failures(db)),
        problems=(
            *(judgement.lines if judgement else ()),
            *problems(
                waited_for_user=summary.waited_for_user or 0,
                ambiguous=summary.ambiguous,
                expire_errors=summary.expire_errors,
                observed=summary.duration_from.get("observed", 0),
                interrupted=summary.interrupted,
                blurred=summary.polling.note,
            ),
        ),
        verdict=verdict or ("" if is_on else _verdict(run, summary, judgement)),
        pauses=tuple(
            Pause(gap.begin - begun_at, max(0.0, gap.end - gap.begin)) for gap in gaps(run.sessions)
        ),
        cuts=tuple(
            Cut(what, begin - begun_at, max(0.0, end - begin)) for what, begin, end in cuts(db, run)
        ),
        files=files.of_run(ledger, run.run_id),
        cost=_cost(run),
        configuration=shown_settings(run.options),
        judgement=judgement.as_json() if judgement else None,
        failed_images=() if is_on else tuple(summary.failures),
        by_job_type=summary.by_job_type if several(summary.by_job_type) else None,
    )


def _outcomes(summary: Summary) -> dict[str, int]:
    """Jobs by outcome; tickets of which nothing was sent are none."""
    counts = dict(summary.outcomes)
    counts[Outcome.UNFINISHED.value] -= summary.never_begun
    return {name: number for name, number in counts.items() if number}


def _state(run: RunFacts, alive_at: float | None, *, is_written: bool) -> State:
    """``is_written``: by the run's own end, which tells what it came to."""
    is_alive = alive_at is not None and abs(time.time() - alive_at) < ALIVE_S
    if run.ended_at is None:
        return "running" if is_alive else "died"
    if run.finished:
        return "finished"
    if run.finish is None or not run.finish.is_over or is_written:
        return "interrupted"
    return "ending" if is_alive else "died"


def _total(run: RunFacts, closed: int, *, is_on: bool) -> int | None:
    planned = int(run.options.get("count", 0)) * run.cycles
    if planned:
        return planned
    return None if is_on else closed


def _verdict(run: RunFacts, told: Summary, judgement: Judgement | None) -> str:
    if run.finish is not None:
        if run.finish.exit_code is not None:
            return Verdict(run.finish.exit_code, run.finish.why).line
        if run.finish.is_over and not run.finished:
            return ""  # it is still to be judged
    counts = {Outcome(name): number for name, number in told.outcomes.items() if number}
    trouble = "" if run.finished or not run.ended_by else f"interrupted by {run.ended_by}"
    aborted = run.ended_by == ABORTED
    missed = judgement.missed if judgement else ()
    return exit_code(
        counts,
        finished=run.finished,
        trouble="" if aborted else trouble,
        judgement=judgement,
        aborted="; ".join(each.line for each in missed) if aborted else "",
        results_missing=told.moved.results_missing,
        never_begun=told.never_begun,
        interrupted=interrupted(tuple(gaps(run.sessions))),
    ).line


def _failures(db: sqlite3.Connection) -> Iterator[Failure]:
    for ticket in queries.failures(db, MOST_FAILURES):
        url = loads(ticket.fields).get("output_url", "") if ticket.fields else ""
        yield Failure(
            at=ticket.closed_at,
            number=ticket.number,
            cycle=ticket.cycle,
            job_id=ticket.job_id or "",
            outcome=ticket.outcome,
            reason=excerpt(ticket.reason),
            output_url=url,
        )


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _cost(run: RunFacts) -> dict[str, Any] | None:
    """The run's cost: who was asked, what is lacking, and the estimate."""
    cost = RunCost.of_run(run)
    if cost is None:
        return None
    estimate = cost.run.estimate if cost.run else {}
    return {**estimate, "asked": cost.server, "trouble": cost.trouble}


def main(arguments: list[str]) -> int:
    """Print the picture of a ledger; returns the exit code."""
    try:
        check_pages(Path(arguments[0]))
        with foreign(Path(arguments[0])):
            sys.stdout.write(read(Path(arguments[0])).as_json())
    except LedgerError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
