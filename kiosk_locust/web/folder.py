"""The runs in a folder of ledgers, found by their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust.errors import LedgerError, NewerLedgerError
from kiosk_locust.names import is_marked
from kiosk_locust.reading import facts, opened

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
    for path in sorted(folder.glob("*.db"), key=_written_at, reverse=True)[:MOST_LISTED]:
        try:
            with opened(path) as db:
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


def ledger(folder: Path, name: str) -> Path | None:
    """The ledger of the run of that name, if there is one: no other file, wherever it is."""
    return next((path for path in folder.glob("*.db") if path.stem == name), None)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it was there a moment ago
        return 0.0
