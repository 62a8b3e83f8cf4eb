"""Whether a long run takes ever more: accelerated load with random faults, for as long as wanted.

Short jobs at a steady rate against the simulated Kiosk, whose faults change every few seconds by a
seed. Memory, open files, threads and greenlets are sampled, and the ledger is compared with the
server's log. From the root of the repository:

    python -m benchmarks.soak --minutes 5
    python -m benchmarks.soak --minutes 120 --rate 60       # 432,000 jobs

The slopes are over the second half of the run (the first fills pools, caches and histograms), by
least squares over ten means, with their 95 % intervals. It ends with 1 if one is surely more than
FLAT, or if anything is lost, doubled in silence or damaged.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import requests

from tests.faults.oracle import Judgement, Witness, judge
from tests.faults.plan import Plan
from tests.helpers.real import ROOT, Locust, Simulator, simulator

#: What may go wrong at the server, each for a few seconds.
FAULTS = (
    "POST /api/predict status=500 when=after rate=0.05",
    "POST /api/predict drop when=after rate=0.05",
    "POST /api/predict status=429 retry-after=1 rate=0.5",
    "POST /api/predict status=503",
    "POST /api/predict malformed rate=0.02",
    "POST /api/redis html status=502 rate=0.5",
    "POST /api/redis drop rate=0.3",
    "POST /api/redis hang rate=0.01",
    "POST /api/redis huge=20000000 rate=0.002",
    "POST /api/redis/expire status=500 rate=0.5",
    "* /api/* latency=0.2 rate=0.3",
)
#: Growth over 100,000 jobs that is no leak: of memory (MiB), and of numbers of things.
FLAT = {"memory": 15.0, "files": 2.0, "threads": 1.0, "greenlets": 10.0}
UNITS = {"memory": "MiB", "files": "open files", "threads": "threads", "greenlets": "greenlets"}
BLOCKS = 10
SAMPLES = 300
#: Student's t for 95 % and BLOCKS - 2 degrees of freedom.
T_95 = 2.306
PER_JOBS = 100_000
#: With fewer in the second half, what the first ones fill still shows, and nothing is judged.
JUDGED_JOBS = 20_000
#: For what the faults have put off: a submission is tried three times in 45 s at most.
END_S = 240.0

Sample = dict[str, float]


def slope(samples: list[Sample], name: str) -> tuple[float, float]:
    """Growth over PER_JOBS jobs, and half of its 95 % interval."""
    size = len(samples) // BLOCKS
    blocks = [samples[n * size : (n + 1) * size] for n in range(BLOCKS)]
    x = [statistics.fmean(each["closed"] for each in block) / PER_JOBS for block in blocks]
    y = [statistics.fmean(each[name] for each in block) for block in blocks]
    line = statistics.linear_regression(x, y)
    left = sum((b - line.slope * a - line.intercept) ** 2 for a, b in zip(x, y, strict=True))
    middle = statistics.fmean(x)
    spread = sum((a - middle) ** 2 for a in x)
    return line.slope, T_95 * math.sqrt(left / (BLOCKS - 2) / spread)


def disturb(kiosk: Simulator, rng: random.Random, over: threading.Event, told: list[str]) -> None:
    """Change what goes wrong every few seconds."""
    while not over.wait(rng.uniform(1, 4)):
        rules = rng.sample(FAULTS, rng.randint(1, 2))
        told += rules
        kiosk.set_faults(*rules)
        if over.wait(rng.uniform(1, 4)):
            break
        kiosk.set_faults()
    kiosk.set_faults()


def witness_of(kiosk: Simulator) -> Witness:
    """All that the server saw; it takes a while to be told."""
    found: dict[str, Any] = {}
    for name in ("log", "polls"):
        found[name] = requests.get(f"{kiosk.url}/simulator/{name}", timeout=300).json()
    return Witness(found["log"]["predicts"], found["polls"])


def tell(samples: list[Sample]) -> bool:
    """Print the table; whether all is flat, as far as that many jobs can tell."""
    half = samples[len(samples) // 2 :]
    jobs = half[-1]["closed"] - half[0]["closed"]
    quarter = max(1, len(samples) // 4)
    print("| figure | second quarter | last quarter | growth over 100,000 jobs (95 % interval) |")
    print("|---|---|---|---|")
    flat = True
    for name, unit in UNITS.items():
        second = statistics.fmean(each[name] for each in samples[quarter : 2 * quarter])
        last = statistics.fmean(each[name] for each in samples[-quarter:])
        growth, within = slope(half, name)
        flat &= growth - within <= FLAT[name]
        cells = (f"{second:.1f}", f"{last:.1f}", f"{growth:+.1f} ± {within:.1f}")
        print(f"| {unit} | {' | '.join(cells)} |")
    if jobs < JUDGED_JOBS:
        print(f"\n{jobs:,.0f} jobs in the second half: too few to say whether that is flat")
        return True
    return flat


def main() -> int:
    """Run it, and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long jobs begin")
    parser.add_argument("--rate", type=float, default=60.0, help="jobs a second")
    parser.add_argument("--seed", type=int, default=1, help="of the faults")
    asked = parser.parse_args()
    jobs = int(asked.minutes * 60 * asked.rate)
    folder = Path(tempfile.mkdtemp(prefix="kiosk_locust_soak_"))
    over, told = threading.Event(), list[str]()
    users = int(asked.rate * 40)
    settings: dict[str, Any] = {
        "SOAK_SAMPLES": str(folder / "samples.jsonl"),
        "SOAK_EVERY_S": str(max(0.3, asked.minutes * 60 / SAMPLES)),
        "UPDATE_INTERVAL": "0.5",
        "REQUEST_TIMEOUT": "2",
        "EXPIRE_TIME": "60",
        "LOG_LEVEL": "WARNING",
        "COUNT": str(jobs),
        "WORKLOAD": "open",
        "RUN_NAME": "soak",
    }
    with simulator("--jobs-per-gpu=256") as kiosk:
        locust = Locust(
            folder,
            *("-u", str(users), "-r", str(asked.rate)),
            host=kiosk.url,
            locustfile=ROOT / "benchmarks" / "soak_locustfile.py",
            **settings,
        )
        arguments = (kiosk, random.Random(asked.seed), over, told)
        trouble = threading.Thread(target=disturb, args=arguments, daemon=True)
        trouble.start()
        until = time.monotonic() + asked.minutes * 60
        while time.monotonic() < until and locust.process.poll() is None:
            time.sleep(1)
        over.set()
        trouble.join()
        finished = locust.finish(END_S + asked.minutes * 30)
        witness = witness_of(kiosk)
    ledger = folder / "results" / "soak.db"
    samples = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    steady = [each for each in samples if each["closed"] > 0 and each["at_s"] < asked.minutes * 60]
    flat = tell(steady)
    plan = cast(Plan, SimpleNamespace(cycles=1, jobs=jobs, on_ambiguous="resubmit"))
    found = judge(plan, ledger, witness)
    intact = integrity(ledger)
    report(found, finished.code, intact, len(told))
    if finished.code > 1 or found.complaints or intact != "ok" or not flat:
        print(f"AMISS: {found.complaints[:3]}; kept: {folder}")
        return 1
    return 0


def integrity(ledger: Path) -> str:
    """What SQLite says of the ledger's file."""
    with closing(sqlite3.connect(ledger)) as db:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])


def report(found: Judgement, code: int, intact: str, faults: int) -> None:
    """The run in a sentence or two."""
    print(
        f"\n{found.tickets:,} tickets, {found.closed:,} closed; {found.submissions:,} jobs made by"
        f" the server, {found.lost:,} lost, {found.silent_duplicates:,} doubled in silence,"
        f" {found.ambiguous:,} ambiguous, {found.twins:,} of these made twice;"
        f" {faults:,} faults in force; integrity_check: {intact}; exit code {code}"
    )


if __name__ == "__main__":
    sys.exit(main())
