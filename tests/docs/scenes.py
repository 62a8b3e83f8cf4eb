"""The documentation's commands in the order in which people give them, each scene in a folder.

Words that stand for something else are replaced (an address by the simulator's, ``<run>`` by the
run's name), and ``more`` arguments make a run small; the rest is what the page says.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from tests.docs.blocks import blocks, shell_lines
from tests.helpers.real import CLEAN, PYTHONPATH, QUICK, ROOT, UNJUDGED

LIMIT_S = 60
KIOSK = "locust -f locustfiles/kiosk.py --headless"
#: A Kiosk of its own is as quick as that of all others.
OWN = " ".join(QUICK)


@dataclass(frozen=True, slots=True)
class Step:
    """One command; ``beside``: it goes on until the scene is over, and is then interrupted."""

    command: str
    more: str = ""
    codes: tuple[int, ...] = (0,)
    beside: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str = ""  # of one that is beside: what it says once others can go on


@dataclass(frozen=True, slots=True)
class Scene:
    """Steps one after the other; ``host``: whether ``.env`` names the tests' Kiosk."""

    name: str
    steps: tuple[Step, ...]
    host: bool = True
    leaves: str = "results/*.db"


@dataclass(frozen=True, slots=True)
class Played:
    """What a step came to."""

    command: str
    code: int
    output: str


def _said_before(command: str) -> Mapping[str, str]:
    """What a page sets for this command, in the same line."""
    for line in shell_lines():
        if line.commands and shlex.join(line.commands[0]) == command:
            pairs = [word.partition("=") for word in line.words if word.startswith("KIOSK_")]
            if pairs:
                return {name: f"{value} {OWN}" for name, _, value in pairs}
    return {}


LEDGER = "results/<run>.db"
GATE = (
    f"{KIOSK} -u 500 --threshold 'job.p95 < 60s' --threshold 'failed < 1%' --threshold"
    " 'throughput > 40 images/s' --abort-on-threshold 2min --junit-xml results/junit.xml"
)
MASTER = f"{KIOSK} -u 1000 -r 100 --master --expect-workers 2 --host http://kiosk.example.org"
WORKER = "locust -f locustfiles/kiosk.py --worker --master-host the-masters-address"
BESIDE = "--host http://127.0.0.1:8080 --file image.png"
SIMULATE = "python -m kiosk_locust simulate"
FEW = "--count 10 -r 100"
#: A run that is ended by its time, so that there is one to go on with.
CUT = "--count 8 -t 1s -s 0"

SCENES = (
    Scene("a first run", (
        Step("python -m kiosk_locust check"),
        Step(f"{KIOSK} --count 100", FEW),
        Step(f"python -m kiosk_locust report {LEDGER}"),
        Step(f"python -m kiosk_locust view {LEDGER}", "--no-browser", beside=True,
             ready="is shown at"),
        Step(f"python -m kiosk_locust upload-results {LEDGER}",
             environment={"STORAGE_BUCKET": "file://bucket"}),
        Step(f"python -m kiosk_locust expire {LEDGER}"),
    ), leaves="bucket/output/*.json"),
    Scene("other loads", (
        Step(f"{KIOSK} --count 40 -u 10 -r 5 --update-interval 1",
             f"{FEW} -u 5 --update-interval 0.2"),
        Step(f"{KIOSK} -u 40 -r 5 --arrival poisson --update-interval 1",
             f"{FEW} --update-interval 0.2"),
        Step(f"{KIOSK} --count 100 --start-delay 0.5", "--start-delay 0.01 --count 10"),
        Step(f"{KIOSK} --count 100 --start-delay 0.5 --num-cycles 3 --cycle-interval 60",
             "--start-delay 0.01 --count 3 --cycle-interval 0"),
    )),
    Scene("an upload", (
        Step(f"{KIOSK} --mode upload --file FOLDER"),
        Step(f"{KIOSK} --mode upload --file ~/plate7 -u 20 --job-type mesmer",
             "--file two_channels"),
    ), leaves="results/*_results/*.zip"),
    Scene("a run that is ended", (
        Step(f"{KIOSK} -u 300 -r 5 --update-interval 1 {BESIDE}", CUT, (2,)),
        Step(f"{KIOSK} --resume latest"),
    ), host=False),
    Scene("a gate", (Step(GATE, "-u 100 -r 200", (0, 1)),), leaves="results/junit.xml"),
    Scene("a gate without a Kiosk", (
        Step(f"{KIOSK} --simulate -u 50 --update-interval 1 --threshold 'failed <= 0 jobs'", FEW,
             environment={"KIOSK_SIMULATOR_ARGS": OWN}),
    ), host=False),
    Scene("a rehearsal", (
        Step(f"{KIOSK} --simulate --file zip100.zip --count 5 --num-gpus 1 --cost-tail until-idle",
             environment={"KIOSK_SIMULATOR_ARGS": OWN}),
    ), host=False, leaves="results/simulated_1gpu_5jobs_*.json"),
    Scene("a Kiosk with faults", (
        Step(f"{KIOSK} -u 100", FEW, (0, 1), environment=_said_before(f"{KIOSK} -u 100")),
    ), host=False),
    Scene("a Kiosk beside", (
        Step("python -m kiosk_locust.simulator --port 8080 --seed 1", f"--port 0 {OWN}",
             beside=True, ready='"url"'),
        Step(f"{KIOSK} -u 100 {BESIDE}", FEW),
    ), host=False),
    Scene("classes of one's own", (
        Step("locust -f my_kiosk.py --headless -u 40", FEW),
        Step("locust -f my_kiosk.py --headless -u 40 Mesmer", FEW),
    )),
    Scene("several processes", (
        Step(f"{KIOSK} -u 1000 -r 100 --processes 4", "-u 20 --processes 2 {port}"),
    )),
    Scene("several machines", (
        Step(WORKER, "{worker}", beside=True),
        Step(WORKER, "{worker}", beside=True),
        Step(MASTER, "-u 20 --file image.png {master}"),
    ), host=False),
    Scene("a forecast", (
        Step(f"{SIMULATE} --gpus 8 --images 1000000", "--images 2000"),
        Step(f"{SIMULATE} --gpus 1 4 8 --images 10000 100000 1000000", "--images 2000"),
        Step(f"{SIMULATE} --gpus 1 4 8 --images 10000 100000", "--images 2000"),
    ), host=False, leaves="plate7"),
)  # fmt: skip


class Stage:
    """A folder as a reader has it, and the processes started in it."""

    def __init__(self, folder: Path, url: str, port: int, *, host: bool) -> None:
        self._folder, self._url, self._port = folder, url, str(port)
        (folder / "locustfiles").symlink_to(ROOT / "locustfiles")
        (folder / "bucket").mkdir()
        plate = folder / "plate7"
        plate.mkdir()
        for number in range(4):
            Image.new("L", (8, 8)).save(plate / f"well{number}.png")
        (folder / "two_channels").mkdir()
        tifffile.imwrite(folder / "two_channels" / "well.tif", np.zeros((2, 8, 8), np.uint16))
        custom = [text for where, text in blocks("python") if where.startswith("docs/howto/custom")]
        (folder / "my_kiosk.py").write_text(custom[0], "utf-8")
        settings = {"UPDATE_INTERVAL": "0.2", "MANAGER_REFRESH_RATE": "60"}
        named = {"API_HOST": url, "FILE": "image.png"} if host else {}
        lines = [f"{name}={value}\n" for name, value in (settings | named).items()]
        (folder / ".env").write_text("".join(lines), "utf-8")

    def play(self, step: Step) -> Played:
        """Carry out one that ends by itself."""
        told = subprocess.run(
            self._words(step), cwd=self._folder, env=self._environment(step), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        return Played(step.command, told.returncode, told.stdout)

    @contextmanager
    def beside(self, step: Step, number: int) -> Iterator[None]:
        """Have one go on meanwhile; it must end well once it is interrupted."""
        path = self._folder / f"beside{number}.txt"
        with path.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                self._words(step), cwd=self._folder, env=self._environment(step),
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            until = time.monotonic() + LIMIT_S
            while step.ready not in path.read_text("utf-8"):
                assert process.poll() is None, path.read_text("utf-8")
                assert time.monotonic() < until, path.read_text("utf-8")
                time.sleep(0.05)
            if "simulator" in step.command:
                self._url = path.read_text("utf-8").partition('"url": "')[2].partition('"')[0]
            yield
        finally:
            if "--worker" not in step.command:  # those end with their master
                process.send_signal(signal.SIGINT)
            code = process.wait(LIMIT_S)
        assert code == 0, path.read_text("utf-8")

    def _environment(self, step: Step) -> Mapping[str, str]:
        said = {
            name: value.replace("file://bucket", f"file://{self._folder}/bucket")
            for name, value in step.environment.items()
        }
        own = {"PYTHONPATH": PYTHONPATH, "COLUMNS": "200"}
        return CLEAN | UNJUDGED | own | said

    def _words(self, step: Step) -> list[str]:
        ledgers = sorted((self._folder / "results").glob("*.db"), key=os.path.getmtime)
        bind = ("--master-bind-port", self._port)
        stands_for = {
            "locust": (sys.executable, "-m", "locust"),
            "python": (sys.executable,),
            LEDGER: (str(ledgers[-1]),) if ledgers else (LEDGER,),
            "http://127.0.0.1:8080": (self._url,),
            "http://kiosk.example.org": (self._url,),
            "the-masters-address": ("127.0.0.1",),
            "FOLDER": ("plate7",),
            "~/plate7": ("plate7",),
            "{port}": (*bind, "--master-port", self._port),
            "{master}": (*bind, "--master-bind-host", "127.0.0.1"),
            "{worker}": ("--master-port", self._port),
        }
        given = [*shlex.split(step.command), *shlex.split(step.more)]
        return [word for each in given for word in stands_for.get(each, (each,))]
