"""What the live page costs the process that runs the jobs, with three viewers.

    python benchmarks/page.py                      # 5,000 jobs in flight, 5 rounds of 20 s each way

The process's own CPU time is read with and without viewers, in turns, while the jobs are in
flight; a viewer asks for the page's data every 2 s, as the page does.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import requests
from sidebyside.ports import free_port

from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk

ROOT = Path(__file__).resolve().parent.parent
EVERY_S = 2.0


def view(url: str, stop: threading.Event, sizes: list[int]) -> None:
    """Ask as a page does, until it is stopped."""
    with requests.Session() as session:
        while not stop.wait(EVERY_S):
            sizes.append(len(session.get(f"{url}/kiosk/data.json", timeout=30).content))


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, by Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_share(pid: int, seconds: float) -> float:
    """The share of a core that the process uses in a while."""
    before, begun = cpu_s(pid), time.perf_counter()
    time.sleep(seconds)
    return (cpu_s(pid) - before) / (time.perf_counter() - begun)


def wait_until_in_flight(url: str, jobs: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until so many jobs are in flight."""
    while process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):  # it does not listen yet
            found = requests.get(f"{url}/kiosk/data.json", timeout=30).json()
            if found.get("in_flight", 0) >= jobs:
                return
        time.sleep(1)
    raise SystemExit(f"locust ended with code {process.returncode}")


def measure(url: str, pid: int, rounds: int, seconds: float, viewers: int) -> None:
    """Print what viewers add."""
    sizes: list[int] = []
    without, watched = [], []
    for _ in range(rounds):
        without.append(cpu_share(pid, seconds))
        stop = threading.Event()
        threads = [threading.Thread(target=view, args=(url, stop, sizes)) for _ in range(viewers)]
        for thread in threads:
            thread.start()
        watched.append(cpu_share(pid, seconds))
        stop.set()
        for thread in threads:
            thread.join()
    added = [b - a for a, b in zip(without, watched, strict=True)]
    print(
        f"without viewers {statistics.median(without):.2%} of a core, with {viewers}"
        f" {statistics.median(watched):.2%}: {statistics.median(added):+.2%}"
        f" (from {min(added):+.2%} to {max(added):+.2%}); an answer has {max(sizes):,} bytes"
    )


def main() -> None:
    """Run jobs that do not end, and measure while they are in flight."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--viewers", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedKiosk("--predict-s=100000") as host:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [
            *(sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / "kiosk.py")),
            *("--web-host", "127.0.0.1", "--web-port", str(port), "--autostart", "-s", "0"),
            *("-u", str(asked.jobs), "-r", "400", "--host", host, "--file", "image.png"),
            *("--update-interval", "60"),
        ]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_in_flight(url, asked.jobs, process)
            measure(url, process.pid, asked.rounds, asked.seconds, asked.viewers)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
