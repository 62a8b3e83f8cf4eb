"""A run whose process is killed and whose disk is deleted, and that goes on from its bucket.

What the server made is compared with the ledger by the oracle of the faults' tests, which has
nothing of the plugin's code.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.oracle import Judgement, Witness, judge
from tests.faults.plan import Plan
from tests.helpers.real import ROOT, Finished, Locust, Simulator, wait_until
from tests.helpers.servers import processes

LOCUSTFILE = ROOT / "tests" / "locustfiles" / "by_ticket.py"
NAME = "paper"


@dataclass(frozen=True)
class Loss:
    """What is run, and when its disk is lost."""

    closed: bool = False  # the workload
    jobs: int = 60
    cycles: int = 1
    users: int = 60
    rate: float = 15.0  # jobs/s
    kill_after: tuple[int, ...] = (35,)  # submissions that the server has made in all
    on_ambiguous: str = "resubmit"
    every_s: float = 1.0
    back_after_s: float = 0.0
    workers: int = 0  # 0: a single process
    keeps_disk: bool = False  # only the processes are lost
    is_alive: bool = False  # nothing is lost: each process lives on while the next one starts

    @classmethod
    def of(cls, seed: int) -> Loss:
        """One that is drawn by a seed."""
        rng = random.Random(seed)
        jobs, cycles = rng.randint(40, 90), rng.choice((1, 1, 2))
        closed = rng.random() < 0.4
        kills = sorted(rng.sample(range(5, jobs * cycles - 3), rng.choice((1, 1, 2))))
        return cls(
            closed=closed,
            jobs=jobs,
            cycles=cycles,
            users=rng.randint(8, 16) if closed else jobs,
            rate=rng.uniform(10, 25),
            kill_after=tuple(kills),
            on_ambiguous=rng.choice(("resubmit", "resubmit", "close")),
            every_s=rng.choice((1.0, 1.5, 3.0)),
            back_after_s=rng.uniform(0, 4),
        )


@dataclass(frozen=True)
class Came:
    """What a run came to."""

    judgement: Judgement
    finished: Finished
    outputs: list[str] = field(default_factory=list)  # of each process


def play(
    kiosk: Simulator,
    folder: Path,
    loss: Loss,
    bucket: Mapping[str, Any],
    has_checkpoint: Callable[[], bool],
) -> Came:
    """Run it, kill it and delete its disk as often as that is wanted, and let it go on."""
    outputs, alive = [], []
    for number, submissions in enumerate(loss.kill_after):
        pod = folder / f"pod{0 if loss.keeps_disk else number}"
        run = _start(kiosk, pod, loss, bucket)
        wait_until(
            lambda: len(kiosk.submissions) >= submissions or run.process.poll() is not None,  # noqa: B023  it is called at once
            what=f"{submissions} submissions",
        )
        assert has_checkpoint()
        if loss.is_alive:
            alive.append(run)
            continue
        os.killpg(run.process.pid, signal.SIGKILL)  # master and workers
        run.process.wait()
        outputs.append(run.output)
        if not loss.keeps_disk:
            shutil.rmtree(pod)
        time.sleep(loss.back_after_s)
    pod = folder / ("pod0" if loss.keeps_disk else "last")
    finished = _start(kiosk, pod, loss, bucket).finish()
    outputs += [*(run.finish().output for run in alive), finished.output]
    witness = Witness(kiosk.log()["predicts"], kiosk.polls)
    return Came(judge(_plan(loss), pod / "results" / f"{NAME}.db", witness), finished, outputs)


def _start(kiosk: Simulator, pod: Path, loss: Loss, bucket: Mapping[str, Any]) -> Locust:
    pod.mkdir(exist_ok=True)
    several = processes(loss.workers) if loss.workers else ()
    return Locust(
        pod,
        *("--resume-or-start", NAME, "--checkpoint", f"{loss.every_s:g}"),
        *("--count", str(loss.jobs), "--num-cycles", str(loss.cycles), "-u", str(loss.users)),
        *("--workload", "closed" if loss.closed else "open", "-r", str(loss.rate)),
        *("--on-ambiguous", loss.on_ambiguous, "-s", "20"),
        *several,
        host=kiosk.url,
        locustfile=LOCUSTFILE,
        start_new_session=True,
        **bucket,
    )


def _plan(loss: Loss) -> Plan:
    """The same for the oracle."""
    return Plan(
        seed=0,
        workers=loss.workers,
        jobs=loss.jobs,
        cycles=loss.cycles,
        users=loss.users,
        closed=loss.closed,
        rate=loss.rate,
        job_s=1.0,
        on_ambiguous=loss.on_ambiguous,
        stop_timeout_s=20,
        by_name=True,
        faults=(),
    )
