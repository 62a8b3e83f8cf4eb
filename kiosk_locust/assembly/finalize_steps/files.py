"""Steps that write the run's files, while the ledger is closed and locked; the exit code."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from kiosk_locust.assembly.finalize_steps.state import Finalization, StepResult
from kiosk_locust.errors import KioskLocustError, Mistake, OptionsError
from kiosk_locust.native_thread import in_thread
from kiosk_locust.reporting import html, junit, results_json
from kiosk_locust.reporting.web import from_ledger
from kiosk_locust.reporting.web.view_model import Picture
from kiosk_locust.storage import atomic_files
from kiosk_locust.storage.atomic_files import atomic_file
from kiosk_locust.storage.transfers.movers import results_folder
from kiosk_locust.verdict.judgement import rows
from kiosk_locust.verdict.threshold_parser import parse_all


def remove_parts(state: Finalization) -> StepResult:
    """Delete what processes of the run that died had left half written."""
    run, output_dir = state.facts(), state.inputs.output_dir
    junit_xml = state.inputs.run.options.trust.junit_xml
    atomic_files.remove_parts(
        state.path,
        run.run_name,
        run.run_id,
        (output_dir, state.path.parent),
        [Path(junit_xml)] if junit_xml else (),
    )
    atomic_files.remove_downloads(results_folder(output_dir, run.run_name))
    return StepResult(state)


def write_results(state: Finalization) -> StepResult:
    """Write results and summary, in a real thread: a million jobs take a while."""
    path, output_dir = state.path, state.inputs.output_dir
    written = state.analysis.apply(
        lambda reckoning: results_json.write_all(path, output_dir, reckoning),
        "the results could not be written",
    )
    state = replace(state, summary=written.summary)
    if path.parent.absolute() != output_dir.absolute():
        try:
            results_json.remove_older(path.parent, written.run_id, written.paths)
        except OSError as error:
            return StepResult(state, problem=str(error))
    return StepResult(_with_files(state, "write_results", *written.paths))


def write_report(state: Finalization) -> StepResult:
    """Write the report, in a real thread; what is known of problems by now stands in it."""
    state = state.with_interruption()
    verdict = state.verdict().line
    path = state.inputs.output_dir / f"{state.path.stem}.html"

    def make() -> Picture:
        picture = from_ledger.read(state.path, state.page, verdict, pending_file=path)
        html.write(picture, path)
        return picture

    try:
        picture = in_thread(make)
    except (KioskLocustError, OSError, sqlite3.Error) as error:
        return StepResult(
            state,
            problem=f"the report could not be written: {error}; when that is mended, run:"
            f" python -m kiosk_locust report {state.path}",
        )
    return StepResult(_with_files(replace(state, picture=picture), "write_report", path))


def _with_files(state: Finalization, step: str, *paths: Path) -> Finalization:
    """The same, with the files of the run that a step has written."""
    files = {**state.record.files, step: tuple(path.name for path in paths)}
    return replace(state, record=replace(state.record, files=files))


def write_junit(state: Finalization) -> StepResult:
    """Write thresholds and verdict for a CI system, where that is wanted."""
    trust = state.inputs.run.options.trust
    if not trust.junit_xml or state.judgement is None:
        return StepResult(state)
    run = state.facts()
    started_at = run.started_at or 0.0
    text = junit.write(
        rows(state.judgement, parse_all(trust.wanted)),
        name=run.run_name,
        reasons=[reason.why for reason in state.judgement.reasons],
        started_at=started_at,
        took_s=(run.ended_at or started_at) - started_at,
    )
    path = Path(trust.junit_xml)
    try:
        junit.check_replaceable(path)  # it may have come since the run began
    except ValueError as error:
        raise OptionsError([Mistake("JUNIT_XML", str(path), str(error))]) from error
    with atomic_file(path) as file:
        file.write(text.encode())
    return StepResult(replace(state, junit=path))


def decide(state: Finalization) -> StepResult:
    """Keep the exit code in the ledger, unless a step before is still to be made up."""
    state = state.with_interruption()
    if state.has_failed:
        return StepResult(state, is_complete=False)
    verdict = state.verdict()
    record = replace(state.record, exit_code=verdict.code, why=verdict.why)
    return StepResult(replace(state, record=record))
