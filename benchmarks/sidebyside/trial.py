"""One run of this plugin at a wanted rate, told by the simulated Kiosk's own log."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import requests

from sidebyside.clients import Ours, Start, Work, last_words, running
from sidebyside.ports import free_port
from sidebyside.servers import Server, simulated_kiosk
from sidebyside.usage import Usage, usage_of
from sidebyside.window import LOOK_S, START_LIMIT_S, Sample, busy_sides

JOB_S = 1.0
HOLDS_P99_MS = 100.0
HOLDS_ERROR_PERCENT = 2.0
SETTLE_S = 0.5  # until what was sent stands in the ledger, too
EXTRA_S = 30.0  # after the last job was due, until it is given up


@dataclass(frozen=True)
class Trial:
    """What came of a wanted rate; shares are of a core, over the time in which jobs were due."""

    rate: float
    workers: int
    jobs: int
    jobs_s: float  # as submitted
    rate_error_percent: float
    lag_p50_ms: float
    lag_p99_ms: float
    lag_max_ms: float
    client_share: float
    server_share: float
    limit: str

    @property
    def holds(self) -> bool:
        """Whether the rate was kept."""
        is_near = abs(self.rate_error_percent) <= HOLDS_ERROR_PERCENT
        return is_near and self.lag_p99_ms <= HOLDS_P99_MS


def try_rate(rate: float, jobs: int, poll_s: float, workers: int) -> Trial:
    """Run ``jobs`` at ``rate`` a second, in one process or by a master with workers."""
    users = int(rate * (JOB_S + poll_s + 1)) + 10
    with simulated_kiosk(JOB_S) as server, tempfile.TemporaryDirectory() as name, ExitStack() as at:
        start = Ours().start(Work(jobs, min(users, jobs), poll_s, rate), server.url)
        processes = _processes(start, workers, Path(name), at)
        samples = _watch(server, processes, jobs, jobs / rate, Path(name))
        time.sleep(SETTLE_S)
        log = requests.get(f"{server.url}/simulator/log", timeout=120).json()
        due = due_times(Path(name))
    arrived = {each["hash"]: float(each["at"]) for each in log["predicts"] if each["hash"]}
    return make_trial((rate, workers), arrived, due, samples)


def make_trial(
    asked: tuple[float, int],
    arrived: dict[str, float],
    due: dict[str, float],
    samples: tuple[Sample, Sample],
) -> Trial:
    """From when each job arrived and was due (epoch s, by hash), and two samples."""
    (rate, workers), (before, after) = asked, samples
    lags = sorted((at - due[key]) * 1000 for key, at in arrived.items() if key in due)
    times = sorted(arrived.values())
    achieved = (len(times) - 1) / (times[-1] - times[0])
    wall_s = after.at - before.at
    return Trial(
        rate,
        workers,
        len(arrived),
        achieved,
        (achieved / rate - 1) * 100,
        nearest_rank(lags, 50),
        nearest_rank(lags, 99),
        lags[-1],
        (after.client.cpu_s - before.client.cpu_s) / wall_s,
        (after.server.cpu_s - before.server.cpu_s) / wall_s,
        busy_sides(before, after),
    )


def nearest_rank(ordered: list[float], percent: float) -> float:
    """The smallest value that is not less than ``percent`` of all values."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def due_times(folder: Path) -> dict[str, float]:
    """When each submitted job was due (epoch s), by the one ledger below ``folder``."""
    (ledger,) = folder.rglob("results/*.db")
    with closing(sqlite3.connect(ledger)) as opened:
        query = "SELECT job_id, due_at FROM tickets WHERE job_id IS NOT NULL"
        return dict(opened.execute(query).fetchall())


def _processes(
    start: Start, workers: int, folder: Path, stack: ExitStack
) -> list[subprocess.Popen[bytes]]:
    """One process, or a master and its workers, each in a folder of its own."""
    if not workers:
        return [stack.enter_context(running(start, folder))]
    port = str(free_port())
    master = [*start.command, "--master", "--master-bind-port", port]
    commands = [[*master, "--expect-workers", str(workers)]]
    head = start.command[: start.command.index("--headless")]  # what to run, without how
    commands += [[*head, "--worker", "--master-port", port]] * workers
    started = []
    for number, command in enumerate(commands):
        own = folder / f"process{number}"
        own.mkdir()
        started.append(stack.enter_context(running(Start(command, start.environment), own)))
    return started


def _watch(
    server: Server,
    processes: list[subprocess.Popen[bytes]],
    jobs: int,
    due_s: float,
    folder: Path,
) -> tuple[Sample, Sample]:
    """Samples when jobs begin and when the last is due; returns once all have ended."""

    def sample() -> Sample:
        each = tuple(usage_of([process.pid]) for process in processes)
        counts, used = server.counts(), usage_of(server.pids)
        return Sample(time.monotonic(), counts, sum(each, Usage()), used, each)

    def wait(what: str, limit_s: float, *, submitted: int = 0, expired: int = 0) -> bool:
        ends_at = time.monotonic() + limit_s
        while time.monotonic() < ends_at:
            counts = server.counts()
            if counts.submitted >= submitted and counts.expired >= expired:
                return True
            if processes[0].poll() is not None:
                (output,) = list(folder.rglob("output.txt"))[:1]
                raise SystemExit(f"Locust ended before {what}:\n{last_words(output.parent)}")
            time.sleep(LOOK_S)
        return False

    if not wait("its first job", START_LIMIT_S, submitted=1):
        raise SystemExit(f"no job was submitted in {START_LIMIT_S:g} s")
    before = sample()
    time.sleep(due_s)
    after = sample()
    wait("its last job", due_s + EXTRA_S, submitted=jobs, expired=jobs)
    return before, after
