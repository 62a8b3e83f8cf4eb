"""The files of a run, found by its name and id beside its ledger."""

from __future__ import annotations

import glob
from pathlib import Path

from kiosk_locust.web.picture import File

_WHAT = {".db": "the ledger, an SQLite file", ".html": "the report", ".json": "the results"}


def paths_of_run(ledger: Path, run_name: str, run_id: str) -> list[Path]:
    """The ledger, and what else of the run there is in its folder."""
    folder = ledger.parent
    named = [folder / f"{run_name}.json", folder / f"{run_name}.html"]
    results = sorted(folder.glob(f"*_{glob.escape(run_id)}*.json")) if run_id else []
    return [path for path in (ledger, *results, *named) if path.is_file()]


def of_run(ledger: Path, run_name: str, run_id: str) -> tuple[File, ...]:
    """The same as the page lists them; a page from a disk finds them beside itself."""
    return tuple(map(described, paths_of_run(ledger, run_name, run_id)))


def described(path: Path) -> File:
    """A file with what it is."""
    return File(path.name, _WHAT.get(path.suffix, ""))
