"""What a client uses between two moments of its run, and how much work was done meanwhile."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sidebyside.clients import Client, Work, last_words, running
from sidebyside.servers import Counts, Server
from sidebyside.usage import Usage, usage_of

START_LIMIT_S = 60.0
LOOK_S = 0.05
BUSY = 0.9  # of a core: that side was the limit


@dataclass(frozen=True)
class Sample:
    """All counters at one moment."""

    at: float  # monotonic s
    counts: Counts
    client: Usage
    server: Usage
    processes: tuple[Usage, ...] = ()  # of the client, where it has several that are equal


@dataclass(frozen=True)
class Figures:
    """A client's run between two samples."""

    jobs: int
    jobs_s: float
    cpu_ms_a_job: float
    requests_a_job: float
    client_share: float  # of a core
    client_waited: float  # the same, ready to run but not running
    server_share: float
    server_waited: float
    peak_mib: float  # of the client, resident, since it began
    connections: int  # open at once at the most; 0: the server does not say
    limit: str  # which side had no more to give


def busy_sides(before: Sample, after: Sample) -> str:
    """Which side had a core's worth of work all the time, and whether it got the core."""
    wall_s, found = after.at - before.at, []
    pairs = [*zip(before.processes, after.processes, strict=True)] or [
        (before.client, after.client)
    ]
    client = max(pairs, key=lambda pair: _asked_for(*pair))  # one alone may hold up all
    for name, (first, last) in (("client", client), ("server", (before.server, after.server))):
        if last.cpu_s - first.cpu_s >= BUSY * wall_s:
            found.append(name)
        elif _asked_for(first, last) >= BUSY * wall_s:
            found.append(f"{name} (for want of a free core)")
    return " and ".join(found) or "neither"


def _asked_for(first: Usage, last: Usage) -> float:
    """Seconds of a core that were used or waited for."""
    return last.cpu_s - first.cpu_s + last.waited_s - first.waited_s


def figures(before: Sample, after: Sample) -> Figures:
    """What lies between two samples; raises ValueError where no job ended."""
    wall_s = after.at - before.at
    jobs = after.counts.expired - before.counts.expired
    if jobs <= 0:
        raise ValueError("no job has ended")
    cpu_s = after.client.cpu_s - before.client.cpu_s
    return Figures(
        jobs=jobs,
        jobs_s=jobs / wall_s,
        cpu_ms_a_job=cpu_s / jobs * 1000,
        requests_a_job=(after.counts.requests - before.counts.requests) / jobs,
        client_share=cpu_s / wall_s,
        client_waited=(after.client.waited_s - before.client.waited_s) / wall_s,
        server_share=(after.server.cpu_s - before.server.cpu_s) / wall_s,
        server_waited=(after.server.waited_s - before.server.waited_s) / wall_s,
        peak_mib=after.client.peak_mib,
        connections=after.counts.connections,
        limit=busy_sides(before, after),
    )


class Watch:
    """Takes samples of one client that runs against one server."""

    def __init__(self, server: Server, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._server = server
        self._process = process
        self._folder = folder

    def sample(self) -> Sample:
        """Everything as it is now."""
        return Sample(
            time.monotonic(),
            self._server.counts(),
            usage_of([self._process.pid]),
            usage_of(self._server.pids),
        )

    def until(self, what: str, reached: Callable[[Counts], bool], limit_s: float) -> None:
        """Wait for the server's counts to be so; raises SystemExit where that does not come."""
        ends_at = time.monotonic() + limit_s
        while not reached(self._server.counts()):
            if self._process.poll() is not None or time.monotonic() > ends_at:
                state = "ended" if self._process.poll() is not None else "took too long"
                raise SystemExit(f"the client {state} before {what}:\n{last_words(self._folder)}")
            time.sleep(LOOK_S)


def measure_between(
    client: Client, work: Work, server: Server, lead_s: float, window_s: float
) -> Figures:
    """Over ``window_s`` seconds that begin ``lead_s`` after the first job; then it is killed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(client.start(work, server.url), folder) as process:
            watch = Watch(server, process, folder)
            watch.until("its first job", lambda counts: counts.submitted > 0, START_LIMIT_S)
            time.sleep(lead_s)
            before = watch.sample()
            time.sleep(window_s)
            after = watch.sample()
            return _figures(before, after, process, folder)


def measure_share(
    client: Client, work: Work, server: Server, limit_s: float, share: float = 0.1
) -> Figures:
    """Over a run of ``work.jobs`` but the first and last ``share`` of them; then it is killed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(client.start(work, server.url), folder) as process:
            watch = Watch(server, process, folder)
            first, last = work.jobs * share, work.jobs * (1 - share)
            watch.until("its first jobs", lambda counts: counts.expired >= first, START_LIMIT_S)
            before = watch.sample()
            watch.until("its last jobs", lambda counts: counts.expired >= last, limit_s)
            return _figures(before, watch.sample(), process, folder)


def _figures(
    before: Sample, after: Sample, process: subprocess.Popen[bytes], folder: Path
) -> Figures:
    if process.poll() is not None:
        raise SystemExit(f"the client ended while it was measured:\n{last_words(folder)}")
    try:
        return figures(before, after)
    except ValueError as error:
        raise SystemExit(f"{error}:\n{last_words(folder)}") from None
