"""What a worker that is killed in mid-run costs: Locust alone, and with this plugin.

A master and two workers; one of them is killed (-9) once the server has made half of the jobs. The
server's own log says how many jobs there were, the master's records how many it knows of. Locust
alone ends by its run time; after about 60 s it gives the users of a dead worker to another. From
the root of the repository:

    python -m benchmarks.bare_locust           # 300 jobs at 30/s, 5 runs of each
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.oracle import ticket_of
from tests.faults.play import LOCUSTFILE
from tests.helpers.real import Locust, Simulator, simulator, wait_until
from tests.helpers.servers import free_port

BARE = Path(__file__).with_name("bare_locustfile.py")
JOB_S = 2.0


@dataclass(frozen=True)
class Count:
    """What one run came to, in jobs."""

    made: int  # by the server
    recorded: int  # at the master, different ones
    never_made: int  # of those wanted
    unrecorded: int  # made, and no record names it
    in_silence: int  # of these, whose ticket is not marked as perhaps made twice
    surplus: int  # made beyond those wanted
    marked: int  # records that are marked so


def run_bare(kiosk: Simulator, folder: Path, jobs: int, rate: float, run_time_s: int) -> Count:
    """Locust alone; it ends by its run time, since users know of no last job."""
    _run(kiosk, folder, BARE, jobs, rate, "-t", f"{run_time_s}s", "--host", kiosk.url)
    records = json.loads((folder / "master" / "records.json").read_text())
    made = {submission["hash"] for submission in kiosk.submissions}
    known = {record["hash"] for record in records}
    hidden, more = len(made - known), len(made) - jobs
    return Count(len(made), len(known), max(0, -more), hidden, hidden, max(0, more), 0)


def run_ours(kiosk: Simulator, folder: Path, jobs: int, rate: float) -> Count:
    """The same with the plugin; it ends by itself."""
    _run(kiosk, folder, LOCUSTFILE, jobs, rate)
    (ledger,) = (folder / "master").glob("results/*.db")
    with closing(sqlite3.connect(ledger)) as db:
        rows = db.execute(
            "SELECT number, job_id, ambiguous FROM tickets WHERE state = 'closed'"
        ).fetchall()
    made = {s["hash"]: ticket_of(s["body"]["imageName"])[1] for s in kiosk.submissions}
    known = {job_id for _, job_id, _ in rows if job_id}
    marked = {number for number, _, ambiguous in rows if ambiguous}
    hidden = [number for key, number in made.items() if key not in known]
    return Count(
        len(made),
        len(known),
        jobs - len(set(made.values())),
        len(hidden),
        sum(number not in marked for number in hidden),
        len(made) - len(set(made.values())),
        len(marked),
    )


def _run(
    kiosk: Simulator, folder: Path, locustfile: Path, jobs: int, rate: float, *arguments: str
) -> None:
    port = str(free_port())

    def start(name: str, *more: str) -> Locust:
        own = folder / name
        own.mkdir(parents=True)
        is_master = "--master" in more
        host = kiosk.url if is_master else ""
        settings: dict[str, Any] = {"UPDATE_INTERVAL": "0.4"}
        return Locust(
            own, *more, host=host, headless=is_master, locustfile=locustfile, log="log", **settings
        )

    master = start(
        *("master", "--master", "--master-bind-port", port, "--expect-workers", "2"),
        *("-u", str(jobs), "-r", str(rate), *arguments),
    )
    workers = [start(f"worker{number}", "--worker", "--master-port", port) for number in range(2)]
    try:
        wait_until(lambda: len(kiosk.submissions) >= jobs / 2, 60, what="half of the jobs")
        workers[0].process.kill()
        master.finish(timeout_s=300)
        workers[1].finish(timeout_s=60)
    finally:
        for locust in (master, *workers):
            if locust.process.poll() is None:
                locust.process.kill()
            locust.process.wait()


def main() -> None:
    """Print a row for each run, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--rate", type=float, default=30.0, help="jobs a second")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--run-time", type=int, nargs="*", default=[40, 90], help="of Locust alone, in seconds"
    )
    asked = parser.parse_args()
    names = [field.name for field in fields(Count)]
    jobs, rate = asked.jobs, asked.rate
    ways: dict[str, Callable[[Simulator, Path], Count]] = {
        f"Locust alone, -t {seconds}s": partial(run_bare, jobs=jobs, rate=rate, run_time_s=seconds)
        for seconds in asked.run_time
    }
    ways["kiosk_locust"] = partial(run_ours, jobs=jobs, rate=rate)
    found: dict[str, list[Count]] = {name: [] for name in ways}
    for name, run in (way for _ in range(asked.runs) for way in ways.items()):
        kiosk_settings = (f"--predict-s={JOB_S}", "--jobs-per-gpu=500")
        with simulator(*kiosk_settings) as kiosk, tempfile.TemporaryDirectory() as folder:
            count = run(kiosk, Path(folder))
        found[name].append(count)
        print(f"{name}: {count}", flush=True)
    print("| median (least to most), jobs | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for name, counts in found.items():
        columns = zip(*map(astuple, counts), strict=True)
        print(f"| {name} | " + " | ".join(spread(column) for column in columns) + " |")


def spread(column: tuple[int, ...]) -> str:
    """The median of some numbers, and between which they lie."""
    least, most = min(column), max(column)
    return f"{statistics.median(column):,.0f}" + (f" ({least} to {most})" if least != most else "")


if __name__ == "__main__":
    main()
