"""The calls of one process, by kind: which fail, since when, and which are not answered at all.

A kind is *failing* when none of its calls has succeeded for ``PATIENCE_S`` and at least one has
failed: one success of any job ends it. It is *silent* when none has failed, but one has been under
way so long without headway, and none was answered meanwhile; an upload that still moves bytes is
not. It fails *partly* when for ``PATIENCE_S`` at least half of the calls of the last 10 and of the
last 60 s have failed, and at least ten of the latter; that ends when fewer than a quarter do.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

import requests

from kiosk_locust.client.call_advice import cause_of, cause_of_silence, in_short
from kiosk_locust.client.call_trouble import State, Trouble, TroubleKind
from kiosk_locust.clock import Clock
from kiosk_locust.errors import (
    InputError,
    KioskLocustError,
    LedgerError,
    NameTaken,
    Refused,
    Withdrawn,
)

#: So long nothing may have succeeded: one failure may be an ingress that is reloaded.
PATIENCE_S = 10.0
#: A worker tells its master so early, which adds up what all of them say.
EARLY_S = 2.0
#: A Kiosk whose answers have taken long lately is slow, not silent: it gets that many times more.
SLOWER = 1.5
#: What has ended is told so long, so that no process misses it.
TOLD_S = 5.0
#: A failure that nobody tries again is none that lasts. The longest wait between two tries is
#: 600 s (`retry.LONGEST_HINT_S`) and the back-off.
STALE_S = 660.0
#: Calls are counted in slots of this many seconds.
SLOT_S = 5.0
LATELY_S, LONG_S = 10.0, 60.0
LEAST_FAILED = 10
#: Shares of failed calls at which a kind begins and ceases to fail partly.
BEGINS, CEASES = 0.5, 0.25

#: What is no fault of what was called.
_OWN = (Withdrawn, InputError, LedgerError, NameTaken)
#: Calls that close their job where they are refused (4xx).
_ENDS_JOB = frozenset({TroubleKind.SUBMISSION, TroubleKind.UPLOAD})
#: Calls that are made again for as long as a run lasts, however seldom.
_ALWAYS_AGAIN = frozenset({TroubleKind.CHECKPOINT})


class OpenCall(Protocol):
    """A request of the transport that is under way."""

    path: str

    @property
    def still_since(self) -> float:
        """The moment since which nothing has moved."""


class Pending:
    """A call that is under way; a `headway.Watcher` of what it moves.

    ``heard_at`` is the last sign of life: bytes that moved, or a try that was refused; a try that
    was not answered in time is none.
    """

    __slots__ = ("_failures", "began_at", "heard_at", "kind", "still_since")

    def __init__(self, kind: TroubleKind, failures: CallFailures, now: float) -> None:
        self.kind = kind
        self.began_at = self.still_since = self.heard_at = now
        self._failures = failures

    def moved(self) -> None:
        """Bytes have moved."""
        self.still_since = self.heard_at = self._failures.clock.now()

    def tried(self, error: BaseException) -> None:
        """A try that it makes by itself has failed."""
        self._failures.failed(self.kind, error, self.still_since)
        self.still_since = self._failures.clock.now()
        if not isinstance(error, requests.Timeout):
            self.heard_at = self.still_since


class _Calls:
    """The calls of one kind."""

    def __init__(self) -> None:
        self.since: float | None = None  # when the first call began that failed
        self.failed = 0  # since then, without any success
        self.tried_at = 0.0  # the last failure
        self.error: BaseException | None = None
        self.succeeded_at = 0.0
        self.slow_s = 0.0  # how long the last success took
        self.shown: Trouble | None = None  # while it is in trouble
        self.ended: Trouble | None = None  # the last trouble that is over
        self.partly_since: float | None = None
        self.slots: deque[list[float]] = deque(maxlen=round(LONG_S / SLOT_S))  # at, good, failed

    def count(self, now: float, *, failed: bool) -> None:
        """Count one call that has ended."""
        at = now // SLOT_S * SLOT_S
        if not self.slots or self.slots[-1][0] != at:
            self.slots.append([at, 0, 0])
        self.slots[-1][1 + failed] += 1

    def counted(self, now: float, seconds: float) -> tuple[int, int]:
        """The calls of the last seconds: succeeded, failed."""
        since = now // SLOT_S * SLOT_S - seconds
        lately = [slot for slot in self.slots if slot[0] > since]
        return int(sum(slot[1] for slot in lately)), int(sum(slot[2] for slot in lately))


class CallFailures:
    """Listens to the calls of a process; ``look`` tells which kinds fail.

    The Kiosk's client tells of each of its calls by ``succeeded`` and ``failed``; calls that are
    under way are seen in the transport (``watch``). Transfers of other clients run in ``trying``.
    A failure is told once it has lasted for ``told_after_s``.
    """

    def __init__(self, clock: Clock, told_after_s: float = PATIENCE_S) -> None:
        self.clock = clock
        self._told_after_s = told_after_s
        self._calls = {kind: _Calls() for kind in TroubleKind}
        self._pending: set[Pending] = set()
        self._open: Callable[[], Iterable[OpenCall]] = tuple
        self._kinds: Mapping[str, TroubleKind] = {}

    def watch(
        self, open_calls: Callable[[], Iterable[OpenCall]], kinds: Mapping[str, TroubleKind]
    ) -> None:
        """Set what gives the requests under way, and of which kind each path is."""
        self._open, self._kinds = open_calls, kinds

    # -- what has happened

    def succeeded(self, kind: TroubleKind, took_s: float) -> None:
        """A call was answered as it should be, ``took_s`` after it was sent whole."""
        calls, now = self._calls[kind], self.clock.now()
        calls.succeeded_at, calls.slow_s = now, took_s
        calls.count(now, failed=False)
        if calls.since is None and calls.shown is None:
            return
        if calls.shown is not None and calls.shown.state is not State.PARTLY:
            self._end(calls, now)
            if calls.ended and now - calls.ended.since >= PATIENCE_S:
                calls.slots.clear()  # its failures shall not count for what comes after
                calls.partly_since = None
        calls.since, calls.failed = None, 0

    def failed(self, kind: TroubleKind, error: BaseException, began_at: float) -> None:
        """A call that began at that moment has failed."""
        if isinstance(error, _OWN):
            return
        calls, now = self._calls[kind], self.clock.now()
        calls.count(now, failed=True)
        if calls.since is None:
            calls.since = max(began_at, calls.succeeded_at)
        calls.failed += 1
        calls.tried_at, calls.error = now, error

    @contextlib.contextmanager
    def trying(self, kind: TroubleKind) -> Iterator[Pending]:
        """Note one call by how the block ends; what is given hears of its headway."""
        pending = Pending(kind, self, self.clock.now())
        self._pending.add(pending)
        try:
            yield pending
        except KioskLocustError as error:
            self.failed(kind, error, pending.began_at)
            raise
        else:
            self.succeeded(kind, self.clock.now() - pending.still_since)
        finally:
            self._pending.discard(pending)

    def unheard_s(self, kind: TroubleKind) -> float:
        """For how many seconds a call in `trying` has had no sign of life; 0.0: none is on."""
        now = self.clock.now()
        waits = (now - pending.heard_at for pending in self._pending if pending.kind is kind)
        return max(waits, default=0.0)

    # -- what is to be said

    def look(self) -> tuple[Trouble, ...]:
        """The kinds in trouble now, and those that have just got over it."""
        now = self.clock.now()
        still: dict[TroubleKind, list[float]] = {kind: [] for kind in TroubleKind}
        for call in self._open():
            if kind := self._kinds.get(call.path):
                still[kind].append(call.still_since)
        for pending in self._pending:
            still[pending.kind].append(pending.still_since)
        looks = (self._look(kind, calls, still[kind], now) for kind, calls in self._calls.items())
        return tuple(trouble for found in looks for trouble in found)

    def _look(
        self, kind: TroubleKind, calls: _Calls, still: list[float], now: float
    ) -> Iterator[Trouble]:
        unbroken = self._unbroken(kind, calls, still, now)
        partly = self._partly(kind, calls, now)
        is_sure = unbroken is not None and now - unbroken.since >= PATIENCE_S
        trouble = unbroken if is_sure else partly or unbroken
        if trouble is None and calls.shown is not None and calls.shown.state is State.PARTLY:
            self._end(calls, now)
        calls.shown = trouble
        if trouble:
            calls.ended = None
            yield trouble
        elif calls.ended and now - (calls.ended.ended_at or now) < TOLD_S:
            yield calls.ended

    def _end(self, calls: _Calls, now: float) -> None:
        shown = calls.shown
        if shown is not None:
            tries = shown.tries if shown.state is State.PARTLY else calls.failed
            calls.ended = replace(shown, tries=tries, waiting=0, ended_at=now)
            calls.shown = None

    def _unbroken(
        self, kind: TroubleKind, calls: _Calls, still: list[float], now: float
    ) -> Trouble | None:
        """The trouble of a kind of which nothing succeeds."""
        is_stale = kind not in _ALWAYS_AGAIN and now - calls.tried_at > STALE_S
        if calls.since is not None and not still and is_stale:
            calls.since, calls.failed = None, 0
            calls.shown = None  # it has not got over it: nobody tries any more
        patience_s = max(PATIENCE_S, SLOWER * calls.slow_s)
        waiting = [at for at in still if now - at >= patience_s]
        begins = [max(at, calls.succeeded_at) for at in waiting]
        begins = [at for at in begins if now - at >= patience_s]
        if calls.since is not None and not _is_of_one_job(kind, calls):
            begins.append(calls.since)
        if not begins or now - min(begins) < self._told_after_s:
            return None
        error = calls.error if calls.since is not None else None
        return Trouble(
            kind,
            State.FAILING if error else State.SILENT,
            min(begins),
            calls.failed,
            0,
            len(waiting),
            str(error or ""),
            in_short(error) if error else "",
            cause_of(kind, error) if error else cause_of_silence(kind),
        )

    def _partly(self, kind: TroubleKind, calls: _Calls, now: float) -> Trouble | None:
        """The trouble of a kind many of whose calls fail, while others succeed."""
        good, failed = calls.counted(now, LONG_S)
        lately_good, lately_failed = calls.counted(now, LATELY_S)
        share = BEGINS if calls.partly_since is None else CEASES
        is_bad = (
            failed >= (LEAST_FAILED if calls.partly_since is None else 1)
            and failed >= share * (good + failed)
            and lately_failed > 0
            and lately_failed >= share * (lately_good + lately_failed)
        )
        if not is_bad or calls.error is None:
            calls.partly_since = None
            return None
        if calls.partly_since is None:
            calls.partly_since = now
        if now - calls.partly_since < PATIENCE_S:
            return None
        return Trouble(
            kind,
            State.PARTLY,
            calls.partly_since,
            failed,
            good,
            0,
            str(calls.error),
            in_short(calls.error),
            cause_of(kind, calls.error),
        )


def _is_of_one_job(kind: TroubleKind, calls: _Calls) -> bool:
    """Whether a single no, which nobody tries again, may be about its job alone."""
    return kind in _ENDS_JOB and calls.failed == 1 and isinstance(calls.error, Refused)
