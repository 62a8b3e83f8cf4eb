"""Results file in the older client's schema, extended; written as a stream from the ledger.

``docs/reference/results.md`` describes every field, ``results.schema.json`` is its JSON Schema.
Only one job is in memory at a time.
"""

from __future__ import annotations

import contextlib
import glob
import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.cost.types import UNKNOWN
from kiosk_locust.formatting.json_text import dumps
from kiosk_locust.ledger import queries
from kiosk_locust.ledger.queries import CycleTimes
from kiosk_locust.ledger.reader import RunFacts, facts, opened
from kiosk_locust.ledger.sessions import gaps, spans
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.measurement.summary import Summary
from kiosk_locust.model import definitions, file_names
from kiosk_locust.reporting.job_rows import jobs
from kiosk_locust.storage.atomic_files import atomic_file
from kiosk_locust.verdict.judgement import Judgement

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
#: Bytes written at once.
_BUFFER = 1 << 20


class ResultsFiles(NamedTuple):
    """Written files, cycles first, and the summary of the whole run."""

    paths: list[Path]
    summary: Summary
    run_id: str


def write_all(ledger: Path, out_dir: Path, existing: Reckoning | None = None) -> ResultsFiles:
    """Write one file per cycle that has tickets, and one for the run if several were planned.

    Each file is replaced atomically. Files in ``out_dir`` that an earlier end of the same run wrote
    under other names are then deleted. Blocks for about a minute for a million jobs: call it from a
    thread if other work must go on.

    Args:
        ledger: The run's ledger.
        out_dir: The folder of the files.
        existing: The ledger's reckoning, if it was made already.

    Raises:
        LedgerError: The ledger cannot be read.
        OSError: A file cannot be written.

    """
    with _open_reckoning(ledger, existing) as reckoning:
        db, run = reckoning.db, reckoning.run
        cycles = list(queries.tickets_by_cycle(db))
        only_one = run.cycles <= 1 and len(cycles) <= 1
        file_cycles = [1] if only_one else [*cycles, None]
        paths = [_write(reckoning, out_dir, cycle) for cycle in file_cycles]
        remove_older(out_dir, run.run_id, paths)
        return ResultsFiles(paths, reckoning.summary(), run.run_id)


def remove_older(folder: Path, run_id: str, written: Iterable[Path]) -> None:
    """Delete results that an earlier end of the run ``run_id`` wrote, except ``written``.

    File names contain the number of jobs and the delay, which change with a resume; a reader of all
    files in the folder would count the run twice. A failed deletion is logged as a warning.
    """
    current = {path.absolute() for path in written}
    for path in sorted(folder.glob(f"*_{glob.escape(run_id)}*.json")):
        if path.absolute() in current or not file_names.is_result_of(path.name, run_id):
            continue
        try:
            path.unlink()
            logger.info("%s is gone: the run was resumed, and its results are written anew", path)
        except OSError as error:
            logger.warning(
                "%s holds the run's results before it was resumed, and cannot be deleted (%s):"
                " delete it, or it is read as a second run",
                *(path, error.strerror),
            )


def names_so_far(ledger: Path) -> list[str]:
    """Names of the cycles' results files if the run ended now.

    Raises:
        LedgerError: The ledger cannot be read.

    """
    with opened(ledger) as db:
        run = facts(db)
        counts = queries.tickets_by_cycle(db).items()
        return [_name(run, count, _mean_gap_s(db, run, cycle), cycle) for cycle, count in counts]


def earlier_names(ledger: Path, files: Iterable[Path]) -> list[str]:
    """Names of results files that earlier ends of a resumed run may have left.

    ``files``, the present ones, are left out. A ledger may come from an untrusted source, so names
    that are not results files of this run are left out too.

    Raises:
        LedgerError: The ledger cannot be read.

    """
    current = {path.name for path in files}
    with opened(ledger) as db:
        run = facts(db)
    candidates = (name for name in run.earlier_results if name not in current)
    return [name for name in candidates if file_names.is_result_of(name, run.run_id)]


def write_missing(ledger: Path, out_dir: Path) -> list[Path]:
    """Write the files of a finished run like `write_all`, unless its end wrote some."""
    with opened(ledger) as db:
        run = facts(db)
    ended_at = run.ended_at or 0.0
    if any(path.stat().st_mtime >= ended_at for path in out_dir.glob(f"*_{run.run_id}*.json")):
        return []
    return write_all(ledger, out_dir).paths


@contextlib.contextmanager
def _open_reckoning(ledger: Path, reckoning: Reckoning | None) -> Iterator[Reckoning]:
    """The given reckoning, or a new one that is closed afterwards."""
    if reckoning is not None:
        with reckoning:
            yield reckoning
        return
    with contextlib.closing(Reckoning(ledger)) as opened_here, opened_here:
        yield opened_here


def _write(reckoning: Reckoning, out_dir: Path, cycle: int | None) -> Path:
    db, run = reckoning.db, reckoning.run
    summary = reckoning.summary(cycle)
    delay_s = _mean_gap_s(db, run, cycle)
    head = _head(db, run, summary, delay_s, cycle)
    head["clocks"] = reckoning.times.clocks.as_json()
    path = out_dir / _name(run, summary.tickets, delay_s, cycle)
    with atomic_file(path, _BUFFER) as file:
        _stream(file, head, jobs(db, run, cycle))
    return path


def _name(run: RunFacts, tickets: int, delay_s: float, cycle: int | None) -> str:
    if cycle is None:
        return file_names.of_run(run.run_name, simulated=run.embedded)
    return file_names.of_cycle(
        run_id=run.run_id,
        num_gpus=int(run.options.get("num_gpus", 0)),
        jobs=tickets,
        delay_s=delay_s,
        cycle=cycle if run.cycles > 1 else None,
        simulated=run.embedded,
    )


def _stream(
    file: BinaryIO, head: Mapping[str, Any], job_objects: Iterable[Mapping[str, Any]]
) -> None:
    """Write one JSON object: the head's keys, then ``job_data`` with a job on each line."""
    file.write(json.dumps(head, indent=4, allow_nan=False)[: -len("\n}")].encode())
    file.write(b',\n    "job_data": [')
    separator = b"\n        "
    for job in job_objects:
        file.write(separator)
        file.write(dumps(job))
        separator = b",\n        "
    file.write(b"\n    ]\n}\n")


def _head(
    db: sqlite3.Connection, run: RunFacts, summary: Summary, delay_s: float, cycle: int | None
) -> dict[str, Any]:
    cycles = queries.cycles(db, cycle)
    cost_cycle = cycle if run.cycles > 1 else None  # a single cycle is the run
    cost, judgement = RunCost.of_run(run), Judgement.of_run(run)
    generator = Generator.stored(run.generator_text)
    return {
        **(cost.legacy(cost_cycle) if cost else UNKNOWN),
        "start_delay": delay_s,
        "num_jobs": summary.tickets,
        "time_elapsed": _elapsed_s(db, run, cycles, cycle),
        "schema_version": SCHEMA_VERSION,
        "definitions_version": definitions.VERSION,
        "simulated": run.simulated,
        "run_id": run.run_id,
        "run_name": run.run_name,
        "host": run.host,
        "versions": dict(run.versions),
        "finished": run.finished,
        "ended_by": run.ended_by,
        "started_at": run.started_at,
        "time_zero": run.time_zero,
        "ended_at": run.ended_at,
        "cycle": cycle,
        "cycles": [
            {"cycle": number, "started_at": started_at, "ended_at": ended_at}
            for number, started_at, ended_at in cycles
        ],
        "sessions": [session.as_json() for session in run.sessions],
        "gaps": [gap.as_json() for gap in gaps(run.sessions)],
        "workers": [{"worker": name, **skew} for name, skew in run.workers.items()],
        "cost": cost.section(cost_cycle) if cost else None,
        "verdict": judgement.as_json() if judgement else None,
        "generator": generator.as_json() if generator else None,
        "inputs": run.inputs.as_json() if run.inputs else None,
        "summary": summary.as_json(),
        "configuration": dict(run.options),
    }


def _elapsed_s(
    db: sqlite3.Connection,
    run: RunFacts,
    cycles: list[CycleTimes],
    cycle: int | None,
) -> float | None:
    """Seconds from the first due time to the closing of the last ticket."""
    closed_at = queries.last_closed_at(db, cycle)
    start_at = cycles[0].started_at if cycles else run.time_zero or run.started_at
    if start_at is None or closed_at is None:
        return None
    return max(0.0, closed_at - start_at)


def _mean_gap_s(db: sqlite3.Connection, run: RunFacts, cycle: int | None) -> float:
    """Mean planned gap between jobs, seconds: START_DELAY, or the mean of other arrivals.

    Gaps count within cycles and sessions, not between them. Rounded to the microsecond, since it is
    part of file names.
    """
    start_delay_s = float(run.options.get("start_delay_s", 0.0))
    if run.options.get("arrival", "constant") == "constant":
        return start_delay_s
    totals = spans(db, "due_at", "cycle", {"cycle": cycle})
    return round(totals.span_s / totals.gaps, 6) if totals.gaps else start_delay_s
