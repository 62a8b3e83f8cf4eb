"""Page content of a run, read from its ledger as a stream; exact.

``python -m kiosk_locust.reporting.web.from_ledger LEDGER`` prints the picture as JSON: a web UI
reads it in a separate process, so that a running benchmark never waits for it.
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

#: A ledger with a younger sign of life belongs to a living process.
ALIVE_S = 5.0


def read(
    ledger: Path, job_data: Told | None = None, verdict: str = "", pending_file: Path | None = None
) -> Picture:
    """Picture of the run in ``ledger``.

    Args:
        ledger: The run's ledger.
        job_data: The job data for its charts, if known; else it is read from the ledger, or
            computed.
        verdict: The verdict line, if the run has just ended.
        pending_file: A file of the run that is about to be written.

    Raises:
        LedgerError: The ledger cannot be read.

    """
    with opened(ledger) as db:
        run = facts(db)
        job_data = job_data or page_cache.kept(db, run)
        if job_data is not None:
            return _with_file(pending_file, _picture(db, ledger, run, job_data, verdict))
    with contextlib.closing(Reckoning(ledger)) as reckoning, reckoning:
        job_data = page_cache.work_out(reckoning)
        return _with_file(
            pending_file, _picture(reckoning.db, ledger, reckoning.run, job_data, verdict)
        )


def _with_file(pending_file: Path | None, picture: Picture) -> Picture:
    """The picture, with a file that does not exist yet."""
    if pending_file is None or any(file.name == pending_file.name for file in picture.files):
        return picture
    return replace(picture, files=(*picture.files, files.entry(pending_file)))


def _picture(
    db: sqlite3.Connection, ledger: Path, run: RunFacts, job_data: Told, verdict: str
) -> Picture:
    meta = texts_of(db)
    state = _state(run, _number(meta.get("alive_at")), is_written=bool(verdict))
    statuses = queries.jobs_by_status(db)
    is_running = state == "running"
    summary, begun_at = job_data.summary, job_data.begun_at
    closed = sum(summary.outcomes.values()) - summary.never_begun
    judgement = None if is_running else Judgement.of_run(run)
    ended_at = run.ended_at or _number(meta.get("alive_at")) or begun_at
    return Picture(
        run_name=run.run_name,
        host=run.host,
        simulated=run.simulated,
        workload=summary.workload,
        state=state,
        ended_by=run.ended_by,
        begun_at=begun_at,
        read_at=time.time() if is_running else ended_at,
        total=_total(run, closed + summary.never_begun, is_running=is_running),
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
        plateau="" if is_running or summary.regime.kind == "unknown" else summary.plateau.text,
        course=job_data.course,
        durations=job_data.durations,
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
        verdict=verdict or ("" if is_running else _verdict(run, summary, judgement)),
        pauses=tuple(
            Pause(gap.begin - begun_at, max(0.0, gap.end - gap.begin)) for gap in gaps(run.sessions)
        ),
        cuts=tuple(
            Cut(cut_kind, begin - begun_at, max(0.0, end - begin))
            for cut_kind, begin, end in cuts(db, run)
        ),
        files=files.of_run(ledger, run.run_id),
        cost=_cost(run),
        configuration=shown_settings(run.options),
        judgement=judgement.as_json() if judgement else None,
        failed_images=() if is_running else tuple(summary.failures),
        by_job_type=summary.by_job_type if several(summary.by_job_type) else None,
    )


def _outcomes(summary: Summary) -> dict[str, int]:
    """Jobs by outcome; tickets without a submission are not jobs."""
    counts = dict(summary.outcomes)
    counts[Outcome.UNFINISHED.value] -= summary.never_begun
    return {name: number for name, number in counts.items() if number}


def _state(run: RunFacts, alive_at: float | None, *, is_written: bool) -> State:
    """State of the run. ``is_written``: the run's own end writes this picture."""
    is_alive = alive_at is not None and abs(time.time() - alive_at) < ALIVE_S
    if run.ended_at is None:
        return "running" if is_alive else "died"
    if run.finished:
        return "finished"
    if run.finish is None or not run.finish.is_over or is_written:
        return "interrupted"
    return "ending" if is_alive else "died"


def _total(run: RunFacts, closed: int, *, is_running: bool) -> int | None:
    planned = int(run.options.get("count", 0)) * run.cycles
    if planned:
        return planned
    return None if is_running else closed


def _verdict(run: RunFacts, summary: Summary, judgement: Judgement | None) -> str:
    if run.finish is not None:
        if run.finish.exit_code is not None:
            return Verdict(run.finish.exit_code, run.finish.why).line
        if run.finish.is_over and not run.finished:
            return ""  # the verdict is still to come
    counts = {Outcome(name): number for name, number in summary.outcomes.items() if number}
    interruption = "" if run.finished or not run.ended_by else f"interrupted by {run.ended_by}"
    aborted = run.ended_by == ABORTED
    missed = judgement.missed if judgement else ()
    return exit_code(
        counts,
        finished=run.finished,
        trouble="" if aborted else interruption,
        judgement=judgement,
        aborted="; ".join(threshold.line for threshold in missed) if aborted else "",
        results_missing=summary.moved.results_missing,
        never_begun=summary.never_begun,
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
    """The run's cost: queried server, failure, and estimate."""
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
