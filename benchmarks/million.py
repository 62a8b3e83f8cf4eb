"""A real run of a million jobs, as fast as it goes, against the simulated Kiosk.

    python benchmarks/million.py                     # about half an hour, 3 GB of disk
    python benchmarks/million.py --jobs 20000 --json docs/performance/million.jsonl

Told are jobs a second, the memory after 10,000 jobs and at the end, how long finishing takes, and
whether records and the simulator's own log name the very same jobs. Jobs take 0.1 s, and 400 are in
flight at once, polled every second: at most 750 jobs/s. With more (--users) the process is busy all
the time, and the run says by itself that its times cannot be trusted. Exit code 1 where something
does not agree.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the package, for what follows

from sidebyside.clients import Ours, Start, Work, last_words, running
from sidebyside.servers import Counts, Server, simulated_kiosk
from sidebyside.tables import append, machine
from sidebyside.usage import Usage, own_peak_mib, usage_of

JOB_S, POLL_S = 0.1, 1.0
EXPIRE_S = 60  # the simulator need not keep what is over
EARLY_JOBS = 10_000
LOOK_S = 0.5
SPOKEN_S = 30.0


@dataclass(frozen=True)
class Told:
    """What the run showed; memory is the peak of the process itself, resident."""

    jobs: int
    jobs_s: float  # from the first submission to the last end
    requests_a_job: float
    cpu_ms_a_job: float  # of the client, all in all
    server_cpu_ms_a_job: float
    early_mib: float  # after 10,000 jobs
    last_mib: float  # with the last job
    final_mib: float  # when all was finished
    finishing_s: float  # from the last job's end to that of the process
    exit_code: int


@dataclass
class Seen:
    """What was seen so far, by monotonic seconds."""

    first_at: float = 0.0
    last_at: float = 0.0
    ended: int = 0
    early_mib: float = 0.0
    last_mib: float = 0.0
    final_mib: float = 0.0
    usage: Usage = field(default_factory=Usage)

    def look(self, process: subprocess.Popen[bytes], counts: Counts) -> None:
        """Take note of where the run is."""
        now, mib = time.monotonic(), own_peak_mib(process.pid)
        if counts.submitted and not self.first_at:
            self.first_at = now
        if counts.expired > self.ended:
            self.ended, self.last_at, self.last_mib = counts.expired, now, mib
        if counts.expired >= EARLY_JOBS and not self.early_mib:
            self.early_mib = mib
        if mib:  # it has not ended
            self.final_mib, self.usage = mib, usage_of([process.pid])


def run(server: Server, start: Start, jobs: int, folder: Path) -> Told:
    """Let it run to its end."""
    seen, spoken_at = Seen(), time.monotonic()
    with running(start, folder) as process:
        while process.poll() is None:
            seen.look(process, server.counts())
            if time.monotonic() - spoken_at > SPOKEN_S:
                spoken_at += SPOKEN_S
                print(f"{seen.ended:,} jobs, {seen.final_mib:.0f} MiB", flush=True)
            time.sleep(LOOK_S)
        ended_at, code = time.monotonic(), process.returncode
    counts = server.counts()
    print(last_words(folder))
    if not seen.ended:
        raise SystemExit("no job has ended")
    return Told(
        jobs,
        seen.ended / (seen.last_at - seen.first_at),
        counts.requests / jobs,
        seen.usage.cpu_s / jobs * 1000,
        usage_of(server.pids).cpu_s / jobs * 1000,
        seen.early_mib,
        seen.last_mib,
        seen.final_mib,
        ended_at - seen.last_at,
        code,
    )


def disagreements(counts: Counts, made: list[str], recorded: list[str], jobs: int) -> list[str]:
    """Where the server's counts and hashes and the records' do not agree; empty: nowhere."""
    figures = {
        "submissions that the server answered": counts.submitted,
        "jobs that the server made": len(made),
        "different ones": len(set(made)),
        "expiries that the server answered": counts.expired,
        "records of jobs that are done": len(recorded),
        "different jobs in them": len(set(recorded)),
        "jobs both made and recorded": len(set(made) & set(recorded)),
    }
    return [f"{name}: {figure:,} of {jobs:,}" for name, figure in figures.items() if figure != jobs]


def main() -> None:
    """Print how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=400, help="jobs in flight (%(default)s)")
    parser.add_argument("--folder", type=Path, help="an empty one, to keep the run's files in")
    parser.add_argument("--json", type=Path, help="file to add a line of JSON to")
    asked = parser.parse_args()
    print(machine())
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
    place = nullcontext(str(asked.folder)) if asked.folder else tempfile.TemporaryDirectory()
    with place as name, simulated_kiosk(JOB_S) as server:
        start = Ours().start(Work(asked.jobs, asked.users, POLL_S), server.url)
        command = [*start.command, "--expire-time", str(EXPIRE_S)]
        told = run(server, Start(command, start.environment), asked.jobs, Path(name))
        made = requests.get(f"{server.url}/simulator/hashes", timeout=600).text.split()
        wrong = disagreements(server.counts(), made, recorded_in(Path(name)), asked.jobs)
    append(asked.json, "million", asdict(told) | {"disagreements": wrong})
    grown = told.last_mib - told.early_mib if told.early_mib else 0.0
    print(
        f"\n{told.jobs:,} jobs at {told.jobs_s:,.0f}/s, {told.requests_a_job:.2f} requests a job\n"
        f"CPU a job: {told.cpu_ms_a_job:.3f} ms, the simulator {told.server_cpu_ms_a_job:.3f} ms\n"
        f"peak memory: {told.early_mib:.0f} MiB after {EARLY_JOBS:,} jobs, {told.last_mib:.0f} MiB"
        f" with the last ({grown:+.0f} MiB), {told.final_mib:.0f} MiB when all was finished\n"
        f"finishing: {told.finishing_s:.1f} s; exit code {told.exit_code}"
    )
    print("\n".join(wrong) or "records and the simulator's log name the very same jobs, once each")
    sys.exit(1 if wrong else 0)


def recorded_in(folder: Path) -> list[str]:
    """The hash of each job that the one ledger below ``folder`` has as done."""
    (ledger,) = folder.glob("results/*.db")
    with closing(sqlite3.connect(ledger)) as opened:
        query = "SELECT job_id FROM tickets WHERE state = 'closed' AND outcome = 'done'"
        return [key for (key,) in opened.execute(query)]


if __name__ == "__main__":
    main()
