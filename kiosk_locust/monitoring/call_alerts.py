"""Alerts about failing calls, while they fail: in the log, on the progress line, on the page."""

from __future__ import annotations

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import gevent

from kiosk_locust.client.call_advice import meanwhile
from kiosk_locust.client.call_failures import PATIENCE_S
from kiosk_locust.client.call_trouble import PATHS, State, Trouble, TroubleKind
from kiosk_locust.clock import Clock
from kiosk_locust.formatting import units
from kiosk_locust.model.ports import JobPublisher, RunObserver

logger = logging.getLogger(__name__)

#: Intervals of checks, and of repeated log lines, in seconds.
CHECK_S = 1.0
REPEAT_S = 600.0
#: Process name of this process, for calls that no other process makes.
HERE = ""
#: Log lines about recurring trouble within REPEAT_S; the progress line always shows it.
MOST_LOGGED = 5


@dataclass(slots=True)
class _LogState:
    """Log state of one kind of trouble."""

    state: State | None = None  # of the present trouble; None: not logged
    everywhere: bool = False  # at all processes
    last_at: float = 0.0
    trouble: Trouble | None = None  # latest state
    parts: dict[str, Trouble] = field(default_factory=dict)  # latest state by process
    begun: deque[float] = field(default_factory=deque)  # start times of recently logged troubles


class Alerts(RunObserver):
    """Collector of troubles of a run's processes; logs each at its start, then rarely.

    ``troubles`` returns them by process: those of all workers, including workers without any, and
    of this process (HERE). ``lines`` are short texts for the progress line, ``texts`` long ones for
    the page; both describe present troubles.
    """

    def __init__(
        self, troubles: Callable[[], Mapping[str, Sequence[Trouble]]], clock: Clock
    ) -> None:
        self.lines: tuple[str, ...] = ()
        self.texts: tuple[str, ...] = ()
        self._troubles = troubles
        self._clock = clock
        self._log_states: dict[TroubleKind, _LogState] = defaultdict(_LogState)
        self._greenlet: gevent.Greenlet | None = None

    def attach(self, bus: JobPublisher) -> None:
        """Subscribe to no job events: troubles come from calls."""

    def start(self, zero_at: float) -> None:  # noqa: ARG002  calls start before the first job
        """Start checking in a greenlet."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Stop checking, and clear the texts."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self.lines = self.texts = ()

    def _run(self) -> None:
        while True:
            self._clock.sleep(CHECK_S)
            self.look()

    def look(self) -> None:
        """Evaluate the present troubles, and log new ones."""
        now, by_process = self._clock.now(), self._troubles()
        by_kind: dict[TroubleKind, dict[str, Trouble]] = defaultdict(dict)
        for process, troubles in by_process.items():
            for trouble_here in troubles:
                by_kind[trouble_here.kind][process] = trouble_here
        lines, texts = [], []
        for kind in TroubleKind:
            of_kind = by_kind.get(kind, {})
            active = {
                name: trouble_here
                for name, trouble_here in of_kind.items()
                if trouble_here.ended_at is None
            }
            trouble = merge_troubles(active.values()) if active else None
            if self._log_states[kind].trouble:
                self._log_states[kind].parts.update(of_kind)
            if trouble and (now - trouble.since >= PATIENCE_S or self._log_states[kind].trouble):
                where = _where(active, by_process)
                lines.append(line(trouble, now) + where)
                texts.append(text(trouble, now, where))
                self._log(trouble, texts[-1], now, everywhere=not where)
            elif not trouble:
                self._log_end(kind)
        self.lines, self.texts = tuple(lines), tuple(texts)

    def _log(self, trouble: Trouble, message: str, now: float, *, everywhere: bool) -> None:
        log_state = self._log_states[trouble.kind]
        is_new = log_state.trouble is None
        log_state.trouble = trouble
        while log_state.begun and now - log_state.begun[0] >= REPEAT_S:
            log_state.begun.popleft()
        if is_new and len(log_state.begun) >= MOST_LOGGED:
            return
        if not is_new and log_state.state is None:  # omitted at its start
            return
        # A silence that became an error can be explained better; and it may spread.
        is_logged = log_state.state == trouble.state or log_state.state is State.FAILING
        if is_logged and log_state.everywhere >= everywhere and now - log_state.last_at < REPEAT_S:
            return
        if is_new:
            log_state.begun.append(now)
        log_state.state, log_state.last_at, log_state.everywhere = trouble.state, now, everywhere
        logger.warning("%s", message)

    def _log_end(self, kind: TroubleKind) -> None:
        log_state = self._log_states[kind]
        ended = [part for part in log_state.parts.values() if part.ended_at is not None]
        if log_state.state is not None and ended:
            logger.info("%s", recovery_text(merge_troubles(ended)))
        self._log_states[kind] = _LogState(begun=log_state.begun)


def merge_troubles(troubles: Iterable[Trouble]) -> Trouble:
    """One trouble for those of several processes: worst state, earliest start."""
    ordered = sorted(
        troubles, key=lambda trouble: (list(State).index(trouble.state), trouble.since)
    )
    worst = ordered[0]
    ends = [trouble.ended_at for trouble in ordered if trouble.ended_at is not None]
    return replace(
        worst,
        since=min(trouble.since for trouble in ordered),
        tries=sum(trouble.tries for trouble in ordered),
        succeeded=sum(trouble.succeeded for trouble in ordered),
        waiting=sum(trouble.waiting for trouble in ordered),
        ended_at=max(ends) if len(ends) == len(ordered) else None,
    )


def _where(affected: Collection[str], processes: Collection[str]) -> str:
    """Affected workers as text; empty if all are."""
    workers = [name for name in processes if name != HERE]
    if HERE in affected or len(affected) == len(workers):
        return ""
    names = ", ".join(sorted(affected)[:3])
    return f" at {len(affected)} of {len(workers)} workers ({names})"


def line(trouble: Trouble, now: float) -> str:
    """Short text about a trouble."""
    for_s = units.seconds(now - trouble.since)
    plural = trouble.kind.plural
    if trouble.state is State.SILENT:
        return f"NO ANSWER to {plural} for {for_s} ({trouble.waiting:,} waiting)"
    if trouble.state is State.PARTLY:
        total = trouble.tries + trouble.succeeded
        return f"{trouble.tries:,} of {total:,} {plural} in the last 60 s FAILED ({trouble.short})"
    return f"{plural} FAIL for {for_s}: {_tries(trouble)}, last {trouble.short}"


def text(trouble: Trouble, now: float, where: str = "") -> str:
    """Full text about a trouble: kind, frequency, start, cause and advice."""
    kind, for_s = trouble.kind, units.seconds(now - trouble.since)
    since_text = f"(since {time.strftime('%H:%M:%S', time.localtime(trouble.since))})"
    noun = f"{kind.value} (POST {PATHS[kind]})" if kind in PATHS else kind.value
    waiting = f"{trouble.waiting:,} {'is' if trouble.waiting == 1 else 'are'} waiting"
    if trouble.state is State.SILENT:
        facts = f"no {noun} has been answered{where} for {for_s} {since_text}; {waiting}"
    elif trouble.state is State.PARTLY:
        total = trouble.tries + trouble.succeeded
        facts = (
            f"{trouble.tries:,} of {total:,} calls of the last 60 s failed{where} {since_text}:"
            f" {noun}"
        )
    else:
        have = "has" if trouble.tries == 1 else "have"
        facts = (
            f"no {noun} has succeeded{where} for {for_s} {since_text}: {_tries(trouble)} {have}"
            " failed"
        )
        facts += f", {waiting}" if trouble.waiting else ""
    last = f"; the last error: {trouble.error}" if trouble.error else ""
    return f"{facts}{last}. Likely cause: {trouble.cause}. Meanwhile: {meanwhile(kind)}"


def recovery_text(trouble: Trouble) -> str:
    """Text about a trouble that ended."""
    after_s = units.seconds((trouble.ended_at or trouble.since) - trouble.since)
    if trouble.state is State.SILENT and not trouble.tries:
        return f"{trouble.kind.plural} are answered again after {after_s}"
    if trouble.state is State.PARTLY:
        return f"{trouble.kind.plural} work again after {after_s} in which many failed"
    return f"{trouble.kind.plural} work again after {after_s}: {_tries(trouble)} failed"


def _tries(trouble: Trouble) -> str:
    return "1 try" if trouble.tries == 1 else f"{trouble.tries:,} tries"
