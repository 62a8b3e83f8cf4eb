"""A run of one ticket as real processes know it: Locust with the plugin, and real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.helpers.real import Finished, Locust
from tests.hostile.came import Came
from tests.hostile.kiosk import LASTS_S
from tests.hostile.served import Served
from tests.hostile.table import DOWNLOAD, EVER, NO_START, UPLOAD, WHILE, Cell
from tests.storage.inputs import pictures

#: Longer than a start's patience (5 s), shorter than a dripping server takes (20 s and more); and
#: as with what people have (30 s), no expiry is tried for the third time within 20 s of hanging.
REQUEST_TIMEOUT_S = 12
RETRY_BUDGET_S = 4
LIMIT_S = 300.0


def play(cell: Cell, folder: Path, lasts_s: float = LASTS_S[WHILE]) -> tuple[Came, int]:
    """Play one cell in a folder of its own; what came, and how often the fault struck."""
    settings: dict[str, Any] = {"REQUEST_TIMEOUT": str(REQUEST_TIMEOUT_S)}
    if cell.spell == EVER:
        settings["RETRY_BUDGET"] = str(RETRY_BUDGET_S)
    if cell.call == UPLOAD:
        pictures.png(folder / "image.png")
        settings |= {"UPLOAD": "true", "FILE": "image.png"}
    if cell.call == DOWNLOAD:
        settings["DOWNLOAD_RESULTS"] = "true"
    with Served(cell, lasts_s) as served:
        locust = Locust(folder, "-u", "1", host=served.url, **settings)
        finished = locust.finish(LIMIT_S)
        return _came(finished, served), served.struck


def _came(finished: Finished, served: Served) -> Came:
    submissions, jobs = served.kiosk.submissions, len(served.kiosk.jobs)
    last = finished.output.splitlines()[-1]
    assert last.startswith(f"exit code {finished.code}: "), finished.output
    assert "Traceback" not in finished.output, finished.output
    if not finished.jobs:
        return Came(NO_START, finished.code, submissions, jobs, False, last)
    (job,) = finished.jobs
    words = job["reason"] or job["expire_error"] or (job["download"] or {}).get("error") or ""
    return Came(job["outcome"], finished.code, submissions, jobs, job["ambiguous"], words)
