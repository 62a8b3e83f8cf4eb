"""The analysis of a run's ledger, shared by the steps that need it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kiosk_locust.errors import KioskLocustError, LedgerError
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.native_thread import in_thread

T = TypeVar("T")


class SharedAnalysis:
    """Opens the analysis of the ledger at ``path`` for the first step that needs it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reckoning: Reckoning | None = None

    def apply(self, work: Callable[[Reckoning], T], failed: str) -> T:
        """Return the result of ``work``, done in a real thread; raises LedgerError."""
        reckoning = self._reckoning = self._reckoning or Reckoning(self._path)
        try:
            return in_thread(lambda: work(reckoning))
        except (KioskLocustError, OSError, sqlite3.Error) as error:
            self.close()
            raise LedgerError(f"{failed}: {error}; the records are in {self._path}") from error

    def close(self) -> None:
        """Let go of the times of jobs; the next `apply` works them out again."""
        if self._reckoning is not None:
            self._reckoning.close()
            self._reckoning = None
