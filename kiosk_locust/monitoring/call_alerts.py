"""Tells people which calls fail, while they do: in the log, on the progress line, on the page."""

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

#: How often it looks, and how often it logs the same again.
LOOK_S = 1.0
AGAIN_S = 600.0
#: The name of the process that looks, for calls which no other process makes.
HERE = ""
#: What comes and goes is logged so often within AGAIN_S; the progress line always has it.
MOST_LOGGED = 5


@dataclass(slots=True)
class _Said:
    """What was logged of one kind."""

    state: State | None = None  # of the trouble that goes on; None: nothing was logged of it
    everywhere: bool = False  # at all processes
    last_at: float = 0.0
    trouble: Trouble | None = None  # as it was seen last
    parts: dict[str, Trouble] = field(default_factory=dict)  # of each process, as seen last
    begun: deque[float] = field(default_factory=deque)  # troubles that were logged, lately


class Alerts(RunObserver):
    """Gathers the troubles of a run's processes and says each once, then seldom.

    ``troubles`` gives them by process: those of all workers, also of workers without any, and of
    this process (HERE). ``lines`` are short, for the progress; ``texts`` whole, for the page. Both
    are of what goes on now.
    """

    def __init__(
        self, troubles: Callable[[], Mapping[str, Sequence[Trouble]]], clock: Clock
    ) -> None:
        self.lines: tuple[str, ...] = ()
        self.texts: tuple[str, ...] = ()
        self._troubles = troubles
        self._clock = clock
        self._said: dict[TroubleKind, _Said] = defaultdict(_Said)
        self._greenlet: gevent.Greenlet | None = None

    def attach(self, bus: JobPublisher) -> None:
        """Hear of no job: calls tell of themselves."""

    def start(self, zero_at: float) -> None:  # noqa: ARG002  calls begin before the first job
        """Look from now on, in a greenlet of its own."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Look no more, and let what stood there go."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self.lines = self.texts = ()

    def _run(self) -> None:
        while True:
            self._clock.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Take in what the processes say now, and log what is new."""
        now, by_process = self._clock.now(), self._troubles()
        by_kind: dict[TroubleKind, dict[str, Trouble]] = defaultdict(dict)
        for process, troubles in by_process.items():
            for one in troubles:
                by_kind[one.kind][process] = one
        lines, texts = [], []
        for kind in TroubleKind:
            found = by_kind.get(kind, {})
            going_on = {name: one for name, one in found.items() if one.ended_at is None}
            trouble = merged(going_on.values()) if going_on else None
            if self._said[kind].trouble:
                self._said[kind].parts.update(found)
            if trouble and (now - trouble.since >= PATIENCE_S or self._said[kind].trouble):
                where = _where(going_on, by_process)
                lines.append(line(trouble, now) + where)
                texts.append(text(trouble, now, where))
                self._log(trouble, texts[-1], now, everywhere=not where)
            elif not trouble:
                self._log_end(kind)
        self.lines, self.texts = tuple(lines), tuple(texts)

    def _log(self, trouble: Trouble, said: str, now: float, *, everywhere: bool) -> None:
        about = self._said[trouble.kind]
        is_new = about.trouble is None
        about.trouble = trouble
        while about.begun and now - about.begun[0] >= AGAIN_S:
            about.begun.popleft()
        if is_new and len(about.begun) >= MOST_LOGGED:
            return
        if not is_new and about.state is None:  # it was left out when it began
            return
        # A silence that has become an error can be explained better; and it may spread.
        is_known = about.state == trouble.state or about.state is State.FAILING
        if is_known and about.everywhere >= everywhere and now - about.last_at < AGAIN_S:
            return
        if is_new:
            about.begun.append(now)
        about.state, about.last_at, about.everywhere = trouble.state, now, everywhere
        logger.warning("%s", said)

    def _log_end(self, kind: TroubleKind) -> None:
        about = self._said[kind]
        ended = [part for part in about.parts.values() if part.ended_at is not None]
        if about.state is not None and ended:
            logger.info("%s", healed(merged(ended)))
        self._said[kind] = _Said(begun=about.begun)


def merged(troubles: Iterable[Trouble]) -> Trouble:
    """One trouble for those of several processes: the worst state, the earliest beginning."""
    those = sorted(troubles, key=lambda one: (list(State).index(one.state), one.since))
    worst = those[0]
    ends = [one.ended_at for one in those if one.ended_at is not None]
    return replace(
        worst,
        since=min(one.since for one in those),
        tries=sum(one.tries for one in those),
        succeeded=sum(one.succeeded for one in those),
        waiting=sum(one.waiting for one in those),
        ended_at=max(ends) if len(ends) == len(those) else None,
    )


def _where(affected: Collection[str], processes: Collection[str]) -> str:
    """The affected workers in words; empty where all are."""
    workers = [name for name in processes if name != HERE]
    if HERE in affected or len(affected) == len(workers):
        return ""
    names = ", ".join(sorted(affected)[:3])
    return f" at {len(affected)} of {len(workers)} workers ({names})"


def line(trouble: Trouble, now: float) -> str:
    """A trouble in a few words."""
    for_s = units.seconds(now - trouble.since)
    plural = trouble.kind.plural
    if trouble.state is State.SILENT:
        return f"NO ANSWER to {plural} for {for_s} ({trouble.waiting:,} waiting)"
    if trouble.state is State.PARTLY:
        of = trouble.tries + trouble.succeeded
        return f"{trouble.tries:,} of {of:,} {plural} in the last 60 s FAILED ({trouble.short})"
    return f"{plural} FAIL for {for_s}: {_tries(trouble)}, last {trouble.short}"


def text(trouble: Trouble, now: float, where: str = "") -> str:
    """A trouble in whole sentences: what fails, how often, since when, why, and what to do."""
    kind, for_s = trouble.kind, units.seconds(now - trouble.since)
    when = f"(since {time.strftime('%H:%M:%S', time.localtime(trouble.since))})"
    noun = f"{kind.value} (POST {PATHS[kind]})" if kind in PATHS else kind.value
    waiting = f"{trouble.waiting:,} {'is' if trouble.waiting == 1 else 'are'} waiting"
    if trouble.state is State.SILENT:
        facts = f"no {noun} has been answered{where} for {for_s} {when}; {waiting}"
    elif trouble.state is State.PARTLY:
        of = trouble.tries + trouble.succeeded
        facts = f"{trouble.tries:,} of {of:,} calls of the last 60 s failed{where} {when}: {noun}"
    else:
        have = "has" if trouble.tries == 1 else "have"
        facts = (
            f"no {noun} has succeeded{where} for {for_s} {when}: {_tries(trouble)} {have} failed"
        )
        facts += f", {waiting}" if trouble.waiting else ""
    last = f"; the last error: {trouble.error}" if trouble.error else ""
    return f"{facts}{last}. Likely cause: {trouble.cause}. Meanwhile: {meanwhile(kind)}"


def healed(trouble: Trouble) -> str:
    """A trouble that is over."""
    after_s = units.seconds((trouble.ended_at or trouble.since) - trouble.since)
    if trouble.state is State.SILENT and not trouble.tries:
        return f"{trouble.kind.plural} are answered again after {after_s}"
    if trouble.state is State.PARTLY:
        return f"{trouble.kind.plural} work again after {after_s} in which many failed"
    return f"{trouble.kind.plural} work again after {after_s}: {_tries(trouble)} failed"


def _tries(trouble: Trouble) -> str:
    return "1 try" if trouble.tries == 1 else f"{trouble.tries:,} tries"
