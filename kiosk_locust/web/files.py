"""The files of a run, found by its name and id beside its ledger."""

from __future__ import annotations

import glob
from pathlib import Path

from kiosk_locust.links import leads_out
from kiosk_locust.web.picture import File

_WHAT = {".db": "the ledger, an SQLite file", ".html": "the report", ".json": "the results"}


def paths_of_run(ledger: Path, run_name: str, run_id: str) -> list[Path]:
    """The ledger, and what else of the run there is in its folder; links out of it do not count."""
    folder = ledger.parent
    named = [folder / f"{run_name}.json", folder / f"{run_name}.html"]
    results = sorted(folder.glob(f"*_{glob.escape(run_id)}*.json")) if run_id else []
    return [path for path in (ledger, *results, *named) if is_own(path)]


def is_own(path: Path) -> bool:
    """Whether a path is that of a regular file in its own folder, be it by a link in there."""
    return path.is_file() and not leads_out(path)


def of_run(ledger: Path, run_name: str, run_id: str) -> tuple[File, ...]:
    """The same as the page lists them; a page from a disk finds them beside itself."""
    return tuple(map(described, paths_of_run(ledger, run_name, run_id)))


def described(path: Path) -> File:
    """A file with what it is."""
    return File(path.name, _WHAT.get(path.suffix, ""))
