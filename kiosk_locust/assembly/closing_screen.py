"""The closing table of a run, with what can be done next."""

from __future__ import annotations

import sqlite3

from rich.console import Console

from kiosk_locust.assembly.finalize_steps.state import Finalization
from kiosk_locust.cost.work import images_counted_per_job
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.ledger.resume_state import left_in_the_kiosk
from kiosk_locust.reporting.remaining_work import RemainingWork
from kiosk_locust.reporting.terminal import summary_table
from kiosk_locust.storage.transfers.movers import results_folder
from kiosk_locust.verdict.exit_code import Verdict


def show(console: Console, state: Finalization, verdict: Verdict, *, simulated: bool) -> None:
    """Print the closing table, once there is a summary."""
    if state.summary is None:
        return
    summary_table.show(
        console,
        state.summary,
        verdict,
        run_name=state.inputs.name,
        simulated=simulated,
        files=state.files,
        uploaded=state.archived.urls,
        cost=state.cost,
        judgement=state.judgement,
        advice=advice(state, simulated=simulated),
    )


def advice(state: Finalization, *, simulated: bool) -> list[str]:
    """Lines on downloads, on how to go on with an interrupted run, and on its rest in the Kiosk."""
    later = [*_skipped(state), *_downloaded(state), *_to_upload_later(state)]
    if state.inputs.run.is_over or simulated:
        return later
    words = list(_leftover(state).lines())
    is_there = state.path.parent.absolute() == state.inputs.output_dir.absolute()
    resumable_as = state.inputs.name if is_there else state.path
    return [*later, *words, f"to go on with it: locust … --resume {resumable_as}"]


def _leftover(state: Finalization) -> RemainingWork:
    """The run's unfinished work in the Kiosk; GPU nodes as far as the run's cost is known."""
    summary, priced = state.summary, state.cost.of(None) if state.cost else None
    options = state.inputs.run.options
    is_zip = options.file.lower().endswith(".zip")
    counted = _counted_a_job(state) if is_zip else 1
    usd = priced.legacy.get("gpu_node_cost") if priced else None
    return RemainingWork(
        jobs=left_in_the_kiosk(state.path),
        images_per_job=counted or options.cost.images_per_job,
        is_planned=counted is None,
        images_done=summary.images_done if summary else 0,
        images_per_s=summary.images_per_s if summary else None,
        gpu_nodes_usd=float(usd) if usd else None,
        queues=state.queues,
    )


def _counted_a_job(state: Finalization) -> int | None:
    """Number of images that the Kiosk counted in each ZIP; None: it counted none yet."""
    try:
        with opened(state.path) as db:
            return images_counted_per_job(db)
    except (LedgerError, sqlite3.Error):
        return None


def _skipped(state: Finalization) -> list[str]:
    """The files that made no job, which were told at the start: it may be long ago."""
    try:
        with opened(state.path) as db:
            inputs = facts(db).inputs
    except (LedgerError, sqlite3.Error):
        return []
    return [inputs.line] if inputs and inputs.line else []


def _downloaded(state: Finalization) -> list[str]:
    if state.summary is None or not state.summary.moved.downloads:
        return []
    at = " on the workers' machines" if state.inputs.run.is_distributed else ""
    return [f"downloaded: to {results_folder(state.inputs.output_dir, state.inputs.name)}{at}"]


def _to_upload_later(state: Finalization) -> list[str]:
    if not state.archived.missed:
        return []
    return [
        f"not uploaded: {state.archived.reason}",
        f"to upload it later: python -m kiosk_locust upload-results {state.path}",
    ]
