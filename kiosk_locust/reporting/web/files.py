"""Files of a run, located beside its ledger by the ledger's name and the run id."""

from __future__ import annotations

from pathlib import Path

from kiosk_locust.filesystem.symlinks import leads_out
from kiosk_locust.model.file_names import is_result_of
from kiosk_locust.reporting.web.view_model import File

_DESCRIPTIONS = {".db": "the ledger, an SQLite file", ".html": "the report", ".json": "the results"}


def paths_of_run(ledger: Path, run_id: str) -> list[Path]:
    """Ledger, results and report in the ledger's folder, without links out of it."""
    folder = ledger.parent
    by_stem = [folder / f"{ledger.stem}.json", folder / f"{ledger.stem}.html"]
    results = sorted(path for path in folder.glob("*.json") if is_result_of(path.name, run_id))
    return [path for path in (ledger, *results, *by_stem) if is_own(path)]


def is_own(path: Path) -> bool:
    """Tell if ``path`` is a regular file in its own folder, or a link to one there."""
    return path.is_file() and not leads_out(path)


def of_run(ledger: Path, run_id: str) -> tuple[File, ...]:
    """The run's files as the page lists them."""
    return tuple(map(entry, paths_of_run(ledger, run_id)))


def entry(path: Path) -> File:
    """List entry of a file, with its description."""
    return File(path.name, _DESCRIPTIONS.get(path.suffix, ""))
