"""Reads ledgers in processes of their own, so that a run in this one never waits for it.

A thread would not do: what it computes holds up submissions by the interpreter's lock.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from kiosk_locust.errors import LedgerError

#: A ledger of a million jobs is read in less.
LIMIT_S = 300.0
_PIECE = 1 << 16


def picture(ledger: Path) -> bytes:
    """The picture of the run in ``ledger``, as JSON; raises LedgerError."""
    command = _command("past", ledger)
    try:
        done = subprocess.run(  # noqa: S603  our own module, no shell
            command, env=_environment(), capture_output=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LedgerError(f"{ledger} could not be read within {LIMIT_S:g} s") from error
    if done.returncode:
        raise LedgerError(_last_line(done.stderr) or f"{ledger} could not be read")
    return done.stdout


def jobs_csv(ledger: Path) -> Iterator[bytes]:
    """All jobs of ``ledger`` as CSV, in pieces, as they are read."""
    process = subprocess.Popen(  # noqa: S603  our own module, no shell
        _command("jobscsv", ledger),
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.stdout and (piece := process.stdout.read(_PIECE)):
            yield piece
        if process.wait():
            raise LedgerError(f"{ledger} could not be read to its end")  # ends the download
    finally:  # also where who asked for it has gone
        if process.stdout:
            process.stdout.close()
        if process.poll() is None:
            process.kill()
            process.wait()


def _command(module: str, ledger: Path) -> list[str]:
    return [sys.executable, "-m", f"kiosk_locust.web.{module}", str(ledger.absolute())]


def _environment() -> dict[str, str]:
    """Ours, with this very package found first where it is not installed."""
    root = str(Path(__file__).resolve().parent.parent.parent)
    known = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([root, known] if known else [root])}


def _last_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
