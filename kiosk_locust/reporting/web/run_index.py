"""The runs in a folder of ledgers, found by their names.

``python -m kiosk_locust.reporting.web.run_index FOLDER`` prints them as JSON: a web UI
reads them in a process of its own, since a run that is on must not wait for it.
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

#: So many are listed, the ones written last.
MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A run as a list shows it."""

    name: str  # of its ledger's file, without the suffix
    started_at: float | None  # epoch seconds
    state: str
    simulated: bool


def listed(folder: Path) -> list[Listed]:
    """The runs in ``folder``, the one written last first; files that are no ledgers left out."""
    return list(_found(folder))


def _found(folder: Path) -> Iterator[Listed]:
    for path in sorted(_ledgers(folder), key=_written_at, reverse=True)[:MOST_LISTED]:
        try:
            with opened(path, FACTS_S) as db:
                run = facts(db)
        except NewerLedgerError:  # its page says by which version
            yield Listed(path.stem, None, "of a newer kiosk_locust", is_marked(path.stem))
            continue
        except (LedgerError, ValueError):
            continue
        state = "finished" if run.finished else "not ended"
        if run.ended_at is not None and not run.finished:
            is_over = run.finish is not None and run.finish.is_over
            state = "not yet judged" if is_over else "interrupted"
        yield Listed(path.stem, run.started_at, state, run.simulated)


def from_json(printed: bytes) -> list[Listed]:
    """The runs that `main` printed."""
    return [Listed(**run) for run in json.loads(printed)]


def _ledgers(folder: Path) -> Iterator[Path]:
    """The ledgers in a folder; a link out of it is none."""
    return (path for path in folder.glob("*.db") if not leads_out(path))


def signature(folder: Path) -> tuple[tuple[str, float], ...]:
    """A value that changes once a run begins or ends in a folder: its ledgers, and their times."""
    return tuple(sorted((path.name, _written_at(path)) for path in _ledgers(folder)))


def ledger(folder: Path, name: str) -> Path | None:
    """The ledger of the run of that name, if there is one: no other file, wherever it is."""
    return next((path for path in _ledgers(folder) if path.stem == name), None)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it was there a moment ago
        return 0.0


def main(arguments: list[str]) -> int:
    """Print the runs in a folder; returns the exit code."""
    json.dump([asdict(run) for run in listed(Path(arguments[0]))], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
