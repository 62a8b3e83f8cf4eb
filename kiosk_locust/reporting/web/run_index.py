"""Index of the runs in a folder of ledgers.

``python -m kiosk_locust.reporting.web.run_index FOLDER`` prints it as JSON: a web UI reads it in a
separate process, so that a running benchmark never waits for it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from kiosk_locust.errors import LedgerError, NewerLedgerError
from kiosk_locust.filesystem.symlinks import leads_out
from kiosk_locust.ledger.connections import FACTS_S
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.model.file_names import is_marked

#: Listed runs at most, latest ones first.
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run in the list."""

    name: str  # the ledger's file name without suffix
    started_at: float | None  # epoch seconds
    state: str
    simulated: bool


def listed(folder: Path) -> list[RunEntry]:
    """Runs in ``folder``, the last written first; files that are not ledgers are left out."""
    return list(_entries(folder))


def _entries(folder: Path) -> Iterator[RunEntry]:
    for path in sorted(_ledgers(folder), key=_written_at, reverse=True)[:MOST_LISTED]:
        try:
            with opened(path, FACTS_S) as db:
                run = facts(db)
        except NewerLedgerError:  # its page names the version
            yield RunEntry(path.stem, None, "of a newer kiosk_locust", is_marked(path.stem))
            continue
        except (LedgerError, ValueError):
            continue
        state = "finished" if run.finished else "not ended"
        if run.ended_at is not None and not run.finished:
            is_over = run.finish is not None and run.finish.is_over
            state = "not yet judged" if is_over else "interrupted"
        yield RunEntry(path.stem, run.started_at, state, run.simulated)


def from_json(printed: bytes) -> list[RunEntry]:
    """Runs from the output of `main`."""
    return [RunEntry(**run) for run in json.loads(printed)]


def _ledgers(folder: Path) -> Iterator[Path]:
    """Ledgers in a folder, without links out of it."""
    return (path for path in folder.glob("*.db") if not leads_out(path))


def signature(folder: Path) -> tuple[tuple[str, float], ...]:
    """Names and modification times of a folder's ledgers; it changes when a run starts or ends."""
    return tuple(sorted((path.name, _written_at(path)) for path in _ledgers(folder)))


def ledger(folder: Path, name: str) -> Path | None:
    """Ledger of the run of that name in ``folder``; None if there is none."""
    return next((path for path in _ledgers(folder) if path.stem == name), None)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it was deleted meanwhile
        return 0.0


def main(arguments: list[str]) -> int:
    """Print the runs in a folder; returns the exit code."""
    json.dump([asdict(run) for run in listed(Path(arguments[0]))], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
