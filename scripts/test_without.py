"""Runs the tests that use optional programs with each of these hidden from the PATH.

    .venv/bin/python scripts/test_without.py [NAME ...]

Each must be skipped with words that say what to install, and nothing may fail, as on a fresh
machine. With CI=true a program that .ci/packages promises must be missed. Nothing is uninstalled.
The exit code is 1 where anything is otherwise.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.helpers.optional import OPTIONAL, Optional  # noqa: E402  it lies beside this folder

LIMIT_S = 240.0


@contextmanager
def hidden(programs: tuple[str, ...]) -> Iterator[str]:
    """A PATH with all that there is but these programs."""
    with tempfile.TemporaryDirectory() as folder:
        for place in os.get_exec_path():
            entries = Path(place).iterdir() if Path(place).is_dir() else ()
            for program in entries:
                link = Path(folder, program.name)
                if program.name not in programs and not os.path.lexists(link):
                    link.symlink_to(program.absolute())
        yield folder


def run(optional: Optional, path: str, **more: str) -> tuple[int, list[tuple[str, str]]]:
    """Run its tests with that PATH; the exit code, and how and why tests did not pass."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "junit.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"]
        done = subprocess.run(  # noqa: S603  pytest, with our own arguments
            [*command, f"--junit-xml={report}", *optional.tests],
            cwd=ROOT,
            env=environment | {"PATH": path} | more,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        if not report.exists():
            return done.returncode, [("error", done.stdout[-2000:] + done.stderr[-2000:])]
        cases = ET.parse(report).iter("testcase")  # noqa: S314  pytest wrote it just now
        marks = [mark for case in cases for mark in case if mark.tag in _MARKS]
    return done.returncode, [(mark.tag, _words(mark)) for mark in marks]


_MARKS = ("skipped", "failure", "error")


def _words(mark: ET.Element) -> str:
    return f"{mark.get('message') or ''} {mark.text or ''}"


def faults(optional: Optional) -> Iterator[str]:
    """What is not as it should be where its programs are missing."""
    with hidden(optional.programs) as path:
        code, marks = run(optional, path)
        missed = [words for how, words in marks if how == "skipped" and optional.install in words]
        if code or not missed:
            yield f"exit code {code}, {len(missed)} tests skipped for it"
        yield from (words for how, words in marks if how != "skipped")
        if not optional.in_ci:
            return
        code, marks = run(optional, path, CI="true", PYTEST_ADDOPTS="-x")
        if not any(how != "skipped" and optional.install in words for how, words in marks):
            yield f"with CI=true nothing says that it is missing (exit code {code})"


def main(names: list[str]) -> int:
    """Look at each of ``names``, by default at all; returns the exit code."""
    found = 0
    for name in names or OPTIONAL:
        began_at = time.monotonic()
        told = list(faults(OPTIONAL[name]))
        took_s = time.monotonic() - began_at
        print(f"without {name}: {'; '.join(told) or 'skipped, with words'} ({took_s:.0f} s)")  # noqa: T201  a program's output
        found += bool(told)
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
