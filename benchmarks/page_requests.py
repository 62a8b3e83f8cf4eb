"""How many interpreters requests for past runs start, and what these take from a run.

    python benchmarks/page_requests.py                  # 40 requests at once, of each kind
    python benchmarks/page_requests.py --package DIR    # of another checkout of this project

Locust's page is served with 40 ledgers in its folder. What it starts is counted in /proc, every
few milliseconds; answers are counted by their status.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from sidebyside.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.helpers.ledgers import Row, make  # noqa: E402  below what it is found by

JOBS = 2_000


class Watched:
    """The interpreters below a process, and the processor time that they took in seconds."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._is_over = threading.Event()
        self.most = 0
        self.cpu_s: dict[int, float] = {}
        self._looking = threading.Thread(target=self._look)
        self._looking.start()

    def end(self) -> None:
        """Look no longer."""
        self._is_over.set()
        self._looking.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.003):
            alive = 0
            for path in Path(f"/proc/{self._pid}/task").glob("*/children"):
                for child in _read(path).split():
                    if "kiosk_locust.reporting.web." in _read(Path(f"/proc/{child}/cmdline")):
                        alive += 1
                        self._note(int(child))
            self.most = max(self.most, alive)

    def _note(self, pid: int) -> None:
        fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
        if fields:
            used_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            self.cpu_s[pid] = max(self.cpu_s.get(pid, 0.0), used_s)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""


def ask(url: str, pid: int, title: str, paths: list[str]) -> None:
    """Ask for all paths at once, and print a row of what that came to."""
    watched, begun = Watched(pid), time.perf_counter()
    with ThreadPoolExecutor(len(paths)) as pool:
        answers = list(pool.map(lambda path: requests.get(url + path, timeout=300), paths))
    took_s = time.perf_counter() - begun
    watched.end()
    statuses = Counter(answer.status_code for answer in answers)
    told = ", ".join(f"{number} of {status}" for status, number in sorted(statuses.items()))
    print(
        f"| {title} | {len(watched.cpu_s)} | {watched.most} | {sum(watched.cpu_s.values()):.1f} s"
        f" | {took_s:.1f} s | {told} |",
        flush=True,
    )


def main() -> None:
    """Serve the ledgers, and ask."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--package", type=Path, default=ROOT, help="the checkout to measure")
    parser.add_argument("--requests", type=int, default=40)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(asked.requests):
            rows = [Row(number=job) for job in range(JOBS)]
            (folder / "results").mkdir(exist_ok=True)
            make(folder / "results" / f"run{number}.db", rows, run_name=f"run{number}")
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        locustfile = asked.package / "locustfiles" / "kiosk.py"
        command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--web-port", str(port)]
        process = subprocess.Popen(
            [*command, "--web-host", "127.0.0.1"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(asked.package), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while True:
                try:
                    requests.get(url, timeout=10)
                    break
                except requests.ConnectionError:
                    time.sleep(0.2)
            print(f"load {os.getloadavg()[0]:.1f}; {asked.requests} requests at once")
            print("| asked for | interpreters | at once | their CPU | took | answers |")
            print("|---|---|---|---|---|---|")
            many = range(asked.requests)
            ask(url, process.pid, "one run's table", ["/kiosk/runs/run0/jobs.csv" for _ in many])
            ask(url, process.pid, "one run's page", ["/kiosk/runs/run0/data.json" for _ in many])
            ask(
                url, process.pid, "each run's table", [f"/kiosk/runs/run{n}/jobs.csv" for n in many]
            )
            ask(url, process.pid, "the list of runs", ["/kiosk/runs" for _ in many])
        finally:
            process.terminate()
            process.wait(timeout=60)


if __name__ == "__main__":
    main()
