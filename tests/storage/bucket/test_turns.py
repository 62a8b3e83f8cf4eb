"""That an upload keeps nobody waiting."""

from __future__ import annotations

import subprocess
import sys

from tests.helpers.real import CLEAN, PYTHONPATH, ROOT


def test_other_greenlets_get_their_turn_while_40_megabytes_go_up_and_down(fake_gcs: str) -> None:
    """By processor time, which what else the machine does cannot spoil."""
    assert fake_gcs
    said = subprocess.run(
        [sys.executable, "benchmarks/bucket.py", "40"],
        cwd=ROOT,
        env=CLEAN | {"PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    ).stdout
    worked_ms = {
        line.split()[0]: float(line.split(";")[1].split()[0]) for line in said.splitlines()
    }
    assert worked_ms.keys() == {"idle", "upload", "download"}
    assert max(worked_ms.values()) < 50, said
