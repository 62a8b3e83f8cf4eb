"""Roster of a run's workers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping

from kiosk_locust.client.call_trouble import Trouble
from kiosk_locust.distributed.leases import Leases
from kiosk_locust.distributed.messages import Report
from kiosk_locust.distributed.unreadable_messages import UNREAD
from kiosk_locust.distributed.worker_accounts import WorkerAccounts
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.reader import WORKER_KEY
from kiosk_locust.measurement.process_figures import ProcessFigures

#: Workers look for the files of the plan before they take part; a million take some seconds.
AWAIT_LIMIT_S = 120.0


class Roster:
    """The workers of one run: who said hello, who reported and what, who was refused.

    No ticket is to be dealt before ``awaited`` workers have reported, and so said whether they can
    take part.
    """

    def __init__(
        self, ledger: Ledger, leases: Leases, accounts: WorkerAccounts, awaited: int = 0
    ) -> None:
        self.greeted: set[str] = set()  # said hello as this plugin does
        self.figures: dict[str, ProcessFigures] = {}  # what each saw of itself
        self.has_workers = True  # set by whoever looks whether any is connected
        self._ledger = ledger
        self._leases = leases
        self._accounts = accounts
        self._awaited = awaited
        self._await_until = math.inf
        self._met: set[str] = set()  # have reported
        self._refused: set[str] = set()  # run another version
        self._troubles: dict[str, tuple[Trouble, ...]] = {}  # which of its calls fail, by worker
        self._lost_in_run: int | None = None  # workers, once every ticket is closed
        self._unread_before = UNREAD.count  # of earlier runs of this process

    def start(self, zero_at: float) -> None:
        """Await workers until some time after ``zero_at`` (epoch seconds)."""
        self._await_until = zero_at + AWAIT_LIMIT_S

    def is_complete(self, now: Callable[[], float]) -> bool:
        """True once nobody is awaited any more; ``now`` gives epoch seconds."""
        return len(self._met) >= self._awaited or now() >= self._await_until

    def expect_no_more_of(self, worker: str) -> None:
        """Deal tickets without waiting for ``worker``, which is none of this plugin's."""
        if worker not in self._met:
            self._awaited -= 1

    def greet(self, worker: str) -> None:
        """Take in a hello as this plugin says it."""
        self.greeted.add(worker)

    def refuse(self, worker: str) -> bool:
        """Take in that a worker is refused; False if it was before."""
        is_new = worker not in self._refused
        self._refused.add(worker)
        return is_new

    def meet(self, worker: str, report: Report) -> None:
        """Take in what a worker's report says of itself."""
        self._troubles[worker] = report.troubles
        if report.figures:
            self.figures[worker] = report.figures
        if worker not in self._met:
            self._met.add(worker)
            skew = {"skew_s": report.skew_s, "skew_bound_s": report.skew_bound_s}
            self._ledger.set_meta(**{f"{WORKER_KEY}{worker}": json.dumps(skew)})
        if self._leases.is_on(worker):
            self._accounts.note(worker, report.account)

    @property
    def troubles(self) -> Mapping[str, tuple[Trouble, ...]]:
        """The calls that fail, by worker; of those that take part now."""
        is_on = self._leases.is_on
        return {name: those for name, those in self._troubles.items() if is_on(name)}

    @property
    def workers_lost(self) -> int:
        """Number of workers that died or fell silent while tickets were left."""
        lost = self._lost_in_run
        return self._leases.workers_lost if lost is None else lost

    def count_lost_no_more(self) -> None:
        """Every ticket is closed: whoever goes from now on is not lost to the run."""
        self._lost_in_run = self.workers_lost

    @property
    def unread_messages(self) -> int:
        """Number of messages that could not be read since the run was made."""
        return UNREAD.count - self._unread_before
