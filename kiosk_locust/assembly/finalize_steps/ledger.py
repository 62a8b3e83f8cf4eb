"""Steps while the ledger is written to: end, queues, cost, verdict, page."""

from __future__ import annotations

import logging
from dataclasses import replace

from kiosk_locust.assembly.finalize_steps.inputs import CostQuery
from kiosk_locust.assembly.finalize_steps.state import Finalization, StepResult
from kiosk_locust.cost.annotations import RunNote
from kiosk_locust.cost.query import SIGTERM_LIMIT_S, EndedRun
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.measurement.timing_tables import ends
from kiosk_locust.model import definitions
from kiosk_locust.reporting.web import page_cache
from kiosk_locust.reporting.web.page_cache import Told
from kiosk_locust.verdict import evaluate

logger = logging.getLogger(__name__)

#: How long the Kiosk's queues are waited for, and where a cluster is about to kill the process.
LOOK_S, SIGTERM_LOOK_S = 5.0, 0.5
#: What an annotation says of a run, by its exit code.
_OUTCOMES = {0: "done", 1: "failed", 2: "interrupted"}


def record_end(state: Finalization) -> StepResult:
    """Write how the run ended, and what its processes saw of themselves."""
    run, ledger = state.inputs.run, state.ledger
    ended_at = state.inputs.clock.now() if run.ended_at is None else run.ended_at
    if isinstance(ledger, Ledger):
        ledger.set_session(ended_at=ended_at, ended_by=run.ended_by)
    ledger.set_meta(ended_at=repr(ended_at), ended_by=run.ended_by)
    figures = state.figures or _figures(state)
    ledger.set_meta(generator=figures.as_text())
    record = replace(
        state.record,
        session=figures.session,
        is_over=run.is_over,
        aborted=run.aborted,
        trouble=run.trouble,
    )
    return StepResult(replace(state, figures=figures, record=record))


def _figures(state: Finalization) -> Generator:
    """What the processes of all sessions saw of themselves."""
    own = state.inputs.process_figures
    figures = own() if own else Generator({})
    try:
        before = state.facts()  # of this end it has nothing yet, but the session's number
    except LedgerError as error:
        logger.warning("earlier sessions of the run are left out of its judgement: %s", error)
        return figures
    return evaluate.whole(before, figures)


def look_at_queues(state: Finalization) -> StepResult:
    """After an interruption, how much the Kiosk still has to do, where that can be known."""
    run, queue_depth = state.inputs.run, state.inputs.queue_depth
    if queue_depth is None or run.is_over:
        return StepResult(state)
    queues = queue_depth(SIGTERM_LOOK_S if run.is_hurried else LOOK_S)
    return StepResult(replace(state, queues=str(queues)))


def ask_cost(state: Finalization) -> StepResult:
    """Ask what the run cost, and keep it in the ledger: results come from there alone.

    Raises nothing: a run whose cost is not known is none the worse.
    """
    if state.inputs.cost_query is None:
        return StepResult(state)
    try:
        return StepResult(_with_cost(state, state.inputs.cost_query))
    except Exception:
        logger.exception("a fault while the cost was asked for; the run's end goes on")
    return StepResult(state)


def _with_cost(state: Finalization, cost_query: CostQuery) -> Finalization:
    state.settle()
    if state.inputs.run.is_hurried:
        cost_query.hurry(SIGTERM_LIMIT_S)
    run = state.facts()
    verdict = state.verdict(is_judged=False)
    note = RunNote(
        start_at=run.started_at or state.inputs.clock.now(),
        end_at=run.ended_at or state.inputs.clock.now(),
        run_id=run.run_id,
        run_name=run.run_name,
        job_type=str(run.options.get("job_type", "")),
        outcome=_OUTCOMES[verdict.code],
        summary=verdict.why,
    )
    cost = cost_query.ask(
        EndedRun(
            state.path,
            note,
            was_signalled="SIG" in state.inputs.run.ended_by,
            due_at=run.time_zero,
            ends=_ends(state),
        )
    )
    if cost or run.cost_text:  # what an earlier session found is no longer true
        state.ledger.set_meta(cost=cost.as_text() if cost else "")
    return replace(state, cost=cost)


def _ends(state: Finalization) -> dict[int | None, float]:
    """The last end of a job, of each cycle and of the run (None), where all jobs ended."""
    if state.inputs.run.is_hurried:  # there is no time to look at each job
        return {}

    def last_ends(reckoning: Reckoning) -> dict[int | None, float]:
        with reckoning:
            return ends(reckoning.db, reckoning.times)

    try:
        return state.analysis.apply(last_ends, "when the last job ended is not known")
    except LedgerError as error:  # its disk may be full; the cost is asked for all the same
        logger.warning("the cost is counted until the run's end: %s", error)
        return {}


def judge(state: Finalization) -> StepResult:
    """Judge validity and thresholds; with that the run is finished."""
    state.settle()
    run, figures = state.inputs.run, state.figures or Generator({})
    judgement = state.analysis.apply(
        lambda reckoning: evaluate.judge(reckoning, run.options.trust, figures, run.aborted),
        "the run could not be judged",
    ).judgement
    state.ledger.set_meta(
        **{definitions.KEY: str(definitions.VERSION)},
        judgement=judgement.as_text(),
        finished="true" if run.is_over else "false",
    )
    return StepResult(replace(state, judgement=judgement))


def tell(state: Finalization) -> StepResult:
    """Keep in the ledger what pages tell of its jobs: to work that out takes a minute."""

    def work_out(reckoning: Reckoning) -> tuple[Told, str]:
        with reckoning:
            page = page_cache.work_out(reckoning)
            return page, page.as_text(reckoning)

    page, text = state.analysis.apply(work_out, "what the run's page shows was not kept")
    state.ledger.set_meta(**{page_cache.KEY: text})
    return StepResult(replace(state, page=page))


def close_ledger(state: Finalization) -> StepResult:
    """Close the ledger: it is complete, but for the steps to come, and nothing is beside it."""
    if isinstance(state.ledger, Ledger):
        return StepResult(replace(state, ledger=state.ledger.close_locked()))
    return StepResult(state)
