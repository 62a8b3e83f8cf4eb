"""Real processes: a simulated Kiosk, and Locust with the plugin against it.

What happened is told by the server's own log and by the files, not by the plugin.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from kiosk_locust.config.table.trust import setting_of
from kiosk_locust.verdict.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
LOCUSTFILE = ROOT / "locustfiles" / "kiosk.py"
#: Where processes of the tests find the package, and what lets Locust start sooner.
PYTHONPATH = os.pathsep.join((str(ROOT), str(ROOT / "tests" / "quickstart")))
#: A Kiosk whose jobs take a tenth of a second: tests are about the plugin.
QUICK = (
    *("--seed=1", "--spread=0", "--jobs-per-gpu=64", "--images-per-zip=3"),
    *("--download-s=0.01", "--preprocess-s=0.01", "--predict-s=0.05", "--postprocess-s=0.01"),
    "--save-s=0.01",
)
#: Settings of the machine that runs the tests must not reach the run.
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if name in ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")
}
LIMIT_S = 60
#: Most tests break something on purpose, or run many processes at once on a small machine: what
#: they ask is what became of jobs, and not whether times could be trusted. Those of the verdict
#: itself have the limits that people have: ``judged=True``.
UNJUDGED = {setting_of(rule).upper(): "none" for rule in RULES}


class Simulator:
    """The simulated Kiosk as the tests see it."""

    def __init__(self, url: str, pid: int = 0) -> None:
        self.url = url
        self.pid = pid

    def log(self) -> dict[str, Any]:
        return dict(requests.get(f"{self.url}/simulator/log", timeout=10).json())

    @property
    def submissions(self) -> list[dict[str, Any]]:
        """Each POST /api/predict that was answered with a job, as the server received it."""
        return [s for s in self.log()["predicts"] if s["hash"]]

    @property
    def lives(self) -> dict[str, dict[str, Any]]:
        """By hash: what really became of each job that is still there."""
        return dict(requests.get(f"{self.url}/simulator/jobs", timeout=10).json())

    @property
    def uploads(self) -> list[dict[str, Any]]:
        """Each upload in its order: ``at``, ``name``, ``file_name``, ``md5``, ``size``."""
        return list(requests.get(f"{self.url}/simulator/uploads", timeout=10).json())

    @property
    def polls(self) -> dict[str, dict[str, float]]:
        """By hash: ``count``, ``first_at`` and ``last_at`` of its polls, as the server saw them."""
        return dict(requests.get(f"{self.url}/simulator/polls", timeout=10).json())

    @property
    def requests(self) -> Counter[str]:
        return Counter(self.log()["requests"])

    def set_faults(self, *rules: str) -> None:
        requests.post(f"{self.url}/simulator/faults", json=rules, timeout=10).raise_for_status()

    def flush(self) -> None:
        requests.post(f"{self.url}/simulator/flush", json={}, timeout=10).raise_for_status()


@contextmanager
def simulator(*arguments: str, quick: bool = True) -> Iterator[Simulator]:
    command = [sys.executable, "-m", "kiosk_locust.simulator", "--port=0", "--until-stdin-closes"]
    process = subprocess.Popen(
        [*command, *(QUICK if quick else ()), *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Simulator(json.loads(process.stdout.readline())["url"], process.pid)
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


@dataclass
class Finished:
    """What a run left behind."""

    code: int
    output: str
    folder: Path
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The jobs of all results files of single cycles."""
        return [job for found in self.results for job in found["job_data"]]

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(job["outcome"] for job in self.jobs)

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        (path,) = self.folder.glob("results/*.db")
        with closing(sqlite3.connect(path)) as ledger:
            return ledger.execute(query).fetchall()


class Locust:
    """One Locust process, in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        host: str = "",
        locustfile: Path = LOCUSTFILE,
        dotenv: str = "",
        headless: bool = True,
        stdin: int = subprocess.DEVNULL,
        start_new_session: bool = False,
        log: str = "output.txt",
        judged: bool = False,
        prefix: tuple[str, ...] = (),  # of the command: what it is to run within
        **environment: str,
    ) -> None:
        self.folder = folder
        environment = ({} if judged else UNJUDGED) | environment
        if dotenv:
            (folder / ".env").write_text(dotenv)
        settings = {"UPDATE_INTERVAL": "0.2", "FILE": "image.png"} | environment
        if host:
            settings["API_HOST"] = host
        self._output = folder / log
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [
                    *(*prefix, sys.executable, "-m", "locust", "-f", str(locustfile)),
                    *(["--headless"] if headless else []),
                    *arguments,
                ],
                cwd=folder,
                env=CLEAN | {"PYTHONPATH": PYTHONPATH} | settings,
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=start_new_session,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def finish(self, timeout_s: float = LIMIT_S) -> Finished:
        try:
            code = self.process.wait(timeout=timeout_s)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        files = sorted(self.folder.glob("results/*delay_*.json"))
        results = [json.loads(file.read_text()) for file in files]
        return Finished(code, self.output, self.folder, results)


def run_locust(folder: Path, *arguments: str, **settings: Any) -> Finished:
    return Locust(folder, *arguments, **settings).finish()


def wait_until(condition: Any, timeout_s: float = 40.0, what: str = "condition") -> None:
    """Wait for an event outside this process that nothing here can be told of."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, f"{what} did not come true in {timeout_s} s"
        time.sleep(0.05)
