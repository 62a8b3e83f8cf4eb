"""The simulated Kiosk reads what was uploaded, and does with it as the real consumers do."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.contents import ContentsReader
from kiosk_locust.simulator.settings import ClusterSettings
from tests.consumer.test_archive import raw_zip
from tests.simulator.models import START, STEADY, form


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    (tmp_path / "uploads").mkdir()
    grey = np.zeros((20, 30), np.uint8)
    tifffile.imwrite(tmp_path / "uploads" / "grey.tif", grey)
    Image.fromarray(grey).save(tmp_path / "uploads" / "grey.png")
    Image.fromarray(grey).save(tmp_path / "uploads" / "jpeg.tif", "JPEG")
    (tmp_path / "uploads" / "text.png").write_bytes(b"remember the milk")
    return tmp_path


def kiosk_of(bucket: Path) -> Cluster:
    return Cluster(ClusterSettings(**STEADY), START, look=ContentsReader(bucket).look)


def packed(bucket: Path, names: list[str]) -> None:
    image = (bucket / "uploads" / "grey.png").read_bytes()
    (bucket / "uploads" / "set.zip").write_bytes(raw_zip(names, image))


@pytest.mark.parametrize(
    ("name", "order", "reason"),
    [
        ("grey.tif", "XY", ""),
        ("grey.tif", "XYB", "Input dimension order was XYB but input image has shape (20, 30)"),
        ("grey.png", "XYB", ""),
        ("grey.png", "XYC", ""),
        ("grey.png", "XY", "Input dimension order was XY but input image has shape (20, 30, 1)"),
        ("jpeg.tif", "XYB", "cannot identify image file"),
        ("text.png", "XYB", "cannot identify image file"),
        ("not there.tif", "XYB", ""),
    ],
)
def test_a_file_fails_where_its_array_does_not_fit_the_form(
    bucket: Path, name: str, order: str, reason: str
) -> None:
    kiosk = kiosk_of(bucket)
    asked = {"dimensionOrder": order, "selectedChannels": "0,,"}
    found = kiosk.read(kiosk.submit(form(name, jobForm=asked), START), START + 60)
    assert found["status"] == ("failed" if reason else "done")
    assert reason in found.get("reason", "")


@pytest.mark.parametrize("channels", ["0,,", "0,1,"])
def test_mesmer_fails_on_channels_that_are_no_whole_numbers(bucket: Path, channels: str) -> None:
    kiosk = kiosk_of(bucket)
    asked = form("a.tif", jobType="mesmer", jobForm={"selectedChannels": channels})
    found = kiosk.read(kiosk.submit(asked, START), START + 60)
    assert found["status"] == "failed"
    assert "ValueError: invalid literal for int() with base 10: ''" in found["reason"]
    assert "download_time" in found


def test_a_zip_s_children_are_those_in_it_and_texts_fail(bucket: Path) -> None:
    packed(bucket, ["in/", "in/a.png", "a.png", "a.png", "__MACOSX/b.png", "README", "c.d\\e.png"])
    kiosk = kiosk_of(bucket)
    key = kiosk.submit(form("set.zip"), START)
    found = kiosk.read(key, START + 60)
    names = [child.split(":")[1] for child in found["children"].split(",")]
    assert names == ["in/a.png", "a.png", "a.png", "c.d\\e.png"]
    assert found["total_jobs"] == "4"
    with zipfile.ZipFile(bucket / "uploads" / "set.zip", "a") as archive:
        archive.writestr("._a.png", b"no image")
    again = kiosk.read(kiosk.submit(form("set.zip"), START + 100), START + 160)
    assert again["status"] == "done"
    (failed,) = again["children:failed"].split(",")
    assert failed.startswith("segmentation:._a.png:")
    assert again["total_jobs"] == "5"


def test_a_zip_without_children_ends_done_with_one_job_and_none(bucket: Path) -> None:
    packed(bucket, ["README", "in/", ".DS_Store"])
    kiosk = kiosk_of(bucket)
    found = kiosk.read(kiosk.submit(form("set.zip"), START), START + 60)
    assert (found["status"], found["total_jobs"], found["children"]) == ("done", "1", "")
    assert found["children:done"] == found["children:failed"] == ""
    assert "total_time" not in found


def test_a_zip_with_a_comma_in_a_child_s_name_waits_for_ever_and_is_touched(bucket: Path) -> None:
    packed(bucket, ["a.png", "b,c.png"])
    kiosk = kiosk_of(bucket)
    key = kiosk.submit(form("set.zip"), START)
    early, late = kiosk.read(key, START + 60), kiosk.read(key, START + 9000)
    assert early["status"] == late["status"] == "waiting"
    assert len(late["children"].split(",")) == 3
    assert [child.split(":")[1] for child in late["children:done"].split(",")] == ["a.png"]
    assert late["updated_at"] > early["updated_at"]  # its consumer looks again and again


def test_what_is_no_zip_fails_as_a_zip(bucket: Path) -> None:
    (bucket / "uploads" / "set.zip").write_bytes(b"no ZIP")
    kiosk = kiosk_of(bucket)
    found = kiosk.read(kiosk.submit(form("set.zip"), START), START + 60)
    assert (found["status"], "children" in found) == ("failed", False)


def test_nothing_outside_of_the_folder_is_read(bucket: Path) -> None:
    (bucket / "secret.png").write_bytes(b"x")
    reader = ContentsReader(bucket / "uploads")
    assert reader.look("../secret.png") is None
    assert reader.look(str(bucket / "secret.png")) is None
    assert reader.look("a\0b") is None
    assert reader.look("") is None


def test_a_zip_that_zipfile_cannot_unpack_fails(bucket: Path) -> None:
    packed(bucket, ["a.png"])
    path = bucket / "uploads" / "set.zip"
    data = bytearray(path.read_bytes())
    for magic, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(magic) + at] = 9  # Deflate64
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive, pytest.raises(NotImplementedError):
        archive.read("a.png")
    kiosk = kiosk_of(bucket)
    assert kiosk.read(kiosk.submit(form("set.zip"), START), START + 60)["status"] == "failed"
