"""What runs send for each job type and file, as the Kiosk receives it, and what they refuse."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.consumer.test_archive import raw_zip
from tests.consumer.test_arrays import FILES, as_the_consumer_reads
from tests.helpers.real import Finished, Simulator, run_locust, simulator
from tests.storage.inputs import pictures

pytestmark = [pytest.mark.proof, pytest.mark.whole]  # scripts/proof --whole runs it

#: Files of ordinary formats; the hyperstacks of four and five axes are for nobody's consumer.
ORDINARY = [name for name in FILES if name not in ("a png without a suffix", "tiff-deflated")]
TOO_MANY_AXES = {"imagej-zc.tif", "imagej-tzc.tif", "ome-zc.ome.tif", "ome-tczyx.ome.tif"}


def forms(kiosk: Simulator) -> list[dict[str, Any]]:
    return [job["body"].get("jobForm", {}) for job in kiosk.submissions]


def upload(kiosk: Simulator, folder: Path, root: Path, *arguments: str) -> Finished:
    given = ("--mode", "upload", "--file", str(root), "-r", "50", *arguments)
    return run_locust(folder, *given, host=kiosk.url)


def test_ordinary_files_all_fit_the_form_that_they_are_sent_with(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for name in ORDINARY:
        FILES[name](root / name)
    bucket = tmp_path / "bucket"
    with simulator("--folder", str(bucket)) as kiosk:
        finished = upload(kiosk, tmp_path, root)
        sent = [job["body"] for job in kiosk.submissions]
    assert {body["imageName"] for body in sent} == set(ORDINARY) - TOO_MANY_AXES
    assert finished.outcomes == {"done": len(sent)}, finished.output
    assert f"{len(TOO_MANY_AXES)} files skipped" in finished.output
    for body in sent:  # the file as it lies in the bucket, under the name that it has there
        shape = as_the_consumer_reads(bucket / body["uploadedName"])
        assert len(body["jobForm"]["dimensionOrder"]) == len(shape), body["imageName"]
        assert body["jobForm"]["selectedChannels"] == "0,,"


def test_an_order_that_was_set_is_checked_against_the_files(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for name in ("grey8.tif", "grey16.tif", "rgb.png"):
        FILES[name](root / name)
    for run in ("1", "2"):
        (tmp_path / run).mkdir()
    with simulator() as kiosk:
        refused = upload(kiosk, tmp_path / "1", root, "--dimension-order", "XYB")
        assert kiosk.submissions == []
        taken = upload(kiosk, tmp_path / "2", root / "grey8.tif", "--dimension-order", "XY")
    assert refused.code == 2
    assert "2 of 3 files would fail as the segmentation jobs" in refused.output
    assert "Input dimension order was XYB but input image has shape (20, 30)" in refused.output
    assert "set DIMENSION_ORDER to what the files are, or to auto" in refused.output
    assert (taken.code, taken.outcomes) == (0, {"done": 1}), taken.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--job-type", "mesmer", "--channels", "0,1,"), "CHANNELS '0,1,': mesmer jobs take two"),
        (("--job-type", "mesmer", "--channels", "0,,"), "CHANNELS '0,,': mesmer jobs take two"),
        (("--channels", ",,"), "CHANNELS ',,': segmentation jobs take up to three"),
        (("--dimension-order", "ZXY"), "DIMENSION_ORDER 'ZXY': segmentation jobs take XY, BXY"),
        (("--job-type", "polaris", "--segmentation-type", "Tissue"), "SEGMENTATION_TYPE 'Tissue'"),
    ],
)
def test_a_form_that_fails_every_job_is_refused_before_the_first(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    with simulator() as kiosk:
        finished = run_locust(tmp_path, "--file", "a.png", *arguments, host=kiosk.url)
        assert kiosk.submissions == []
    assert finished.code == 2
    assert words in finished.output
    assert "auto" in finished.output


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        ((), {"dimensionOrder": "XYC", "selectedChannels": "0,,", "scale": 1}),
        (("--job-type", "mesmer"), {"selectedChannels": "0,1", "scale": 1}),
        (("--job-type", "mesmer", "--channels", ""), {"scale": 1}),
        (
            ("--job-type", "polaris"),
            {"selectedChannels": "0,1,2", "segmentationType": "cell culture", "scale": 1},
        ),
    ],
)
def test_the_form_is_the_job_type_s_and_what_is_empty_is_not_sent(
    arguments: tuple[str, ...], form: dict[str, Any], tmp_path: Path
) -> None:
    with simulator() as kiosk:
        finished = run_locust(tmp_path, "--file", "a.png", *arguments, host=kiosk.url)
        assert forms(kiosk) == [form]
    assert finished.code == 0, finished.output


USERS = """
from kiosk_locust import attach
from kiosk_locust.plugin.user import KioskUser

attach()


class {name}(KioskUser):
    {body}
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            'overrides = {"job_type": "mesmer", "channels": "0,1,"}',
            "CHANNELS '0,1,' of Mine: mesmer jobs take two whole numbers",
        ),
        (
            "def request(self, ticket, default):\n"
            "        return type(default)('segmentation', 'a.png', 'uploads/a.png')",
            "DIMENSION_ORDER '' of Mine: segmentation jobs take XY, BXY",
        ),
    ],
)
def test_what_a_user_class_asks_for_is_checked_too(body: str, words: str, tmp_path: Path) -> None:
    locustfile = tmp_path / "mine.py"
    locustfile.write_text(USERS.format(name="Mine", body=body))
    with simulator() as kiosk:
        finished = run_locust(tmp_path, "--file", "a.png", host=kiosk.url, locustfile=locustfile)
        assert kiosk.submissions == []
    assert finished.code == 2
    assert words in finished.output


def test_a_file_that_nobody_can_look_at_is_told_with_what_will_happen(tmp_path: Path) -> None:
    with simulator() as kiosk:
        finished = run_locust(tmp_path, "--file", "a.tif", host=kiosk.url)
        assert [form["dimensionOrder"] for form in forms(kiosk)] == ["XYB"]
    assert "a.tif cannot be looked at from here, so XYB is sent" in finished.output
    assert finished.code == 0


def test_a_tiff_keeps_a_name_under_which_pillow_reads_it(tmp_path: Path) -> None:
    root, bucket = tmp_path / "in", tmp_path / "bucket"
    root.mkdir()
    tifffile.imwrite(root / "grey.png", np.zeros((20, 30), np.uint16))
    tifffile.imwrite(root / "stack.png", np.zeros((5, 20, 30), np.uint8), photometric="minisblack")
    tifffile.imwrite(root / "scan", np.zeros((20, 30), np.uint8))
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(root / "photo.tif", "JPEG")
    with simulator("--folder", str(bucket)) as kiosk:
        finished = upload(kiosk, tmp_path, root)
        sent = {job["body"]["imageName"]: job["body"] for job in kiosk.submissions}
    # Of five pages Pillow would read the first alone; tifffile cannot read a JPEG.
    assert sent.keys() == {"grey.png", "stack.png.tif", "scan", "photo.tif.jpg"}
    orders = {name: body["jobForm"]["dimensionOrder"] for name, body in sent.items()}
    assert orders == {
        "grey.png": "XYC", "stack.png.tif": "BXY", "scan": "XYC", "photo.tif.jpg": "XYC",
    }  # fmt: skip
    assert finished.outcomes == {"done": 4}, finished.output
    assert as_the_consumer_reads(bucket / sent["stack.png.tif"]["uploadedName"]) == (5, 20, 30)


def test_caliban_gets_stacks_and_tracks_with_endings_in_lower_case(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    tifffile.imwrite(root / "cells.TIF", np.zeros((5, 20, 30), np.uint8), photometric="minisblack")
    tifffile.imwrite(root / "flat.tif", np.zeros((20, 30), np.uint8))
    pictures.png(root / "photo.png")
    shutil.make_archive(str(root / "old"), "tar", root, "flat.tif")
    (root / "old.tar").rename(root / "old.TRK")
    with simulator("--job-types=caliban") as kiosk:
        finished = upload(kiosk, tmp_path, root, "--job-type", "caliban")
        sent = Counter(job["body"]["imageName"] for job in kiosk.submissions)
        assert all(form == {"scale": 1} for form in forms(kiosk))
    assert sent == {"cells.tif": 1, "old.trk": 1}
    assert finished.outcomes == {"done": 2}, finished.output
    assert "2 files skipped" in finished.output


def test_zips_that_the_kiosk_would_not_finish_are_skipped_before_the_upload(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    image = pictures.png(root / "good.png").read_bytes()
    (root / "good.zip").write_bytes(raw_zip(["a\\b.png", "__MACOSX/a.png", "c.png"], image))
    (root / "comma.zip").write_bytes(raw_zip(["a.png", "b,c.png"], image))
    (root / "nothing.zip").write_bytes(raw_zip(["scan1", "scan2"], image))
    with simulator("--folder", str(tmp_path / "bucket")) as kiosk:
        finished = upload(kiosk, tmp_path, root)
        sent = {job["body"]["imageName"] for job in kiosk.submissions}
        assert kiosk.requests["POST /api/upload"] == 2
    assert sent == {"good.png", "good.zip"}
    assert "comma.zip is a ZIP that the Kiosk would never finish" in finished.output
    assert "rename 'b,c.png'" in finished.output
    assert "nothing.zip is a ZIP in which the Kiosk would find nothing" in finished.output
    assert finished.sql("SELECT sum(images_done), sum(images_failed) FROM tickets") == [(3, 0)]
    assert finished.sql("SELECT path, images FROM inputs") == [("good.png", 1), ("good.zip", 2)]


def test_a_zip_of_plain_tiffs_is_sent_with_the_order_of_what_is_in_it(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    tifffile.imwrite(tmp_path / "one.tif", np.zeros((20, 30), np.uint8))
    image = (tmp_path / "one.tif").read_bytes()
    (root / "set.zip").write_bytes(raw_zip(["a.tif", "b.tif"], image))
    with simulator("--folder", str(tmp_path / "bucket")) as kiosk:
        finished = upload(kiosk, tmp_path, root)
        assert [form["dimensionOrder"] for form in forms(kiosk)] == ["XY"]
    assert finished.sql("SELECT images_done, images_failed FROM tickets") == [(2, 0)]
