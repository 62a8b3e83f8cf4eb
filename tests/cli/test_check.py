"""``python -m kiosk_locust check``, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.helpers.real import CLEAN, PYTHONPATH, simulator


def check(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "kiosk_locust", "check", *arguments],
        cwd=folder,
        env=CLEAN | {"PYTHONPATH": PYTHONPATH} | environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_everybody_is_asked_and_nothing_is_submitted(tmp_path: Path) -> None:
    (tmp_path / "bucket" / "uploads").mkdir(parents=True)
    (tmp_path / "bucket" / "uploads" / "a.png").write_bytes(b"\x89PNG")
    given = ["--file=a.png", f"--storage-bucket=file://{tmp_path}/bucket"]
    with simulator() as kiosk:
        code, said = check(
            tmp_path, *given, f"--host={kiosk.url}", "--grafana-host", kiosk.url, GRAFANA_TOKEN="t"
        )
        asked = kiosk.requests
        submitted = kiosk.submissions
    assert code == 0, said
    assert f"the Kiosk: {kiosk.url} answers" in said
    assert "bucket can be used" in said
    assert f"the cost: GRAFANA_HOST ({kiosk.url}) answers" in said
    assert submitted == []
    assert not [call for call in asked if "predict" in call]


def test_all_troubles_are_told_at_once(tmp_path: Path) -> None:
    code, said = check(
        tmp_path,
        "--host=http://127.0.0.1:9",
        "--file=a.png",
        f"--storage-bucket=file://{tmp_path}/none",
        "--grafana-host=127.0.0.1:9",
    )
    assert code == 2
    assert "the Kiosk: the Kiosk cannot be reached" in said
    assert "the bucket: the bucket cannot be used" in said
    assert "the cost: GRAFANA_HOST (http://127.0.0.1:9) cannot be reached" in said


def test_mistakes_in_settings_are_told_before_anybody_is_asked(tmp_path: Path) -> None:
    code, said = check(tmp_path, "--count=-3", API_HOST="http://127.0.0.1:9")
    assert code == 2
    assert "--count = '-3'" in said
    assert "the Kiosk" not in said
