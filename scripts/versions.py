"""Runs the tests on several versions of Python and of Locust: ``versions.py --help``.

Each pair gets an environment of its own in a temporary folder, with the pins of
requirements-dev.txt, but for a Locust other than the pinned one, and what that one needs. Prints a
line for each, as in docs/reference/versions.md. The choice ``quick`` takes the tests that start no
process, and a few that do; it is about 5 minutes a pair.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "requirements-dev.txt"
SAYS = "import locust, platform; print(platform.python_version(), locust.__version__)"
#: What a test file has that starts processes.
STARTS = re.compile(
    r"tests\.helpers\.(real|plays|browser|chromium|proxies)|subprocess|fake_gcs|promtool"
)
#: Of those, what runs all the same: users, endings, workers, a master that died, the page.
REAL = (
    "tests/runs/test_users.py", "tests/runs/test_endings.py", "tests/runs/test_distributed.py",
    "tests/runs/test_distributed_webui.py", "tests/runs/test_resume.py",
)  # fmt: skip


def main() -> int:
    """Try every pair; the exit code is 1 if tests of one failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters")
    parser.add_argument("--locust", nargs="+", default=["pinned"], help="versions, or pinned")
    parser.add_argument("--tests", nargs="+", default=["quick"], help="quick, all, or paths")
    given = parser.parse_args()
    tests = {"quick": [*quick(), *REAL], "all": []}.get(given.tests[0], given.tests)
    print("| Python | Locust | tests | time |\n|---|---|---|---|")
    good = True
    for python in given.python:
        for locust in given.locust:
            with tempfile.TemporaryDirectory(prefix="kiosk-locust-") as folder:
                good &= try_pair(python, locust, tests, Path(folder))
    return 0 if good else 1


def quick() -> list[str]:
    """The test files that start no process."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(f.relative_to(ROOT)) for f in files if not STARTS.search(f.read_text("utf-8"))]


def try_pair(interpreter: str, locust: str, tests: list[str], folder: Path) -> bool:
    """Install and test one pair, and print its line; whether all passed."""
    python = str(folder / "bin" / "python")
    subprocess.run([interpreter, "-m", venv.__name__, folder], check=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    if subprocess.run([*pip, "--require-hashes", "-r", PINS], check=False).returncode:
        print(f"| {interpreter} | {locust} | could not be installed |  |", flush=True)
        return False
    if locust != "pinned":
        subprocess.run([*pip, f"locust=={locust}"], check=True)
    began = time.monotonic()
    done = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1:] or [done.stderr[-500:]]
    told = re.sub(r" in [\d.]+s.*", "", last[0].strip("= "))
    minutes = (time.monotonic() - began) / 60
    versions = subprocess.run(
        [python, "-c", SAYS],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    print(f"| {versions[0]} | {versions[-1]} | {told} | {minutes:.1f} min |", flush=True)
    if done.returncode:
        sys.stderr.write("".join(re.findall(r"^(?:FAILED|ERROR).*\n", done.stdout, re.MULTILINE)))
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
