"""Members of a ZIP, as their readers in the Kiosk's consumers take them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from kiosk_locust.model.input_file import Checks
from kiosk_locust.simulator.contents import ContentsReader
from kiosk_locust.storage.inputs import members
from kiosk_locust.storage.inputs.finding import InputFiles, Rules, find
from tests.storage.inputs import corpus

TIFF = corpus.by_tifffile(corpus.noise(256, 256))
PNG = corpus.by_pillow(corpus.noise(8, 9, 3), "PNG")
CUT = TIFF[: len(TIFF) // 2]
#: By the reader that the consumer has for the name.
MEMBERS = {
    "ok.tif": TIFF,
    "cut.tif": CUT,
    "png.tif": PNG,
    "tiff.png": TIFF,
    "cut.png": PNG[:60],
    "sub/readme.txt": b"hello",
}


def found(root: Path, checks: Checks = Checks.LENIENT, **contents: bytes) -> InputFiles:
    """What a search makes of a ZIP with these members (``__`` in a name is a dot)."""
    named = {name.replace("__", "."): data for name, data in contents.items()}
    (root / "a.zip").write_bytes(corpus.zipped(named))
    return find(root / "a.zip", Rules(checks))


def doubt(root: Path, **contents: bytes) -> str:
    return "; ".join(one.reason for one in found(root, Checks.LENIENT, **contents).doubts)


def is_read(name: str, data: bytes) -> bool:
    """Whether the library that a consumer has for the name reads all of it."""
    try:
        if name.endswith(".tif"):
            tifffile.TiffFile(io.BytesIO(data)).asarray()
        else:
            np.asarray(Image.open(io.BytesIO(data)))
    except (ValueError, OSError, tifffile.TiffFileError):
        return False
    return True


def test_images_that_differ_in_their_axes_are_a_doubt(tmp_path: Path) -> None:
    assert "different axes (YX of 'a.tif', YXS of 'b.png')" in doubt(
        tmp_path, a__tif=TIFF, b__png=PNG
    )


def test_a_doubt_of_a_zip_skips_it_where_checks_are_strict(tmp_path: Path) -> None:
    (skipped,) = found(tmp_path, Checks.STRICT, a__tif=TIFF, b__png=PNG).skipped
    assert "different axes" in skipped.reason


def test_a_tiff_in_a_zip_that_was_cut_off_is_a_doubt(tmp_path: Path) -> None:
    assert doubt(tmp_path, ok__tif=TIFF, cut__tif=CUT) == (
        "is a ZIP 1 of whose files would fail (such as 'cut.tif', which is a TIFF that was cut off)"
    )


def test_a_file_in_a_zip_that_is_no_image_is_told_since_it_becomes_a_job(tmp_path: Path) -> None:
    assert "'readme.txt', which is no image" in doubt(tmp_path, ok__tif=TIFF, readme__txt=b"hello")


def test_a_zip_of_whole_images_alike_is_in_no_doubt(tmp_path: Path) -> None:
    assert doubt(tmp_path, a__tif=TIFF, b__tif=TIFF) == ""


@pytest.mark.parametrize("name", [name for name in MEMBERS if not name.endswith(".txt")])
def test_a_member_is_in_doubt_where_the_reader_by_its_name_fails(name: str, tmp_path: Path) -> None:
    other = {"ok.tif": TIFF} if name.endswith(".tif") else {"ok.png": PNG}
    (tmp_path / "a.zip").write_bytes(corpus.zipped({**other, name: MEMBERS[name]}))
    remarks = find(tmp_path / "a.zip").doubts
    fails = any("would fail" in one.reason for one in remarks)
    assert fails is not is_read(name, MEMBERS[name])


def test_the_simulated_kiosk_fails_on_the_members_that_its_readers_fail_on(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(corpus.zipped(MEMBERS))
    seen = ContentsReader(tmp_path).look("a.zip")
    assert seen is not None
    assert seen.children is not None
    errors = {image.name: image.error for image in seen.children}
    fails = {name: not is_read(name, data) for name, data in MEMBERS.items()}
    assert {name: bool(error) for name, error in errors.items()} == fails
    assert errors["cut.tif"].startswith("ValueError: failed to read")


def test_the_simulated_kiosk_fails_on_a_file_that_was_cut_off(tmp_path: Path) -> None:
    (tmp_path / "cut.tif").write_bytes(CUT)
    seen = ContentsReader(tmp_path).look("cut.tif")
    assert seen is not None
    assert seen.image.error.startswith("ValueError: failed to read")


def test_no_more_of_a_zip_is_unpacked_than_the_bounds_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    whole = zipfile.ZipFile.read

    def counting(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
        opened.append(member.filename)
        return whole(archive, member)

    monkeypatch.setattr(zipfile.ZipFile, "read", counting)
    monkeypatch.setattr(members, "MOST_BYTES", 3 * len(TIFF))
    (tmp_path / "a.zip").write_bytes(corpus.zipped({f"{n:03}.tif": TIFF for n in range(200)}))
    find(tmp_path / "a.zip")
    assert len(opened) == members.MOST_ARRAYS + 3
