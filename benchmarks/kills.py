"""Doubtful tickets after a kill: by the account of what was sent, and by time alone.

A run at a steady rate against a simulated Kiosk is killed (SIGKILL, all its processes) at random
moments and resumed each time. After each death the older rule is tried on a copy of the ledger
without the account; the run itself goes on by the account. In the end the server's log tells
which tickets were really sent twice. From the root of the repository:

    python -m benchmarks.kills                       # 50 kills at 40 jobs/s: a quarter of an hour
    python -m benchmarks.kills --workers 2           # a master and two workers, all killed
    python -m benchmarks.kills --one-worker          # one worker is killed, its master lives
    python -m benchmarks.kills --cost                # what the account costs a job, in microseconds
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kiosk_locust.ledger import send_account
from kiosk_locust.ledger.resume_state import take_up
from kiosk_locust.model.record import Attempt, AttemptResult
from tests.helpers.real import Locust, Simulator, simulator, wait_until
from tests.helpers.scenarios import make_options, make_record
from tests.helpers.servers import free_port
from tests.runs.test_distributed import BY_NUMBER, Cluster, submissions

#: What was on its way has reached the server by then.
SETTLE_S = 0.5
#: What is in doubt is overdue, so it is sent first.
LAST_S = 5.0
#: A worker is lost after a lease, and then what it held is sent by others.
LOST_S = 13.0
QUICK_JOBS = "--predict-s=0.1"
HEADS = (
    *("rule", "kills", "tickets", "ambiguous", "a kill", "most", "of these had been sent"),
    "doubled in silence",
)


@dataclass
class Count:
    """Tickets that one rule marked, death by death."""

    rule: str
    marked: list[int] = field(default_factory=list)
    sent: int = 0  # of these, before the death
    silent: int = 0  # sent twice, or about to be, and not marked

    def row(self, tickets: int) -> str:
        """Of the table."""
        total, kills = sum(self.marked), len(self.marked)
        mean = total / kills if kills else 0.0
        cells = (self.rule, kills, f"{tickets:,}", total, f"{mean:.2f}", max(self.marked or [0]))
        return "| " + " | ".join(map(str, (*cells, self.sent, self.silent))) + " |"


def numbers(kiosk: Simulator) -> list[int]:
    """The tickets that the server has jobs of, once a job."""
    return [number for number, _ in submissions(kiosk)]


def in_doubt(path: Path) -> set[int]:
    """The tickets that a ledger calls ambiguous."""
    with closing(sqlite3.connect(path.absolute().as_uri() + "?mode=ro", uri=True)) as db:
        return {n for (n,) in db.execute("SELECT number FROM tickets WHERE ambiguous")}


def by_time(ledger: Path, tickets: int, rate: float) -> tuple[set[int], set[int]]:
    """The tickets that a resume of a copy without account marks, and those that it would send."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / ledger.name
        for suffix in ("", "-wal"):
            with_suffix = ledger.with_name(ledger.name + suffix)
            if with_suffix.exists():
                shutil.copy(with_suffix, copy.with_name(copy.name + suffix))
        before = in_doubt(copy)
        options = make_options(count=tickets, users=tickets, start_delay_s=1 / rate)
        with closing(sqlite3.connect(copy, isolation_level=None)) as db:
            db.execute("BEGIN")
            remains = take_up(db, copy, options, now=time.time())
            db.execute("COMMIT")
        to_send = {ticket.number for ticket in remains.tickets(1, time.time())}
        return in_doubt(copy) - before, to_send


def plan_of(options: argparse.Namespace) -> tuple[str, ...]:
    """The arguments of a new run."""
    count = ("--count", str(options.tickets), "--workload", "open")
    return (*count, "-u", str(options.users), "-r", str(options.rate))


class Killed:
    """One run that is killed again and again."""

    def __init__(self, kiosk: Simulator, folder: Path, options: argparse.Namespace) -> None:
        self._kiosk = kiosk
        self._folder = folder
        self._options = options
        self._rng = random.Random(options.seed)
        self._running: Locust | None = None
        self.time = Count("the last sign of life alone")
        self.account = Count("the account of what was sent")

    @property
    def ledger(self) -> Path:
        """Its only one."""
        (path,) = self._folder.glob("results/*.db")
        return path

    def play(self) -> None:
        """All kills, and a last resume for as long as what is in doubt takes to be sent."""
        options = self._options
        doubted: set[int] = set()
        for number in range(options.kills):
            began_at = time.time()
            run = self._start(*(("--resume", "latest") if number else plan_of(options)))
            wait_until(lambda: self._has_submitted(began_at), 60, "a submission")  # noqa: B023  called at once
            if number:
                doubted = self._count(doubted)
            time.sleep(self._rng.uniform(0.3, 1.5))
            self._kill(run)
            received = set(numbers(self._kiosk))
            marked, to_send = by_time(self.ledger, options.tickets, options.rate)
            self.time.marked.append(len(marked))
            self.time.sent += len(marked & received)
            self.time.silent += len((to_send & received) - marked - doubted)
            sofar = f"{sum(self.time.marked)} by time, {sum(self.account.marked)} by account"
            print(f"kill {number + 1}: {sofar}", file=sys.stderr, flush=True)
        began_at = time.time()
        run = self._start("--resume", "latest", "-s", "0")
        wait_until(lambda: self._has_submitted(began_at), 60, "a submission")
        self._count(doubted)
        time.sleep(LAST_S)
        run.signal(signal.SIGINT)
        run.finish()
        twice = {n for n, count in Counter(numbers(self._kiosk)).items() if count > 1}
        ambiguous = in_doubt(self.ledger)
        self.account.sent, self.account.silent = len(twice & ambiguous), len(twice - ambiguous)

    def _has_submitted(self, since: float) -> bool:
        """True once the ledger has a job that was submitted since that moment (epoch seconds)."""
        paths = list(self._folder.glob("results/*.db"))
        if not paths:
            return False
        uri = paths[0].absolute().as_uri() + "?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as db, suppress(sqlite3.Error):
            sql = "SELECT 1 FROM tickets WHERE submitted_at > ? LIMIT 1"
            return db.execute(sql, (since,)).fetchone() is not None
        return False

    def _count(self, doubted: set[int]) -> set[int]:
        ambiguous = in_doubt(self.ledger)
        self.account.marked.append(len(ambiguous - doubted))
        return ambiguous

    def _start(self, *arguments: str) -> Locust:
        workers = self._options.workers
        if workers:
            port = str(free_port())
            arguments += ("--processes", str(workers), "--master-port", port)
            arguments += ("--master-bind-port", port)
        run = self._running = Locust(
            self._folder,
            *arguments,
            host=self._kiosk.url,
            locustfile=BY_NUMBER,
            start_new_session=True,
        )
        return run

    def end(self) -> None:
        """Let nothing run on that was started here."""
        if self._running is not None and self._running.process.poll() is None:
            self._kill(self._running)

    def _kill(self, run: Locust) -> None:
        os.killpg(run.process.pid, signal.SIGKILL)
        run.process.wait()
        time.sleep(SETTLE_S)


def one_worker(kiosk: Simulator, folder: Path, options: argparse.Namespace) -> tuple[Count, Count]:
    """Kill one of two workers in turns with and without its account; its master lives."""
    counts = Count("the lease alone"), Count("the account of what was sent")
    marked: tuple[set[int], set[int]] = set(), set()
    run = Cluster(folder, kiosk, *plan_of(options), "-s", "0", started=2)
    rng = random.Random(options.seed)
    try:
        wait_until(lambda: len(kiosk.submissions) > 40, 60, "submissions")
        (ledger,) = folder.glob("master/results/*.db")
        for number in range(options.kills):
            time.sleep(rng.uniform(0.3, 1.5))
            victim = run.workers[-2]
            victim.process.kill()
            victim.process.wait()
            if number % 2 == 0:
                send_account.sweep(ledger)  # it holds no lock on its file any more
            run.join()
            time.sleep(LOST_S)
            new = in_doubt(ledger) - marked[0] - marked[1]
            marked[number % 2].update(new)
            counts[number % 2].marked.append(len(new))
            print(f"kill {number + 1}: {len(new)}", file=sys.stderr, flush=True)
        run.master.signal(signal.SIGINT)
        run.master.finish()
        twice = {n for n, count in Counter(numbers(kiosk)).items() if count > 1}
        for count, tickets in zip(counts, marked, strict=True):
            count.sent, count.silent = len(twice & tickets), len(twice - in_doubt(ledger))
    finally:
        run.kill()
    return counts


def cost(jobs: int = 200_000) -> None:
    """Print what processor time the account costs a job, by the median of seven rounds."""
    attempt = Attempt(1, 1.0, 2.0, 3.0, AttemptResult.ACCEPTED, 200, "", f"predict:{'a' * 60}:1")
    about = b"x" * 300
    for name, words in (("the ledger's process", b""), ("a worker", about)):
        rounds = []
        for _ in range(7):
            with kept() as account:
                records = [make_record(number) for number in range(1000)]
                began = time.process_time()
                for number in range(jobs):
                    record = records[number % 1000]
                    account.about_to_send(record, words)
                    account.ended(record, attempt)
                    account.told(record, 1, 0)
                rounds.append((time.process_time() - began) / jobs * 1e6)
        print(f"{name}: {statistics.median(rounds):.2f} µs a job ({jobs:,} jobs, 7 rounds)")


@contextmanager
def kept() -> Iterator[send_account.SendAccount]:
    """An account on the disk, of a ledger that has all at once."""
    with tempfile.TemporaryDirectory(dir=".") as name:
        account = send_account.keep(Path(name) / "run.db", lambda: 0, pool_size=64)
        if account is None:
            raise SystemExit("no account can be kept on this file system")
        yield account
        account.remove()


def answers(ledger: Path) -> str:
    """The time that answers to submissions took, in words."""
    with closing(sqlite3.connect(ledger.absolute().as_uri() + "?mode=ro", uri=True)) as db:
        sql = "SELECT received_at - sent_at FROM attempts WHERE result = 'accepted'"
        took = sorted(took for (took,) in db.execute(sql))
    p95 = took[int(0.95 * (len(took) - 1))]
    return f"answers took {statistics.median(took) * 1000:.1f} ms (median; p95 {p95 * 1000:.1f} ms)"


def main() -> None:
    """Play what was asked for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rate", type=float, default=40.0, help="jobs/s")
    parser.add_argument("--tickets", type=int, default=20_000, help="more than are sent by the end")
    parser.add_argument("--users", type=int, default=400)
    parser.add_argument("--workers", type=int, default=0, help="0: a single process")
    parser.add_argument("--one-worker", action="store_true", help="kill one, its master lives")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cost", action="store_true", help="only time the account")
    options = parser.parse_args()
    if options.cost:
        cost()
        return
    with simulator(QUICK_JOBS) as kiosk, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.one_worker:
            rows = one_worker(kiosk, folder, options)
            (ledger,) = folder.glob("master/results/*.db")
        else:
            killed = Killed(kiosk, folder, options)
            try:
                killed.play()
            finally:
                killed.end()
            rows, ledger = (killed.time, killed.account), killed.ledger
        print("| " + " | ".join(HEADS) + " |\n|" + "---|" * len(HEADS))
        for row in rows:
            print(row.row(options.tickets))
        print(f"\n{answers(ledger)}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
