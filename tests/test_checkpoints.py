"""Checkpoints of real runs: a pod that is killed goes on elsewhere, from what its bucket has."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.lostdisk import NAME, Loss, play
from tests.real import Locust, run_locust, simulator, wait_until

SLOW = ("--predict-s=0.5",)


def folder_bucket(folder: Path) -> tuple[dict[str, str], Path]:
    """A bucket with the file that jobs work on, as settings; and where its checkpoint will be."""
    bucket = folder / "bucket"
    (bucket / "uploads").mkdir(parents=True)
    (bucket / "uploads" / "image.png").write_bytes(b"image")
    settings = {"STORAGE_BUCKET": bucket.as_uri()}
    return settings, bucket / "output" / NAME / "checkpoint.db.gz"


@pytest.mark.parametrize("loss", [Loss(), Loss(closed=True, users=12)], ids=["open", "closed"])
def test_a_run_whose_disk_is_lost_goes_on_from_its_bucket(tmp_path: Path, loss: Loss) -> None:
    settings, checkpoint = folder_bucket(tmp_path)
    with simulator(*SLOW) as kiosk:
        came = play(kiosk, tmp_path, loss, settings, checkpoint.exists)
    judgement = came.judgement
    assert judgement.complaints == (), came.outputs[-1]
    assert judgement.closed == judgement.tickets == 60
    assert 60 <= judgement.submissions <= 60 + judgement.ambiguous
    assert 0 < judgement.ambiguous < 60
    assert "there is none on this disk" in came.outputs[-1]
    assert "may have been submitted since then" in came.outputs[-1]
