"""From the start of the process to the first byte of a submission, as the server saw it arrive.

One job on a simulated Kiosk that is there already; also how long ``import`` takes of it, and
whether packages were imported that such a run does not use. From the root of the repository:

    python -m benchmarks.startup              # 7 runs
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.helpers.real import ROOT, Locust, simulator

#: What a headless run of the plugin alone has no use for.
UNUSED = ("google.cloud.storage", "plotly", "starlette", "uvicorn", "httptools")
_IMPORT = f"""
import sys, time
began = time.perf_counter()
import locust.main
between = time.perf_counter()
import kiosk_locust.plugin.registration
print(between - began, time.perf_counter() - between, *[n for n in {UNUSED!r} if n in sys.modules])
"""


def main() -> None:
    """Print a line for each run, then the median."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=7)
    asked = parser.parse_args()
    found = []
    for _ in range(asked.runs):
        with simulator() as kiosk, tempfile.TemporaryDirectory() as folder:
            began_at = time.time()
            Locust(Path(folder), "-u", "1", host=kiosk.url).finish()
            found.append(kiosk.submissions[0]["at"] - began_at)
        words = subprocess.run(
            [sys.executable, "-c", _IMPORT], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        locusts, ours = map(float, words[:2])
        print(
            f"first submission after {found[-1]:.2f} s; imports: Locust {locusts:.2f} s, the plugin"
            f" {ours:.2f} s more; unused packages imported: {' '.join(words[2:]) or 'none'}",
            flush=True,
        )
    print(f"median: {statistics.median(found):.2f} s")


if __name__ == "__main__":
    main()
