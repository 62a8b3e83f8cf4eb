"""The closing table of a run, with what can be done next."""

from __future__ import annotations

import sqlite3

from rich.console import Console

from kiosk_locust.assembly.finalize import Finish
from kiosk_locust.cost.work import counted_a_job
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.ledger.resume_state import left_in_the_kiosk
from kiosk_locust.reporting.remaining_work import Leftover
from kiosk_locust.reporting.terminal import summary_table
from kiosk_locust.storage.transfers.movers import results_folder
from kiosk_locust.verdict.exit_code import Verdict


def show(
    console: Console, finish: Finish, verdict: Verdict, run_name: str, *, simulated: bool
) -> None:
    """Print the closing table, once there is a summary."""
    if finish.summary is None:
        return
    summary_table.show(
        console,
        finish.summary,
        verdict,
        run_name=run_name,
        simulated=simulated,
        files=finish.files,
        uploaded=finish.archived.urls,
        cost=finish.cost,
        judgement=finish.judgement,
        advice=advice(finish, run_name, simulated=simulated),
    )


def advice(finish: Finish, run_name: str, *, simulated: bool) -> list[str]:
    """Lines on downloads, on how to go on with an interrupted run, and on its rest in the Kiosk."""
    later = [*_skipped(finish), *_downloaded(finish, run_name), *_to_upload_later(finish)]
    if finish.run.is_over or simulated:
        return later
    words = list(_leftover(finish).lines())
    is_there = finish.path.parent.absolute() == finish.output_dir.absolute()
    resumable_as = run_name if is_there else finish.path
    return [*later, *words, f"to go on with it: locust … --resume {resumable_as}"]


def _leftover(finish: Finish) -> Leftover:
    """The run's unfinished work in the Kiosk; GPU nodes as far as the run's cost is known."""
    summary, priced = finish.summary, finish.cost.of(None) if finish.cost else None
    options = finish.run.options
    is_zip = options.file.lower().endswith(".zip")
    counted = _counted_a_job(finish) if is_zip else 1
    usd = priced.legacy.get("gpu_node_cost") if priced else None
    return Leftover(
        jobs=left_in_the_kiosk(finish.path),
        images_per_job=counted or options.cost.images_per_job,
        is_planned=counted is None,
        images_done=summary.images_done if summary else 0,
        images_per_s=summary.images_per_s if summary else None,
        gpu_nodes_usd=float(usd) if usd else None,
        queues=finish.queues,
    )


def _counted_a_job(finish: Finish) -> int | None:
    """Number of images that the Kiosk counted in each ZIP; None: it counted none yet."""
    try:
        with opened(finish.path) as db:
            return counted_a_job(db)
    except (LedgerError, sqlite3.Error):
        return None


def _skipped(finish: Finish) -> list[str]:
    """The files that made no job, which were told at the start: it may be long ago."""
    try:
        with opened(finish.path) as db:
            inputs = facts(db).inputs
    except (LedgerError, sqlite3.Error):
        return []
    return [inputs.line] if inputs and inputs.line else []


def _downloaded(finish: Finish, run_name: str) -> list[str]:
    if finish.summary is None or not finish.summary.moved.downloads:
        return []
    at = " on the workers' machines" if finish.run.is_distributed else ""
    return [f"downloaded: to {results_folder(finish.output_dir, run_name)}{at}"]


def _to_upload_later(finish: Finish) -> list[str]:
    if not finish.archived.missed:
        return []
    return [
        f"not uploaded: {finish.archived.reason}",
        f"to upload it later: python -m kiosk_locust upload-results {finish.path}",
    ]
