"""Results of the steps that an earlier process had completed, from the run's ledger."""

from __future__ import annotations

from dataclasses import replace

from kiosk_locust.assembly.finalize_steps.inputs import FinalizeInputs
from kiosk_locust.assembly.finalize_steps.state import Finalization, StepResult
from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.ledger.finish_steps import FinishRecord
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.reader import RunFacts, facts, opened
from kiosk_locust.ledger.writer import ClosedLedger
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.measurement.summary import Summary
from kiosk_locust.reporting.web import page_cache
from kiosk_locust.verdict import evaluate
from kiosk_locust.verdict.judgement import Judgement


def recalled(
    inputs: FinalizeInputs, ledger: Ledger | ClosedLedger, record: FinishRecord, run: RunFacts
) -> Finalization:
    """The state of a finalization that is taken up again: what is complete are facts of the run."""
    complete = record.steps
    return replace(
        Finalization.of(inputs, ledger, record),
        figures=Generator.stored(run.generator_text) or evaluate.whole(run, Generator({})),
        cost=RunCost.of_run(run) if "ask_cost" in complete else None,
        judgement=Judgement.of_run(run) if "judge" in complete else None,
    )


def recall_page(state: Finalization) -> StepResult:
    """Recall what pages show and the summary, where their steps are complete."""
    page = summary = None
    if "tell" in state.record.steps:
        with opened(state.path) as db:
            page = page_cache.kept(db, facts(db))
    if page is not None:
        summary = page.summary
    elif "write_results" in state.record.steps:
        summary = state.analysis.apply(_summary, "the run's summary could not be made")
    return StepResult(replace(state, page=page, summary=summary))


def _summary(reckoning: Reckoning) -> Summary:
    with reckoning:
        return reckoning.summary()
