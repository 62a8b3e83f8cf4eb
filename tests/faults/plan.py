"""What befalls a run, drawn from a seed: the same seed plans the same faults at the same times."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

#: What befalls processes, and how likely each is to be drawn.
PROCESS_FAULTS: Mapping[str, int] = {
    "worker killed": 5,
    "worker stands still": 5,
    "worker cut off": 4,
    "worker ended by SIGTERM": 2,
    "worker gets Ctrl-C": 1,
    "worker joins": 2,
    "all workers killed": 1,
    "master killed": 4,
    "master stands still": 2,
    "master ended by SIGTERM": 2,
    "master ended by Ctrl-C": 1,
    "everything killed": 2,
    "everything gets Ctrl-C": 1,
}
#: What befalls HTTP: rules of the simulator, in force for a while.
HTTP_FAULTS: Mapping[str, tuple[str, ...]] = {
    "answers lost": ("POST /api/predict drop when=after rate=0.3",),
    "500 after the job was made": ("POST /api/predict status=500 when=after rate=0.3",),
    "503, ask again": ("POST /api/predict status=503 retry-after=1 rate=0.7",),
    "connections reset": ("* /api/* drop rate=0.15",),
    "no answer": ("* /api/* hang rate=0.1",),
    "slow answers": ("* /api/* latency=0.7 rate=0.5",),
    "polls fail": ("POST /api/redis status=502 rate=0.6",),
}
KINDS = (*PROCESS_FAULTS, *HTTP_FAULTS)


@dataclass(frozen=True)
class Fault:
    """One fault; ``pick`` (0 to 1) chooses its victim among those that are there by then.

    After ``lasts_s`` it is undone: who stands still goes on, who is dead is replaced. A killed
    worker is replaced only if ``comes_back``; a master always is, then at its old address.
    """

    kind: str
    early: bool  # it strikes while processes start
    at_s: float  # after the run's first submission, or, if early, after the start of its processes
    lasts_s: float
    pick: float
    comes_back: bool


@dataclass(frozen=True)
class Plan:
    """One run, and what befalls it."""

    seed: int
    workers: int
    jobs: int  # a cycle
    cycles: int
    users: int
    closed: bool  # the workload
    rate: float  # jobs a second, where it is open
    job_s: float  # median of a job's duration
    on_ambiguous: str
    stop_timeout_s: int
    by_name: bool  # go on by --resume-or-start instead of --resume latest
    faults: tuple[Fault, ...]

    @property
    def tickets(self) -> int:
        """All of the run."""
        return self.jobs * self.cycles


def plan(seed: int) -> Plan:
    """The plan of a seed."""
    rng = random.Random(seed)
    workers = rng.choice((2, 2, 3, 3, 4))
    jobs = rng.randint(40, 80)
    cycles = rng.choice((1, 1, 1, 2))
    closed = rng.random() < 0.25
    job_s = rng.uniform(1.0, 3.0)
    submitting_s = rng.uniform(4.0, 8.0)  # of the whole run, without faults
    life_s = submitting_s + cycles * job_s
    users = round(jobs * cycles * job_s / (submitting_s + job_s)) if closed else jobs
    return Plan(
        seed,
        workers,
        jobs,
        cycles,
        max(4, users),
        closed,
        round(jobs * cycles / submitting_s, 2),
        round(job_s, 2),
        rng.choice(("resubmit", "resubmit", "resubmit", "close")),
        rng.choice((0, 1, 5)),
        by_name=rng.random() < 0.4,
        faults=tuple(sorted(_faults(rng, life_s), key=lambda fault: fault.at_s)),
    )


def _faults(rng: random.Random, life_s: float) -> list[Fault]:
    kinds = rng.choices(
        list(PROCESS_FAULTS), list(PROCESS_FAULTS.values()), k=rng.choice((1, 2, 2, 3, 3, 4))
    ) + rng.choices(list(HTTP_FAULTS), k=rng.choice((0, 0, 1, 1, 2)))
    return [_fault(rng, kind, life_s) for kind in kinds]


def _fault(rng: random.Random, kind: str, life_s: float) -> Fault:
    early = rng.random() < 0.12
    return Fault(
        kind,
        early,
        round(rng.uniform(0.3, 2.5) if early else rng.uniform(0.0, life_s), 2),
        round(_lasts_s(rng, kind), 2),
        rng.random(),
        rng.random() < 0.5,
    )


def _lasts_s(rng: random.Random, kind: str) -> float:
    """A lease is 10 s: whoever is away for a while comes back before its end, or about then."""
    if kind.endswith(("still", "cut off")):
        return rng.uniform(0.3, 5.0) if rng.random() < 0.4 else rng.uniform(8.0, 15.0)
    return rng.uniform(0.0, 4.0)
