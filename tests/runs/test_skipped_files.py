"""Files that made no job are told at the start, and again where the run ends."""

from __future__ import annotations

import json
from pathlib import Path

from tests.helpers.real import run_locust, simulator
from tests.storage.inputs import pictures


def test_what_was_skipped_stands_on_the_last_screen_and_in_the_results(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    pictures.png(root / "good.png")
    for name in ("a.txt", "b.txt"):
        (root / name).write_text("no image")
    (root / "empty.png").touch()
    with simulator("--folder", str(tmp_path / "bucket")) as kiosk:
        finished = run_locust(
            tmp_path, "--mode", "upload", "--file", str(root), "-r", "50", host=kiosk.url
        )
    assert finished.outcomes == {"done": 1}, finished.output
    line = "skipped: 3 files made no job (2: it is neither PNG, JPEG, TIFF nor ZIP; 1: it is empty)"
    end = finished.output[finished.output.rindex("written: ") :]
    assert line in end
    assert finished.output.count("3 files skipped (2:") == 1  # the folder is looked at once
    (path,) = (tmp_path / "results").glob("*.json")
    assert json.loads(path.read_text())["inputs"] == {
        "files": 1,
        "skipped": {"is neither PNG, JPEG, TIFF nor ZIP": 2, "is empty": 1},
        "in_doubt": {},
    }
