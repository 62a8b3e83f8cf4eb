"""Every way out of Locust's main: the process's real exit code is by our table, and the last
line on the screen names it.
"""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.real import Finished, Locust, run_locust, simulator, wait_until
from tests.servers import free_port, processes

LOCUSTFILES = Path(__file__).parent / "locustfiles"


def last_line(finished: Finished) -> str:
    lines = [line for line in finished.output.splitlines() if line.strip()]
    return lines[-1]


def children_of(run: Locust) -> list[int]:
    pid = run.process.pid
    return [int(pid) for pid in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_worker_that_ended_a_minute_before_the_others_floods_no_end(tmp_path: Path) -> None:
    with simulator("--predict-s=0.3") as kiosk:
        run = Locust(
            tmp_path,
            *("-u", "40", "-r", "10", *processes(2)),
            host=kiosk.url,
            locustfile=LOCUSTFILES / "minute_later.py",
        )
        wait_until(lambda: len(kiosk.submissions) >= 10, what="10 submissions")
        os.kill(children_of(run)[0], signal.SIGKILL)
        wait_until(lambda: "was lost" in run.output, what="the master's notice")
        (tmp_path / "minute").touch()
        finished = run.finish()
    assert finished.outcomes == {"done": 40}
    assert last_line(finished).startswith(f"exit code {finished.code}: "), finished.output[-3000:]
    assert len(finished.output.splitlines()) < 300
