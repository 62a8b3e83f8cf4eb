"""A start that is refused leaves the folder as it was: no files beside a ledger."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.helpers.real import Locust, run_locust, simulator, wait_until

SLOW = ("--predict-s=0.5",)


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "results").iterdir()}


def test_a_refused_resume_of_a_finished_run_leaves_no_file_behind(tmp_path: Path) -> None:
    with simulator() as kiosk:
        assert run_locust(tmp_path, "-u", "3", "--run-name", "a", host=kiosk.url).code == 0
        before = files(tmp_path)
        for more in (("--resume", "a"), ("--resume", "a", "--count", "9")):
            left = run_locust(tmp_path, *more, host=kiosk.url)
            assert (left.code, "is finished" in left.output) == (2, True)
            assert files(tmp_path) == before
        assert run_locust(tmp_path, "--resume-or-start", "a", host=kiosk.url).code == 0
        assert files(tmp_path) == before


def test_a_refused_resume_of_a_killed_run_leaves_its_ledger_alone_there(tmp_path: Path) -> None:
    with simulator(*SLOW) as kiosk:
        run = Locust(tmp_path, "-u", "20", "-r", "10", "--run-name", "b", host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) >= 5, what="5 submissions")
        run.signal(signal.SIGKILL)
        run.finish()
    refusals = {  # the settings make another plan; nobody is there
        "cannot be used": ("--count", "61"),
        "cannot be reached": (),
    }
    for said, more in refusals.items():
        left = run_locust(tmp_path, "--resume", "b", *more, host=kiosk.url)
        assert (left.code, said in left.output) == (2, True), left.output
        beside = {name for name in files(tmp_path) if name.endswith(("-wal", "-shm", "-journal"))}
        assert beside == set()
