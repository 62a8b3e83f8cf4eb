"""What the processes of a run saw of themselves, and what the verdict goes by of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from kiosk_locust.ledger.reader import decoding
from kiosk_locust.measurement.facts import Causes, ValidityFacts, is_master

_OF_SESSION = " of session "


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """One process, since its part of the run began; times in seconds, None: not measured.

    ``loop_delay_p99_s`` is weighed by time. ``judged_loop_delay_s`` and ``judged_cpu_share`` are
    the same over no less than half a minute and 10 s: a short run may begin with a jolt.
    ``judged_socket_wait_s`` is a lower bound of that p99, see `measurement.binomial_bound`.
    """

    watched_s: float
    loop_delay_p50_s: float | None
    loop_delay_p99_s: float | None
    loop_delay_max_s: float | None
    cpu_share: float | None  # of one processor
    memory_bytes: int | None  # resident
    requests: int
    socket_wait_p99_s: float | None  # of all requests: polls, too
    socket_wait_max_s: float | None
    silence_s: float | None  # the longest without an answer while one was awaited
    master_reply_p99_s: float | None  # of a worker: weighed by time
    judged_loop_delay_s: float | None
    judged_cpu_share: float | None
    judged_socket_wait_s: float | None = None  # a ledger that has none was judged without it
    socket_held_s: float | None = None  # the mean of requests that had waited for a socket
    failed_calls: int = 0  # jobs' calls without a usable answer (none, 408, 429, 5xx, no JSON)
    outage_s: float | None = None  # the longest time in which these were the only answers


@dataclass(frozen=True, slots=True)
class Generator:
    """All processes of a run by name: ``run`` or ``master``, workers, ``simulator``."""

    processes: Mapping[str, ProcessFigures]
    workers_lost: int | None = None  # of a distributed run
    simulator_cpu_share: float | None = None  # of a simulated run; over no less than 10 s
    unread_messages: int | None = None  # between master and workers; left out, since not readable
    session: int = 1  # of the run, whose processes these are; those of earlier ones say theirs

    def in_facts(self, facts: ValidityFacts) -> ValidityFacts:
        """``facts`` with what only the processes know: of several, the worst."""
        each = tuple(self.processes.values())
        waits = [one.judged_socket_wait_s for one in each]
        return replace(
            facts,
            causes=self._in_causes(facts.causes),
            workers_lost=self.workers_lost,
            loop_delay_p99_s=_most(one.judged_loop_delay_s for one in each),
            cpu_share=_most(one.judged_cpu_share for one in each),
            socket_wait_p99_s=_most([facts.socket_wait_p99_s, *waits]),
            master_reply_p99_s=_most(one.master_reply_p99_s for one in each),
            silence_s=_most(one.silence_s for one in each),
            simulator_cpu_share=self.simulator_cpu_share,
        )

    def _in_causes(self, causes: Causes) -> Causes:
        """``causes`` with what the process saw whose value each rule goes by."""
        late_name, late = self._worst("judged_loop_delay_s")
        _, held = self._worst("judged_socket_wait_s")
        _, replied = self._worst("master_reply_p99_s")
        masters = [one for name, one in self.processes.items() if is_master(name)]
        return replace(
            causes,
            failed_calls=sum(one.failed_calls for one in self.processes.values()),
            outage_s=_most(one.outage_s for one in self.processes.values()) or 0.0,
            late_process=late_name,
            loop_delay_p50_s=(late and late.loop_delay_p50_s) or 0.0,
            loop_delay_max_s=(late and late.loop_delay_max_s) or 0.0,
            busiest=self._worst("judged_cpu_share")[0],
            socket_held_s=held.socket_held_s if held else None,
            replied_to_late_s=(replied and replied.judged_loop_delay_s) or 0.0,
            master_delay_s=_most(one.judged_loop_delay_s for one in masters) or 0.0,
        )

    def _worst(self, figure: str) -> tuple[str, ProcessFigures | None]:
        """The process with the greatest value of a figure, and its name; of none, empty."""
        values = {
            name: value
            for name, one in self.processes.items()
            if (value := getattr(one, figure)) is not None
        }
        if not values:
            return "", None
        name = max(values, key=lambda process: values[process])
        return name, self.processes[name]

    def after(self, earlier: Generator | None) -> Generator:
        """Figures of this session and those of ``earlier`` ones, whose names say so."""
        if earlier is None:
            return self
        older = {
            name if _OF_SESSION in name else f"{name}{_OF_SESSION}{earlier.session}": figures
            for name, figures in earlier.processes.items()
        }
        return replace(
            self,
            processes={**older, **self.processes},
            workers_lost=_sum(earlier.workers_lost, self.workers_lost),
            simulator_cpu_share=_most([earlier.simulator_cpu_share, self.simulator_cpu_share]),
            unread_messages=_sum(earlier.unread_messages, self.unread_messages),
        )

    def as_json(self) -> dict[str, Any]:
        """As results and pages have it."""
        return {
            "processes": {name: asdict(figures) for name, figures in self.processes.items()},
            "workers_lost": self.workers_lost,
            "unread_messages": self.unread_messages,
            "simulator_cpu_share": self.simulator_cpu_share,
        }

    def as_text(self) -> str:
        """As the ledger keeps it."""
        return json.dumps(self.as_json() | {"session": self.session})

    @classmethod
    def stored(cls, text: str) -> Generator | None:
        """Decode a text of a run's facts; None of an empty one. Raises LedgerError."""
        with decoding():
            return cls.from_text(text) if text else None

    @classmethod
    def from_text(cls, text: str) -> Generator:
        """What ``as_text`` made."""
        found = json.loads(text)
        processes = {name: ProcessFigures(**each) for name, each in found["processes"].items()}
        session = found.get("session", 1)  # a ledger without it is of one session, mostly
        return cls(
            processes,
            found["workers_lost"],
            found["simulator_cpu_share"],
            found.get("unread_messages"),
            session,
        )


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
