"""The files of a run, found by its ledger's name and its id beside the ledger."""

from __future__ import annotations

from pathlib import Path

from kiosk_locust.filesystem.symlinks import leads_out
from kiosk_locust.model.file_names import is_result_of
from kiosk_locust.reporting.web.view_model import File

_WHAT = {".db": "the ledger, an SQLite file", ".html": "the report", ".json": "the results"}


def paths_of_run(ledger: Path, run_id: str) -> list[Path]:
    """The ledger, and what else of the run there is in its folder; links out of it do not count."""
    folder = ledger.parent
    named = [folder / f"{ledger.stem}.json", folder / f"{ledger.stem}.html"]
    results = sorted(path for path in folder.glob("*.json") if is_result_of(path.name, run_id))
    return [path for path in (ledger, *results, *named) if is_own(path)]


def is_own(path: Path) -> bool:
    """Whether a path is that of a regular file in its own folder, be it by a link in there."""
    return path.is_file() and not leads_out(path)


def of_run(ledger: Path, run_id: str) -> tuple[File, ...]:
    """The same as the page lists them; a page from a disk finds them beside itself."""
    return tuple(map(described, paths_of_run(ledger, run_id)))


def described(path: Path) -> File:
    """A file with what it is."""
    return File(path.name, _WHAT.get(path.suffix, ""))
