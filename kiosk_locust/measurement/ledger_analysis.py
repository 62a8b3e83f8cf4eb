"""A run's ledger, read once for all that is made of it: verdict, results and page."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType

from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger import connections
from kiosk_locust.ledger.reader import RunFacts, attach, detach, facts, scratch
from kiosk_locust.measurement.summary import Summary, summarise_open
from kiosk_locust.measurement.timing_tables import Times, gather


class Reckoning:
    """What was worked out of the ledger at ``path``, kept for the next who needs it.

    To be entered by each who reads: ``with reckoning: …``; several may one after the other, from
    any thread. The times of jobs and the summaries are worked out for the first, a minute for
    a million jobs; in between, nothing holds the ledger, which may be written and closed. Only
    facts of the run may change meanwhile, no tickets. Entering raises LedgerError, as what goes
    wrong with the ledger inside does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = scratch()
        self._run: RunFacts | None = None
        self._times: Times | None = None
        self._summaries: dict[int | None, Summary] = {}

    @property
    def run(self) -> RunFacts:
        """The run's facts, as they were when this was entered."""
        if self._run is None:
            raise ValueError("the reckoning was not entered")
        return self._run

    @property
    def times(self) -> Times:
        """The times of all jobs, in scratch tables of ``db``."""
        if self._times is None:
            self._times = gather(self.db, self.run)
        return self._times

    def summary(self, cycle: int | None = None) -> Summary:
        """The summary of one cycle, or with None of the whole run."""
        times = self.times
        if cycle is not None and self._is_only(cycle):
            cycle = None
        if cycle not in self._summaries:
            self._summaries[cycle] = summarise_open(self.db, self.run, cycle, times)
        return self._summaries[cycle]

    def _is_only(self, cycle: int) -> bool:
        """Whether there are no tickets of another cycle."""
        sql = "SELECT 1 FROM temp.times WHERE cycle <> ? LIMIT 1"
        return self.db.execute(sql, (cycle,)).fetchone() is None

    def __enter__(self) -> Reckoning:
        try:
            attach(self.db, self.path)
            self._run = facts(self.db)
        except LedgerError:
            self.close()
            raise
        except (sqlite3.Error, UnicodeError) as error:
            self.close()
            raise self._unreadable(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:  # its traceback may hold what is half read
            self.close()
        else:
            detach(self.db)
        if isinstance(error, (sqlite3.Error, UnicodeError)):
            raise self._unreadable(error) from error

    def close(self) -> None:
        """Let go of everything; it cannot be entered again."""
        self.db.close()

    def _unreadable(self, error: Exception) -> LedgerError:
        return LedgerError(f"the ledger {self.path} cannot be read: {connections.words(error)}")
