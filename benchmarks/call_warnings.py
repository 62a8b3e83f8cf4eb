"""How soon a run says that its calls fail, and that they work again: call by call, fault by fault.

Real processes on loopback: the simulated Kiosk fails one kind of call (for "refused", a proxy
before it refuses every connection), the output of a run is read as a person would. Then 40 MB are
uploaded through a frontend that needs 40 s for them. From the root of the repository:

    python -m benchmarks.call_warnings                    # all: about eight minutes
    python -m benchmarks.call_warnings "poll, 502"        # these alone
    python -m benchmarks.call_warnings "40 MB in 40 s"
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import tifffile

from tests.helpers.proxies import Proxy
from tests.helpers.real import Locust, Simulator, simulator, wait_until
from tests.storage.inputs import pictures

PATHS = {
    "submission": "POST /api/predict",
    "poll": "POST /api/redis",
    "upload": "POST /api/upload",
    "expiry": "POST /api/redis/expire",
    "download": "GET /storage/*",
}
FAULTS = {
    "reset": "drop",
    "hang": "hang",
    "500": "status=500",
    "502": "status=502",
    "503": "status=503",
    "late": "latency=8",
}
#: Who is refused a connection polls in vain before anything could expire or be downloaded.
REFUSED = ("submission", "poll", "upload")
CELLS = [
    *(f"{call}, refused" for call in REFUSED),
    *(f"{call}, {fault}" for call in PATHS for fault in FAULTS),
]
LARGE = "40 MB in 40 s"
SETTINGS: dict[str, Any] = {  # as Locust's constructor mixes them with its own arguments
    "REQUEST_TIMEOUT": "5",
    "UPDATE_INTERVAL": "1",
    "MANAGER_REFRESH_RATE": "1",
    "DOWNLOAD_RESULTS": "true",
}
HEADS = ("call, fault", "said after", "on the progress line", "healed is said after", "exit code")


def play(cell: str) -> tuple[str, ...]:
    """One cell of the matrix, as a line of the table."""
    call, _, fault = cell.partition(", ")
    folder = Path(tempfile.mkdtemp(prefix="kiosk_locust_warnings_"))
    pictures.folder_of(folder, 1)
    with simulator() as kiosk, Proxy(urlsplit(kiosk.url).port or 0) as proxy:
        run = Locust(
            *(folder, "--count", "40", "--start-delay", "1"),
            host=f"http://127.0.0.1:{proxy.port}",
            **SETTINGS
            | ({"UPLOAD": "true", "FILE": _a_picture(folder)} if call == "upload" else {}),
        )
        path = PATHS[call]
        wait_until(lambda: _count(kiosk, path) >= 3, 60, what=f"three of {path}")
        plural = "expiries" if call == "expiry" else f"{call}s"
        begun = time.monotonic()
        if fault == "refused":
            proxy.refuse()
            proxy.drop()
        else:
            kiosk.set_faults(f"{path} {FAULTS[fault]}")
        wait_until(lambda: f"no {call}" in run.output, 60, what=f"{cell}: a warning")
        said_s = time.monotonic() - begun
        wait_until(
            lambda: f"{plural} FAIL" in run.output or f"ANSWER to {plural}" in run.output,
            10,
            what=f"{cell}: the progress line",
        )
        shown_s = time.monotonic() - begun
        healed = time.monotonic()
        if fault == "refused":
            proxy.accept()
        else:
            kiosk.set_faults()
        again = (f"{plural} work again", f"{plural} are answered again")
        wait_until(lambda: any(each in run.output for each in again), 90, what=f"{cell}: its end")
        healed_s = time.monotonic() - healed
        code = run.finish(180).code
    return cell, f"{said_s:.1f} s", f"{shown_s:.1f} s", f"{healed_s:.1f} s", str(code)


def _play(cell: str) -> tuple[str, ...]:
    """The same; a cell that does not come to its end says at what."""
    try:
        return play(cell)
    except AssertionError as error:
        return cell, "", str(error), "", ""


def _a_picture(folder: Path) -> str:
    return str(next(path for path in sorted(folder.iterdir()) if path.suffix == ".png"))


def _count(kiosk: Simulator, path: str) -> int:
    name = path.replace("/storage/*", "/storage/")
    return kiosk.requests[name]


def large() -> tuple[str, ...]:
    """40 MB through a frontend that passes on 1 MB/s, with the default REQUEST_TIMEOUT."""
    folder = Path(tempfile.mkdtemp(prefix="kiosk_locust_warnings_"))
    with simulator("--upload-mb-per-s", "1", "--folder", str(folder / "bucket")) as kiosk:
        file = folder / "large.tif"
        tifffile.imwrite(file, np.zeros((5000, 8000), np.uint8))
        begun = time.monotonic()
        run = Locust(folder, "--count", "1", host=kiosk.url, UPLOAD="true", FILE=str(file))
        code = run.finish(300).code
        sizes = [stored["size"] for stored in kiosk.uploads]
    took_s = time.monotonic() - begun
    return LARGE, f"{len(sizes)} whole upload(s) of {sizes} bytes", f"{took_s:.0f} s", "", str(code)


def main() -> int:
    """Play them, two at a time, and print the table; 1 where one was said later than 15 s."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("cell", nargs="*", help=f"of {'; '.join([*CELLS, LARGE])}; all by default")
    parser.add_argument("--at-once", type=int, default=4, help="runs at a time")
    asked = parser.parse_args()
    cells = [cell for cell in CELLS if not asked.cell or cell in asked.cell]
    rows = [HEADS, ("---",) * len(HEADS)]
    print("\n".join("| " + " | ".join(each) + " |" for each in rows), flush=True)
    late = False
    with ThreadPoolExecutor(asked.at_once) as pool:
        for row in pool.map(_play, cells):
            print("| " + " | ".join(row) + " |", flush=True)
            late |= not row[1] or float(row[1].split()[0]) > 15
    if not asked.cell or LARGE in asked.cell:
        print("| " + " | ".join(large()) + " |", flush=True)
    return late


if __name__ == "__main__":
    sys.exit(main())
