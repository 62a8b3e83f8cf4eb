"""A run of real processes, and the faults of its plan striking it until it is at its end."""

from __future__ import annotations

import heapq
import itertools
import json
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.gate import Gate
from tests.faults.oracle import Judgement, Witness, about_results, judge
from tests.faults.plan import HTTP_FAULTS, Fault, Plan
from tests.helpers.real import ROOT, Locust, Simulator, simulator
from tests.helpers.servers import free_port

LOCUSTFILE = ROOT / "tests" / "locustfiles" / "by_ticket.py"
NAME = "run"
TURN_S = 0.05
#: A run that is not at its end by then hangs.
LIMIT_S = 300.0
#: After its end, its workers have so long to end, and everybody to fall silent.
#: A worker that joined in the last moments ends a minute later, when it misses its master.
LEAVE_S = 75.0
SILENCE_S = 1.5
#: What is left once these many sessions have ended by themselves will not be finished.
MOST_SESSIONS = 12
ENVIRONMENT: dict[str, Any] = {
    "UPDATE_INTERVAL": "0.4",
    "REQUEST_TIMEOUT": "4",
    "LOG_LEVEL": "DEBUG",
}
_LEFT = """SELECT count(*), sum(state = 'closed'), sum(outcome = 'unfinished'),
    sum(outcome = 'error' AND NOT (ambiguous AND ?)), sum(outcome = 'timeout') FROM tickets"""


#: Set to have all plays end their processes, and raise GivenUp.
give_up = threading.Event()


class GivenUp(Exception):
    """Whoever plays does not want to any longer."""


class Hangs(Exception):
    """A run, or one of its processes, did not come to its end."""


@dataclass
class Worker:
    """A worker's process and its line to the master; ``session`` of the master that it joined."""

    locust: Locust
    gate: Gate
    session: int
    away: int = 0  # it stands still, or is cut off, that many times over

    @property
    def is_alive(self) -> bool:
        """Whether its process is there."""
        return self.locust.process.poll() is None


@dataclass(frozen=True)
class Outcome:
    """What became of one seed."""

    judgement: Judgement
    struck: tuple[str, ...]  # the kinds of faults that found something to strike
    sessions: int
    wall_s: float


def play(plan: Plan, folder: Path) -> Outcome:
    """Have it all happen in ``folder``, and judge; raises Hangs and GivenUp."""
    began = time.monotonic()
    stages = ("--download-s=0.01", "--preprocess-s=0.01", "--postprocess-s=0", "--save-s=0.01")
    settings = (f"--seed={plan.seed}", f"--predict-s={plan.job_s}", "--jobs-per-gpu=500", *stages)
    with simulator(*settings, quick=False) as kiosk:
        run = _Play(plan, folder, kiosk)
        try:
            run.to_its_end()
            run.until_silence()
        finally:
            witness = Witness(kiosk.log()["predicts"], kiosk.polls)
            (folder / "witness.json").write_text(json.dumps(asdict(witness)))
            run.kill_all()
    judgement = judge(plan, run.ledger, witness)
    more = (*about_results(plan, run.ledger.parent), *run.said_amiss())
    judgement = _with(judgement, more)
    return Outcome(judgement, tuple(run.struck), run.sessions, time.monotonic() - began)


def _with(judgement: Judgement, complaints: tuple[str, ...]) -> Judgement:
    values = vars(judgement) | {"complaints": judgement.complaints + complaints}
    return Judgement(**values)


class _Play:
    """The processes of one run, and an agenda of what is to happen."""

    def __init__(self, plan: Plan, folder: Path, kiosk: Simulator) -> None:
        self.sessions = 0
        self.struck: list[str] = []
        self._plan, self._folder, self._kiosk = plan, folder, kiosk
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._began = time.monotonic()
        self._master: Locust | None = None
        self._masters_away = 0
        self._workers: list[Worker] = []
        self._port = free_port()
        self._rules: list[tuple[str, ...]] = []
        self._returns: list[bool] = []  # masters that are to come back, at the old address or not
        self._joining = 0
        self._has_begun = False  # the server has received something

    @property
    def ledger(self) -> Path:
        """The run's."""
        return self._folder / "master" / "results" / f"{NAME}.db"

    # -- the run

    def to_its_end(self) -> None:
        """Start it, let the faults strike, and go on with it until nothing is left to do."""
        self._begin_session(same_address=True)
        self._plan_faults(early=True)
        while True:
            if not self._has_begun and self._kiosk.submissions:
                self._has_begun = True
                self._plan_faults(early=False)
            self._do_what_is_due()
            if not self._master_is_alive and not self._returns:
                if self._is_over():
                    return
                self._come_back(1.0, same_address=False)
            if (
                self._master_is_alive
                and not self._joining
                and not any(
                    worker.is_alive and worker.session == self.sessions for worker in self._workers
                )
            ):
                self._join_later(1.0)
            if give_up.is_set():
                raise GivenUp("before the run was at its end")
            if time.monotonic() - self._began > LIMIT_S:
                raise Hangs(f"the run is not at its end after {LIMIT_S:g} s")
            time.sleep(TURN_S)

    def _plan_faults(self, *, early: bool) -> None:
        for fault in self._plan.faults:
            if fault.early is early:
                self._later(fault.at_s, partial(self._strike, fault))

    def until_silence(self) -> None:
        """Wait until the workers of the last session have ended, and nobody asks the server."""
        self._kiosk.set_faults()
        until = time.monotonic() + LEAVE_S
        leaving = [w for w in self._workers if self._is_to_leave(w)]
        for worker in self._workers:
            self._go_on(worker)
        asked, since = -1, time.monotonic()
        while any(w.is_alive for w in leaving) or time.monotonic() - since < SILENCE_S:
            total = self._kiosk.requests.total()
            if total != asked:
                asked, since = total, time.monotonic()
            if time.monotonic() > until:
                left = [str(w.locust.folder.name) for w in leaving if w.is_alive]
                raise Hangs(f"{LEAVE_S:g} s after the end, {left or 'polls'} go on")
            time.sleep(4 * TURN_S)

    def kill_all(self) -> None:
        """End every process, and write down what was planned."""
        processes = [w.locust.process for w in self._workers]
        if self._master:
            processes.append(self._master.process)
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for worker in self._workers:
            worker.gate.close()

    def said_amiss(self) -> list[str]:
        """What processes said that no run should say, but for Ctrl-C while they were loaded."""
        said = {file: file.read_text(errors="replace") for file in self._folder.glob("*/*.txt")}
        return [
            f"{file.parent.name}/{file.name} has a traceback"
            for file, text in said.items()
            if "Traceback" in text and "\nKeyboardInterrupt" not in text
        ]

    def _is_to_leave(self, worker: Worker) -> bool:
        """Whether it must end with the run: not who was away, or came too late to know of it."""
        said = worker.locust.output
        knows = "this worker takes part" in said or "Got quit message" in said
        return worker.session == self.sessions and not worker.away and knows

    def _is_over(self) -> bool:
        """Whether the ledger (a copy: nothing here may mend it) has all tickets closed."""
        with tempfile.TemporaryDirectory() as folder:
            for file in self.ledger.parent.glob(f"{NAME}.db*"):
                shutil.copy(file, folder)
            path = Path(folder) / self.ledger.name
            if not path.exists():
                return False
            with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as db:
                closes = self._plan.on_ambiguous == "close"
                rows, closed, *left = db.execute(_LEFT, (closes,)).fetchone()
                return bool(rows == closed == self._plan.tickets and not any(left))
        return False

    # -- processes

    @property
    def _master_is_alive(self) -> bool:
        return self._master is not None and self._master.process.poll() is None

    def _begin_session(self, *, same_address: bool) -> None:
        if self.sessions >= MOST_SESSIONS:
            raise Hangs(f"{MOST_SESSIONS} sessions did not finish the run")
        if not same_address:
            self._port = free_port()
        self.sessions += 1
        plan = self._plan
        started = self.ledger.exists() and self.ledger.stat().st_size > 0
        arguments = ["--resume", "latest"] if started else ["--run-name", NAME]
        if plan.by_name or (self.ledger.exists() and not started):
            arguments = ["--resume-or-start", NAME]
        workload = "closed" if plan.closed else "open"
        folder = self._folder / "master"
        folder.mkdir(exist_ok=True)
        self._master = Locust(
            folder,
            *("--master", "--master-bind-port", str(self._port), "--master-bind-host", "127.0.0.1"),
            *("--expect-workers", str(plan.workers), "--expect-workers-max-wait", "6"),
            *("--count", str(plan.jobs), "--num-cycles", str(plan.cycles), "-u", str(plan.users)),
            *("--workload", workload, "-r", str(plan.rate), "-s", str(plan.stop_timeout_s)),
            *("--on-ambiguous", plan.on_ambiguous, "--only-summary", *arguments),
            host=self._kiosk.url,
            locustfile=LOCUSTFILE,
            log=f"session{self.sessions}.txt",
            **ENVIRONMENT,
        )
        for _ in range(plan.workers):
            self._join()

    def _join(self) -> None:
        gate = Gate(self._port)
        folder = self._folder / f"worker{len(self._workers)}"
        folder.mkdir()
        arguments = ("--worker", "--master-port", str(gate.port))
        locust = Locust(folder, *arguments, headless=False, locustfile=LOCUSTFILE, **ENVIRONMENT)
        self._workers.append(Worker(locust, gate, self.sessions))

    def _join_later(self, after_s: float) -> None:
        def join() -> None:
            self._joining -= 1
            if self._master_is_alive:
                self._join()

        self._joining += 1
        self._later(after_s, join)

    def _come_back(self, after_s: float, *, same_address: bool) -> None:
        def begin() -> None:
            self._returns.pop()
            if not self._is_over():
                self._begin_session(same_address=same_address)

        self._returns.append(same_address)
        self._later(after_s, begin)

    # -- the agenda

    def _later(self, after_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (time.monotonic() + after_s, next(self._order), action))

    def _do_what_is_due(self) -> None:
        while self._agenda and self._agenda[0][0] <= time.monotonic():
            heapq.heappop(self._agenda)[2]()

    # -- faults

    def _strike(self, fault: Fault) -> None:
        """Have a fault happen, if there is somebody whom it can happen to."""
        if fault.kind in HTTP_FAULTS:
            has_struck = self._break_http(fault)
        elif fault.kind.startswith(("worker", "all workers")):
            has_struck = self._strike_workers(fault)
        else:
            has_struck = self._strike_master(fault)
        if has_struck:
            self.struck.append(fault.kind)

    def _break_http(self, fault: Fault) -> bool:
        def set_rules() -> None:
            self._kiosk.set_faults(*itertools.chain(*self._rules))

        def mend() -> None:
            self._rules.remove(HTTP_FAULTS[fault.kind])
            set_rules()

        self._rules.append(HTTP_FAULTS[fault.kind])
        set_rules()
        self._later(fault.lasts_s, mend)
        return True

    def _strike_workers(self, fault: Fault) -> bool:
        if fault.kind == "worker joins":
            if self._master_is_alive:
                self._join()
            return self._master_is_alive
        alive = [worker for worker in self._workers if worker.is_alive]
        if not alive:
            return False
        victim = alive[int(fault.pick * len(alive))]
        if fault.kind == "worker ended by SIGTERM":
            victim.locust.signal(signal.SIGTERM)
        elif fault.kind == "worker gets Ctrl-C":
            victim.locust.signal(signal.SIGINT)
        elif fault.kind == "worker stands still":
            victim.locust.signal(signal.SIGSTOP)
            self._away(victim, fault.lasts_s)
        elif fault.kind == "worker cut off":
            victim.gate.cut()
            self._away(victim, fault.lasts_s)
        else:
            victims = alive if fault.kind == "all workers killed" else [victim]
            for worker in victims:
                worker.locust.signal(signal.SIGKILL)
            if fault.comes_back:
                self._join_later(fault.lasts_s)
        return True

    def _away(self, worker: Worker, for_s: float) -> None:
        worker.away += 1

        def back() -> None:
            worker.away -= 1
            if not worker.away:
                self._go_on(worker)

        self._later(for_s, back)

    def _go_on(self, worker: Worker) -> None:
        worker.gate.mend()
        if worker.is_alive:
            worker.locust.signal(signal.SIGCONT)

    def _strike_master(self, fault: Fault) -> bool:
        if self._master is None or not self._master_is_alive:
            return False
        master = self._master
        if fault.kind == "master stands still":
            master.signal(signal.SIGSTOP)
            self._later(fault.lasts_s, partial(self._continue, master))
            return True
        numbers = {"killed": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}
        number = numbers[fault.kind.rsplit(" ", 1)[1]]
        if fault.kind.startswith("everything"):
            for worker in self._workers:
                if worker.is_alive:
                    worker.locust.signal(number)
        master.signal(number)
        if number == signal.SIGKILL:
            master.process.wait()
            self._come_back(fault.lasts_s, same_address=fault.comes_back)
        return True

    def _continue(self, master: Locust) -> None:
        if master.process.poll() is None:
            master.signal(signal.SIGCONT)
