"""One outage each, with real processes, for as many seconds as are wanted; what came of it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

from tests.faults.oracle import Judgement, Witness, judge
from tests.faults.plan import Plan
from tests.helpers.proxies import Proxy
from tests.helpers.real import ROOT, Finished, Locust, Simulator, simulator, wait_until
from tests.outages.network import network

TROUBLED = ROOT / "tests" / "locustfiles" / "troubled.py"
#: Jobs begin at this rate (1/s) from before the outage until after it.
RATE = 10
BEFORE_S, AFTER_S = 1.0, 1.5
LIMIT_S = 600.0


@dataclass(frozen=True)
class Seen:
    """A run that an outage struck, told by the server's log and the files."""

    codes: tuple[int, ...]  # of its sessions
    outcomes: Counter[str]
    judgement: Judgement
    output: str
    ledger: Path

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of its ledger."""
        with closing(sqlite3.connect(self.ledger)) as db:
            return db.execute(query).fetchall()


def jobs_for(seconds: float) -> int:
    """How many jobs a run has that goes on before, during and after an outage."""
    return int(RATE * (BEFORE_S + seconds + AFTER_S))


def options(jobs: int, *more: str) -> tuple[str, ...]:
    """What Locust is asked for."""
    return ("-u", str(jobs), "-r", str(RATE), "--run-name", "struck", *more)


def look(kiosk: Simulator, jobs: int, *sessions: Finished) -> Seen:
    """Compare what the server saw with what the ledger has."""
    last = sessions[-1]
    (ledger,) = last.folder.glob("results/*.db")
    witness = Witness(kiosk.log()["predicts"], kiosk.polls)
    plan = cast(Plan, SimpleNamespace(cycles=1, jobs=jobs, on_ambiguous="resubmit"))
    output = "\n".join(session.output for session in sessions)
    codes = tuple(session.code for session in sessions)
    with closing(sqlite3.connect(ledger)) as db:
        rows = db.execute("SELECT outcome, count(*) FROM tickets GROUP BY outcome").fetchall()
    return Seen(codes, Counter(dict(rows)), judge(plan, ledger, witness), output, ledger)


def submitted(kiosk: Simulator, jobs: int) -> None:
    """Wait until the Kiosk has made so many."""
    wait_until(lambda: len(kiosk.submissions) >= jobs, 60, what=f"{jobs} submissions")


def first(kiosk: Simulator) -> None:
    """Wait for those that come before the outage."""
    submitted(kiosk, int(RATE * BEFORE_S))


@contextmanager
def _behind_a_door() -> Iterator[tuple[Simulator, Proxy]]:
    """A Kiosk behind what can refuse and break connections."""
    with simulator("--predict-s=0.5") as kiosk, Proxy(urlsplit(kiosk.url).port or 0) as door:
        yield kiosk, door


def frontend_away(folder: Path, seconds: float = 2.0) -> Seen:
    """Nobody listens at the frontend's address, and open connections are gone."""
    jobs = jobs_for(seconds)
    with _behind_a_door() as (kiosk, door):
        locust = _locust(folder, jobs, host=f"http://127.0.0.1:{door.port}")
        first(kiosk)
        door.refuse()
        door.drop()
        time.sleep(seconds)
        door.accept()
        return look(kiosk, jobs, locust.finish(LIMIT_S))


def dns_down(folder: Path, seconds: float = 2.0) -> Seen:
    """The frontend's name is not found, and open connections are gone."""
    jobs = jobs_for(seconds)
    with _behind_a_door() as (kiosk, door):
        locust = _locust(folder, jobs, host=f"http://kiosk.test:{door.port}")
        first(kiosk)
        (folder / "dns-down").touch()
        door.drop()
        time.sleep(seconds)
        (folder / "dns-down").unlink()
        return look(kiosk, jobs, locust.finish(LIMIT_S))


def clock_back(folder: Path, seconds: float = 1.0) -> Seen:
    """The wall clock is put back by an hour in mid-run, and stays there."""
    jobs = jobs_for(seconds)
    with simulator("--predict-s=0.5") as kiosk:
        locust = _locust(folder, jobs, host=kiosk.url)
        first(kiosk)
        (folder / "clock-back").touch()
        return look(kiosk, jobs, locust.finish(LIMIT_S))


def redis_emptied(folder: Path, seconds: float = 3.0) -> Seen:
    """All hashes vanish, halfway through the time."""
    jobs = jobs_for(seconds)
    with simulator("--predict-s=0.5") as kiosk:
        locust = _locust(folder, jobs, host=kiosk.url)
        submitted(kiosk, jobs // 2)
        kiosk.flush()
        return look(kiosk, jobs, locust.finish(LIMIT_S))


def _locust(folder: Path, jobs: int, **settings: Any) -> Locust:
    return Locust(folder, *options(jobs), locustfile=TROUBLED, **settings)


def network_cut(folder: Path, seconds: float = 2.0, *, workers: int = 1, cut: int = 1) -> Seen:
    """Nothing passes between the master and ``cut`` of its workers; the Kiosk is there for all.

    A run that ends for want of workers is resumed. Raises `network.NotPermitted`.
    """
    jobs = jobs_for(seconds)
    with network() as net, simulator("--predict-s=0.5", "--host", "0.0.0.0") as kiosk:
        url = f"http://{net.kiosk}:{urlsplit(kiosk.url).port}"
        inside = Simulator(f"http://127.0.0.1:{urlsplit(kiosk.url).port}")
        port = str(5700 + os.getpid() % 20000)
        session = _Session(folder, jobs, url, net.master, port)
        session.begin([net.prefix if n < cut else () for n in range(workers)])
        try:
            first(inside)
            net.cut()
            time.sleep(seconds)
            net.mend()
            sessions = [session.master.finish(LIMIT_S)]
            if sessions[0].outcomes["unfinished"]:
                session.resume()
                session.begin([net.prefix] * workers)
                sessions.append(session.master.finish(LIMIT_S))
            return look(inside, jobs, *sessions)
        finally:
            session.kill()


class _Session:
    """A master and its workers, over a network."""

    def __init__(self, folder: Path, jobs: int, url: str, address: str, port: str) -> None:
        self._folder, self._url = folder, url
        self._address, self._port = address, port
        self._options = options(jobs)
        self._all: list[Locust] = []
        self.master: Locust

    def resume(self) -> None:
        """Go on with the same run the next time."""
        self._options = ("--resume", "struck", "-u", self._options[1])

    def begin(self, prefixes: list[tuple[str, ...]]) -> None:
        """Start them; a worker for each prefix."""
        number = len(self._all)
        self.master = self._process(
            "master",
            *("--master", "--master-bind-host", "0.0.0.0", "--master-bind-port", self._port),
            *("--expect-workers", str(len(prefixes)), *self._options),
            host=self._url,
            log=f"output{number}.txt",
        )
        for worker, prefix in enumerate(prefixes):
            own = f"worker{number}-{worker}"
            address = self._address if prefix else "127.0.0.1"
            line = ("--worker", "--master-host", address, "--master-port", self._port)
            self._process(own, *line, headless=False, prefix=prefix)

    def _process(self, name: str, *arguments: str, **settings: Any) -> Locust:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        started = Locust(folder, *arguments, locustfile=TROUBLED, **settings)
        self._all.append(started)
        return started

    def kill(self) -> None:
        """End what is left."""
        for locust in self._all:
            if locust.process.poll() is None:
                locust.process.kill()
            locust.process.wait()


Play = Callable[[Path], Seen]
