"""Folders are tried by writing, by many processes at once, and nothing is left in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.helpers.real import CLEAN, PYTHONPATH

PROGRAM = """
from pathlib import Path
from kiosk_locust.config.folders import check_folder
for _ in range(300):
    check_folder(Path("a/b"))
"""


def test_processes_that_try_one_folder_at_once_do_not_refuse_it(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=tmp_path,
            env=CLEAN | {"PYTHONPATH": PYTHONPATH},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[1] for process in processes] == ["", "", ""]
    assert list(tmp_path.iterdir()) == []
