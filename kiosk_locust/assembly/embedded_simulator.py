"""The simulated Kiosk as a process of our own, for a run that has no host.

It works in a gevent-patched process and in any other: it waits with ``select`` and ``wait``,
which gevent makes cooperative.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO

from kiosk_locust.errors import SimulatorError

ARGS_VARIABLE = "KIOSK_SIMULATOR_ARGS"
NEEDED = ("starlette", "uvicorn", "httptools")
INSTEAD = "or give the host of a real Kiosk (--host, API_HOST)"
STOP_TIMEOUT_S = 5.0
TOLD_LINES = 15  # of its standard error, when it does not start


class EmbeddedKiosk:
    """Starts ``python -m kiosk_locust.simulator`` on a free loopback port, and ends it.

    The process is in a session of its own, so Ctrl-C does not reach it, and it ends by itself
    when this process dies. Words in the variable KIOSK_SIMULATOR_ARGS are handed on to it.
    """

    def __init__(self, *arguments: str, start_timeout_s: float = 20.0) -> None:
        self._arguments = arguments
        self._start_timeout_s = start_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None

    def start(self) -> str:
        """Start it and return its base URL; raises SimulatorError."""
        _check_installed()
        words = [*self._arguments, *_extra_arguments()]
        self._errors = tempfile.TemporaryFile(prefix="kiosk-simulator-")  # noqa: SIM115  in stop()
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own module, no shell
                [sys.executable, "-m", "kiosk_locust.simulator", *words,
                 "--port", "0", "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
                close_fds=True,
                env=_environment(),
            )  # fmt: skip
            return self._read_url(self._process)
        except BaseException:
            self.stop()
            raise

    @property
    def cpu_s(self) -> float | None:
        """The CPU time that it has used; None where the system does not say, or it is gone."""
        if self._process is None:
            return None
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text("ascii")
            ticks = stat.rpartition(")")[2].split()  # from the third field on
            return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError):
            return None

    def stop(self) -> None:
        """End it: by closing its input, then by signals; harmless if it has ended."""
        process, self._process = self._process, None
        if process:
            _end(process)
        if self._errors:
            self._errors.close()
            self._errors = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _read_url(self, process: subprocess.Popen[bytes]) -> str:
        line = self._read_line(process)
        try:
            return str(json.loads(line)["url"])
        except (ValueError, TypeError, KeyError):
            raise SimulatorError(
                f"The simulated Kiosk said {line[:200]!r} where its URL was expected; "
                f"look at {ARGS_VARIABLE}, {INSTEAD}.{self._last_words()}"
            ) from None

    def _read_line(self, process: subprocess.Popen[bytes]) -> bytes:
        """The first line of its output, read without buffering and within the time limit."""
        if process.stdout is None:  # it was asked for as a pipe
            raise SimulatorError("The simulated Kiosk has no standard output.")
        output = process.stdout.fileno()
        ends_at = time.monotonic() + self._start_timeout_s
        line = b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([output], [], [], max(0, ends_at - time.monotonic()))
            if not readable:
                raise SimulatorError(
                    f"The simulated Kiosk was not ready within {self._start_timeout_s:g} s; "
                    f"try again on a machine less busy, {INSTEAD}.{self._last_words()}"
                )
            piece = os.read(output, 4096)
            if not piece:
                code = process.wait(STOP_TIMEOUT_S)
                raise SimulatorError(
                    f"The simulated Kiosk ended with code {code} before it was ready; mend what "
                    f"it says ({ARGS_VARIABLE} holds its options), {INSTEAD}.{self._last_words()}"
                )
            line += piece
        return line

    def _last_words(self) -> str:
        if not self._errors:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").splitlines()[-TOLD_LINES:]
        return "".join(f"\n  | {line}" for line in ["Its last words:", *lines]) if lines else ""


def _check_installed() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SimulatorError(
            f"The simulated Kiosk needs {' and '.join(missing)}, which this Python lacks: "
            f"pip install 'kiosk-locust[simulator]', {INSTEAD}."
        )


def _extra_arguments() -> list[str]:
    given = os.environ.get(ARGS_VARIABLE, "")
    try:
        return shlex.split(given)
    except ValueError as error:
        raise SimulatorError(
            f"{ARGS_VARIABLE} = {given!r} cannot be split into words ({error}); "
            "quote it as for a shell."
        ) from None


def _environment() -> dict[str, str]:
    """Ours, with this very package found first where it is not installed."""
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([root, known] if known else [root])}


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        with contextlib.suppress(OSError):
            process.stdin.close()
    for insist in (process.terminate, process.kill, None):
        try:
            process.wait(STOP_TIMEOUT_S)
            break
        except subprocess.TimeoutExpired:
            if insist:
                insist()
    if process.stdout:
        process.stdout.close()
