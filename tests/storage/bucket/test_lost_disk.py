"""A run goes on from the checkpoint in a bucket of Google's, as fake-gcs-server plays it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import requests

from tests.helpers.lostdisk import NAME, Loss, play
from tests.helpers.real import simulator
from tests.storage.bucket.conftest import BUCKET


def test_a_run_whose_disk_is_lost_goes_on_from_googles_bucket(
    tmp_path: Path, fake_gcs: str
) -> None:
    put_object(fake_gcs, "uploads/image.png", b"image")
    settings = {"STORAGE_BUCKET": f"gs://{BUCKET}/lost", "STORAGE_EMULATOR_HOST": fake_gcs}
    with simulator("--predict-s=0.5") as kiosk:
        came = play(
            kiosk,
            tmp_path,
            Loss(jobs=28, kill_after=(16,)),
            settings,
            lambda: bool(generation(fake_gcs, f"lost/output/{NAME}/checkpoint.db.gz")),
        )
    judgement = came.judgement
    assert judgement.complaints == (), came.outputs[-1]
    assert judgement.closed == judgement.tickets == 28
    assert 28 <= judgement.submissions <= 28 + judgement.ambiguous


def put_object(fake_gcs: str, name: str, content: bytes) -> None:
    where = f"{fake_gcs}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}"
    requests.post(where, data=content, timeout=10).raise_for_status()


def generation(fake_gcs: str, name: str) -> str:
    """As the server itself tells it; empty where it has no such object."""
    where = f"{fake_gcs}/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}"
    return str(requests.get(where, timeout=10).json().get("generation", ""))
