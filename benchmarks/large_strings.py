"""What a run makes of a Kiosk whose strings are large: bytes of ledger, log and memory.

A server on loopback takes every job, gives it another status at each poll, and ends it as failed;
status, reason and the other fields have so many characters. From the root of the repository:

    python -m benchmarks.large_strings
    python -m benchmarks.large_strings --characters 900000 --jobs 20
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk_locust.model.job_hash import FIELDS
from tests.helpers.real import Locust
from tests.helpers.servers import Connection, RawServer, raw_answer

MIB = 2**20
LIMIT_S = 300.0
#: It would turn the line red where a terminal obeys it.
RED = "\x1b[31m"


class LargeKiosk:
    """Takes jobs; each poll of one sees a new status, and the last one that it has failed."""

    def __init__(self, characters: int, polls: int) -> None:
        self._characters = characters
        self._polls = polls
        self._seen: Counter[str] = Counter()
        self._ids = itertools.count()

    def answer(self, connection: Connection) -> None:
        """Serve one connection until it is closed."""
        while request := connection.read_request():
            body = json.dumps(self._value(request.path, request.body)).encode()
            connection.send(raw_answer(200, body, "application/json"))

    def _value(self, path: str, body: bytes) -> object:
        if path == "/api/health-check":
            return {"message": "OK"}
        if path == "/api/jobtypes":
            return {"jobTypes": ["segmentation"]}
        if path == "/api/predict":
            return {"hash": f"segmentation:image.png:{next(self._ids)}"}
        if path == "/api/redis/expire":
            return {"value": 1}
        job_id = json.loads(body)["hash"]
        self._seen[job_id] += 1
        return {"value": [self._field(name, self._seen[job_id]) for name in FIELDS]}

    def _field(self, name: str, poll: int) -> str | None:
        is_over = poll > self._polls
        large = "x" * self._characters
        fields = {
            "status": "failed" if is_over else f"{poll} {large}",
            "reason": f"{large}\nValueError: {RED}{large[:1000]}" if is_over else None,
            "created_at": "2026-11-22T15:40:11.000Z",
            "updated_by": f"consumer-{poll}",
        }
        return fields.get(name)


@dataclass(frozen=True)
class Measured:
    """What a run left, in bytes, and the most memory that it had."""

    code: int
    took_s: float
    ledger: int
    results: int
    log: int
    memory: int
    escapes: int  # escape characters that reached the terminal
    ends: str


def run(jobs: int, characters: int, polls: int, folder: Path) -> Measured:
    """One run against such a Kiosk, in ``folder``."""
    kiosk = LargeKiosk(characters, polls)
    begun = time.monotonic()
    with RawServer(kiosk.answer) as server:
        settings: dict[str, Any] = {
            "RETRY_BUDGET": "5",
            "UPDATE_INTERVAL": "0.5",
            "LOG_LEVEL": "DEBUG",
        }
        locust = Locust(folder, "-u", str(jobs), "-r", "10", host=server.url, **settings)
        memory = 0
        while locust.process.poll() is None and time.monotonic() - begun < LIMIT_S:
            memory = max(memory, _memory_of(locust.process.pid))
            time.sleep(0.05)
        finished = locust.finish(10)
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    ledger = sum(size for path, size in sizes.items() if ".db" in path.name)
    log = sum(size for path, size in sizes.items() if "benchmark.log" in path.name)
    made = sum(size for path, size in sizes.items() if path.suffix in (".json", ".html"))
    ends = ", ".join(f"{count} {outcome}" for outcome, count in finished.outcomes.items())
    return Measured(
        finished.code,
        time.monotonic() - begun,
        ledger,
        made,
        log,
        memory,
        finished.output.count("\x1b"),
        ends,
    )


def _memory_of(pid: int) -> int:
    """The most resident memory that a process has had, in bytes."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def main() -> int:
    """Print a row a size, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--polls", type=int, default=6, help="statuses of a job before it fails")
    parser.add_argument(
        "--characters", type=int, action="append", help="of each string (default: three sizes)"
    )
    asked = parser.parse_args()
    heads = ("characters", "jobs", "ledger", "results, report", "log", "memory", "escapes", "took")
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for characters in asked.characters or (1_000, 900_000, 7_000_000):
        with tempfile.TemporaryDirectory() as folder:
            seen = run(asked.jobs, characters, asked.polls, Path(folder))
        row = (
            f"{characters:,}",
            f"{seen.ends} (exit code {seen.code})",
            *(f"{size / MIB:.1f} MiB" for size in (seen.ledger, seen.results, seen.log)),
            f"{seen.memory / MIB:.0f} MiB",
            str(seen.escapes),
            f"{seen.took_s:.0f} s",
        )
        print("| " + " | ".join(row) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
