"""Copies of the ledger that go to the bucket while the run goes on, so that its disk may be lost.

One greenlet takes them, one after the other: the copy is made and compressed in a real thread, and
sent in the greenlet. Each goes over the very generation that this process wrote before, so that
whoever goes on with the run elsewhere is noticed, and never overwritten. Between two of them it is
looked whether that has happened.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Protocol

import gevent
from gevent.event import Event

from kiosk_locust.checkpoint.horizon import HeldTickets, Horizon
from kiosk_locust.checkpoint.snapshot import pack
from kiosk_locust.checkpoint.stored import StoredCheckpoint
from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.client.call_trouble import TroubleKind
from kiosk_locust.clock import Clock
from kiosk_locust.errors import KioskLocustError, LedgerError, NameTaken
from kiosk_locust.filesystem import disk_space
from kiosk_locust.formatting import units
from kiosk_locust.ledger.recovery import Mark
from kiosk_locust.native_thread import in_thread
from kiosk_locust.storage import transfer_progress
from kiosk_locust.storage.bucket import Bucket

logger = logging.getLogger(__name__)

#: A checkpoint that was asked for early comes no sooner after the last one.
HURRIED_S = 1.0
#: So often it is looked whether another process goes on with the run: soon enough that few jobs are
#: sent by both, and a request that costs next to nothing.
LOOK_S = 10.0
#: What it takes must stay a small part of the time: no more often than so many times as long.
REST = 4


class SettledLedger(Protocol):
    """The part of a ledger that checkpoints use, whether it is open or closed."""

    @property
    def path(self) -> Path:
        """Its file."""

    def settle(self) -> None:
        """Return when what was said so far is on the disk; raises LedgerError."""


class Checkpoints:
    """Takes checkpoints of ``ledger`` every ``every_s`` seconds, under ``name`` in ``bucket``.

    ``generation`` is that of the checkpoint which the run goes on from, 0 where there is none.
    ``users`` is given for a closed workload, whose tickets it holds back (`ledger.recovery`).
    ``on_overtaken`` is called with a LedgerError where somebody else writes checkpoints of the run.
    ``calls`` hears of each try to send one.
    """

    def __init__(
        self,
        bucket: Bucket,
        name: str,
        ledger: SettledLedger,
        tickets: HeldTickets,
        clock: Clock,
        *,
        every_s: float,
        generation: int = 0,
        users: int | None = None,
        on_overtaken: Callable[[Exception], None],
        calls: CallFailures | None = None,
    ) -> None:
        self.has_timed_out = False  # the last one was waited for in vain
        self._stored = StoredCheckpoint(bucket, name, generation)
        self._ledger = ledger
        self._horizon = Horizon(tickets, users, every_s)
        self._clock = clock
        self._every_s = every_s
        self._on_overtaken = on_overtaken
        self._calls = calls or CallFailures(clock)
        self._kept: Mark | None = None  # the newest that is in the bucket
        self._failed = ""
        self._is_overtaken = False
        self._ending = Event()
        self._alarm = Event()  # one is wanted soon
        self._loop: gevent.Greenlet | None = None

    @property
    def age_s(self) -> float | None:
        """How old the newest one in the bucket is; None where there is none yet."""
        return None if self._kept is None else max(0.0, self._clock.now() - self._kept.taken_at)

    @property
    def line(self) -> str:
        """The same for people, and what is amiss; empty before the first."""
        if self.age_s is None:
            return f"no checkpoint yet: {self._failed}" if self._failed else ""
        text = f"the last checkpoint is {units.seconds(self.age_s)} old"
        return f"{text}: {self._failed}" if self._failed else text

    def first(self, *, insist: bool) -> None:
        """Take the one before the first job; raises LedgerError with what to do.

        ``insist``: whoever starts the run counts on it, since a process without a disk would
        begin it anew. Else only a run of this name elsewhere is a reason to refuse.
        """
        try:
            self._take()
        except NameTaken as error:
            raise LedgerError(
                f"{error}: a run of this name was begun elsewhere; go on with it by"
                " --resume-or-start NAME, or choose another --run-name"
            ) from error
        except (KioskLocustError, OSError, sqlite3.Error) as error:
            if not insist:
                self._fail(error)
                return
            raise LedgerError(
                f"no checkpoint can be kept: {error}; mend that, or say --checkpoint 0 to run"
                " without any"
            ) from error

    def start(self) -> None:
        """Take one after the other from now on."""
        self._horizon.on_near(self._alarm.set)
        self._loop = gevent.spawn(self._run)

    def last(self, within_s: float, given_up: Event, mute_s: float) -> bool:
        """Take one more, and wait for it so long at most; a warning and False if none was kept.

        For a bucket that gives no sign of life it is waited ``mute_s`` at most. ``has_timed_out``
        is set where it was waited for in vain.
        """
        self.has_timed_out = False
        if self._loop is None or self._is_overtaken:
            return False
        self._ending.set()
        self._alarm.set()
        if self._loop.dead:  # an earlier call had it end
            self._loop = gevent.spawn(self._run)
        mute_for_s = self._await(self._loop, within_s, given_up, mute_s)
        if mute_for_s or self._failed or not self._loop.dead:
            why = self._failed or f"it was waited for {units.seconds(within_s)} at most"
            if mute_for_s:
                why = f"{self._stored.url} has not answered for {units.seconds(mute_for_s)}"
            logger.warning("the last checkpoint was not kept: %s", why)
            self.has_timed_out = not (self._loop.dead or given_up.is_set())
            return False
        return not self._is_overtaken

    def _await(
        self, loop: gevent.Greenlet, within_s: float, given_up: Event, mute_s: float
    ) -> float:
        """Wait as `last` says; returns for how many seconds a bucket given up was mute, else 0."""
        began = monotonic()
        while not loop.dead and not given_up.is_set():
            waited_s = monotonic() - began
            mute_for_s = self._calls.unheard_s(TroubleKind.CHECKPOINT)
            if waited_s >= mute_s and mute_for_s >= mute_s:
                return mute_for_s
            if waited_s >= within_s:
                break
            gevent.wait([loop, given_up], timeout=min(1.0, within_s - waited_s), count=1)
        return 0.0

    def stop(self) -> None:
        """Take none any more."""
        if self._loop is not None:
            self._loop.kill()

    def _run(self) -> None:
        took_s = 0.0
        while not self._is_overtaken:
            self._wait(max(self._every_s, REST * took_s))
            is_last = self._ending.is_set()
            self._alarm.clear()
            begun_at = self._clock.now()
            self._try()
            took_s = self._clock.now() - begun_at
            if is_last:
                return

    def _wait(self, wait_s: float) -> None:
        """Until it is time for the next, or until one is wanted sooner."""
        soonest_s = wait_s if self._failed else min(HURRIED_S, wait_s)
        if self._clock.wait(self._ending, soonest_s):
            return
        until = self._clock.now() + wait_s - soonest_s
        while not self._clock.wait(self._alarm, min(LOOK_S, until - self._clock.now())):
            if self._clock.now() >= until or self._stored.has_changed(LOOK_S):
                return

    def _try(self) -> None:
        try:
            self._take()
        except NameTaken as error:
            self._is_overtaken = True
            self._on_overtaken(
                LedgerError(
                    f"{error}: another process goes on with this run, so this one ends; its records"
                    f" are in {self._ledger.path}"
                )
            )
        except Exception as error:  # noqa: BLE001  whatever it is, it must not cost the run
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        is_ours, before = (
            isinstance(error, (KioskLocustError, OSError, sqlite3.Error)),
            self._failed,
        )
        self._failed = str(error) if is_ours else f"a fault of kiosk_locust: {error!r}"
        if self._ending.is_set():
            return  # whoever waits for it tells
        if self._kept and self._clock.now() > self._kept.held_until:
            self._horizon.release()
        if self._failed == before:
            return  # that it goes on is told with all calls that fail
        last = "there is none yet"
        if self.age_s is not None:
            last = f"the last one is {units.seconds(self.age_s)} old"
        logger.warning(
            "no checkpoint was kept, and %s: %s; it is tried again in %s, and the run goes on",
            *(last, self._failed, units.seconds(self._every_s)),
        )

    def _take(self) -> None:
        """Copy, compress and send it; raises what goes wrong, NameTaken where it was overtaken."""
        path = self._ledger.path
        mark = self._horizon.mark(self._clock.now(), self._stored.process, self._kept)
        self._ledger.settle()
        packed = path.with_name(f".{path.name}.{os.getpid()}.checkpoint")
        try:
            disk_space.require(path.parent, disk_space.CHECKPOINTS, _bytes_of(path))
            in_thread(lambda: pack(path, mark, packed))
            with (
                self._calls.trying(TroubleKind.CHECKPOINT) as pending,
                transfer_progress.watched(pending),
            ):
                self._stored.replace(packed)
        finally:
            packed.unlink(missing_ok=True)
        if self._failed:
            logger.info("a checkpoint was kept again")
        self._failed = ""
        self._kept = mark
        self._horizon.hold(mark)


def _bytes_of(ledger: Path) -> int:
    """Bytes of disk for a checkpoint: a copy of the ledger, and a fifth of it compressed."""
    return int(1.2 * ledger.stat().st_size)
