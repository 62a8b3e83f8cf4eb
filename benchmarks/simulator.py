"""What a request costs the simulated Kiosk: CPU time of its process, by kind of request.

    python benchmarks/simulator.py

The client is slower than the server; so the rate a core could serve is computed from the
server's CPU time, not from the rate achieved.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time

from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import SystemClock
from kiosk_locust.model.record import JobRequest

RUNS = 5
REQUESTS = 3_000
TICKS = os.sysconf("SC_CLK_TCK")
REQUEST = JobRequest("segmentation", "a.png", "uploads/a.png", dimension_order="XYB", scale="1")


def cpu_s(pid: int) -> float:
    """User and system time of a process, in seconds."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    """Print a line for the start and one for each kind of request."""
    command = [sys.executable, "-m", "kiosk_locust.simulator", "--port=0", "--until-stdin-closes"]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdin is None or process.stdout is None:
            raise SystemExit("the simulator has no pipes")
        url = json.loads(process.stdout.readline())["url"]
        print(f"ready {time.perf_counter() - begun:.2f} s after its start")
        transport = Transport(url, pool_size=1, request_timeout_s=30, clock=SystemClock())
        kiosk = Kiosk(transport)
        job_id = kiosk.predict(REQUEST).job_id
        calls = {
            "poll (23 fields)": lambda: kiosk.read(job_id),
            "submission": lambda: kiosk.predict(REQUEST),
            "health check": kiosk.health,
        }
        for name, call in calls.items():
            costs = []
            for _ in range(RUNS):
                before = cpu_s(process.pid)
                for _ in range(REQUESTS):
                    call()
                costs.append((cpu_s(process.pid) - before) / REQUESTS * 1e6)
            cost = statistics.median(costs)
            print(f"{name}: {cost:.0f} us of CPU, {1e6 / cost:,.0f} a second on one core")
        transport.close()
        process.stdin.close()


if __name__ == "__main__":
    main()
