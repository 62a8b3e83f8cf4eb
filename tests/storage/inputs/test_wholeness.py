"""Our verdict on files that were cut off, against what tifffile and Pillow read of them.

The readers have the last word: a file counts as whole where they return all that the uncut file
had. ``benchmarks/inputs.py`` does the same with many more cuts.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from kiosk_locust.consumer.arrays import array_of
from kiosk_locust.storage.inputs.kinds import NoInput, inspect_file
from tests.storage.inputs import corpus
from tests.storage.inputs.rare_jpegs import RARE_JPEGS

#: Files are cut here and there, and at each of their last bytes.
CUTS, LAST_BYTES = 40, 24
#: Further pages that are missing might have belonged to the series that is read.
UNDECIDED = {"two series"}


def read_by_tifffile(data: bytes) -> Any:
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            return file.asarray()
    except Exception:  # noqa: BLE001  it raises many kinds
        return None


def read_by_pillow(data: bytes) -> Any:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return np.asarray(image)
    except Exception:  # noqa: BLE001  it raises many kinds
        return None


def verdict(path: Path) -> str:
    try:
        return "doubt" if inspect_file(path).doubt else "whole"
    except NoInput:
        return "fault"


def is_for_pillow(data: bytes) -> bool:
    """Whether a TIFF keeps a name that Pillow reads it by."""
    return array_of(io.BytesIO(data), len(data), "a.png") is not None


def disagreements(
    make: Callable[[], bytes], path: Path, read: Callable[[bytes], Any]
) -> list[tuple[int, str]]:
    """Bytes that were cut off, and our verdict, where the reader sees it otherwise."""
    data = make()
    whole = read(data)
    assert whole is not None, "the corpus is of valid files"
    lengths = {
        *range(1, len(data), max(1, len(data) // CUTS)),
        *range(len(data) - LAST_BYTES, len(data) + 1),
    }
    wrong = []
    for length in sorted(lengths):
        path.write_bytes(data[:length])
        ours, theirs = verdict(path), read(data[:length])
        is_read = theirs is not None and np.array_equal(whole, theirs)
        if (ours, is_read) in {("fault", True), ("whole", False)}:
            wrong.append((len(data) - length, ours))
    return wrong


@pytest.mark.parametrize("name", sorted(set(corpus.TIFFS) - UNDECIDED))
def test_a_tiff_is_whole_where_tifffile_reads_all_of_it(tmp_path: Path, name: str) -> None:
    assert disagreements(corpus.TIFFS[name], tmp_path / "a.tif", read_by_tifffile) == []


@pytest.mark.parametrize("name", sorted(corpus.TIFFS | corpus.LZW))
def test_a_tiff_of_another_name_is_whole_where_pillow_reads_all_of_it(
    tmp_path: Path, name: str
) -> None:
    make = (corpus.TIFFS | corpus.LZW)[name]
    if is_for_pillow(make()):
        assert disagreements(make, tmp_path / "a.png", read_by_pillow) == []


@pytest.mark.parametrize("name", corpus.PICTURES)
def test_an_image_is_whole_where_pillow_reads_all_of_it(tmp_path: Path, name: str) -> None:
    assert disagreements(corpus.PICTURES[name], tmp_path / "a.png", read_by_pillow) == []


def test_a_file_of_several_series_is_never_whole_where_the_first_is_not(tmp_path: Path) -> None:
    for cut, ours in disagreements(
        corpus.TIFFS["two series"], tmp_path / "a.tif", read_by_tifffile
    ):
        assert ours == "fault", cut


def test_a_stack_of_imagej_that_was_cut_says_how_many_of_its_planes_are_there(
    tmp_path: Path,
) -> None:
    data = corpus.stack_of_imagej(2500, words="slices")
    path = tmp_path / "stack.tif"
    path.write_bytes(data[: len(data) * 2 // 5])
    assert read_by_tifffile(path.read_bytes()).shape == (20, 30)  # one plane of 2,500
    with pytest.raises(NoInput, match=r"cut off \(it tells of 2,500 planes and has \d+\)"):
        inspect_file(path)


def test_planes_that_imagej_s_words_have_and_tifffile_does_not_count_are_a_doubt(
    tmp_path: Path,
) -> None:
    data = corpus.stack_of_imagej(9, words="nothing")
    assert read_by_tifffile(data).shape == (20, 30)
    path = tmp_path / "stack.tif"
    path.write_bytes(data)
    assert "tells of 9 planes, of which the Kiosk reads 1" in inspect_file(path).doubt


def test_a_stack_with_one_directory_is_not_left_to_pillow_which_would_read_one_plane(
    tmp_path: Path,
) -> None:
    data = corpus.stack_of_imagej(9, words="slices")
    assert read_by_pillow(data).shape == (20, 30)
    path = tmp_path / "stack.png"
    path.write_bytes(data)
    array = inspect_file(path).array
    assert array is not None
    assert (array.reader, array.shape) == ("tifffile", read_by_tifffile(data).shape)


def test_a_stack_whose_later_directories_are_cut_off_keeps_its_array(tmp_path: Path) -> None:
    data = corpus.TIFFS["ImageJ"]()[:-30]
    path = tmp_path / "stack.tif"
    path.write_bytes(data)
    look = inspect_file(path)
    assert look.doubt
    assert look.array is not None
    assert look.array.shape == read_by_tifffile(data).shape == (3, 20, 30)


def frame_changed(data: bytes, *, code: int | None = None, bits: int | None = None) -> bytes:
    """A JPEG whose frame header says something else."""
    at = data.index(b"\xff\xc0")
    changed = bytearray(data)
    if code is not None:
        changed[at + 1] = code
    if bits is not None:
        changed[at + 4] = bits
    return bytes(changed)


@pytest.mark.parametrize(("name", "bits"), [("12 bits", 12), ("lossless, 16 bits", 16)])
def test_a_jpeg_of_more_bits_is_refused_with_what_to_do(
    tmp_path: Path, name: str, bits: int
) -> None:
    assert read_by_pillow(RARE_JPEGS[name]) is None
    path = tmp_path / "a.jpg"
    path.write_bytes(RARE_JPEGS[name])
    why = rf"JPEG of {bits} bits, of which the Kiosk reads 8 \(save it as"
    with pytest.raises(NoInput, match=why):
        inspect_file(path)


@pytest.mark.parametrize("name", [name for name in RARE_JPEGS if "bits" not in name])
def test_a_jpeg_that_this_pillow_reads_and_an_older_one_may_not_is_a_doubt(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(RARE_JPEGS[name])
    look = inspect_file(path)
    assert "which not every Pillow reads" in look.doubt
    assert name.split(",", maxsplit=1)[0] in look.doubt
    assert look.array is not None
    pixels = read_by_pillow(RARE_JPEGS[name])
    assert look.array.shape == (*pixels.shape, 1)[:3]


@pytest.mark.parametrize(
    ("code", "reason"),
    [(0xC7, "lossless"), (0xCB, "lossless"), (0xC5, "hierarchical"), (0xCE, "hierarchical")],
)
def test_a_jpeg_that_libjpeg_does_not_decode_is_refused(
    tmp_path: Path, code: int, reason: str
) -> None:
    data = frame_changed(corpus.PICTURES["jpeg"](), code=code)
    assert read_by_pillow(data) is None
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    with pytest.raises(NoInput, match=reason):
        inspect_file(path)


def test_a_jpeg_with_much_behind_its_end_is_whole(tmp_path: Path) -> None:
    data = corpus.PICTURES["jpeg, progressive"]() + bytes(3_000_000)
    assert read_by_pillow(data) is not None
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert not inspect_file(path).doubt


def test_a_mark_across_two_pieces_of_a_jpeg_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = corpus.PICTURES["jpeg, bytes behind its end"]()
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    for piece in range(2, 120):
        monkeypatch.setattr("kiosk_locust.consumer.jpeg._PIECE_BYTES", piece)
        assert not inspect_file(path).doubt


@pytest.mark.parametrize("form", ["GIF", "BMP", "WEBP", "JPEG2000", "PPM"])
def test_whatever_else_pillow_opens_is_taken_and_never_left_to_tifffile(
    tmp_path: Path, form: str
) -> None:
    from kiosk_locust.model.input_file import InputFile

    path = tmp_path / "a.tif"
    path.write_bytes(corpus.by_pillow(corpus.noise(20, 30), form))
    kind = inspect_file(path).kind
    name = InputFile("a.tif", 1, kind, 1).image_name
    assert not name.endswith((".tif", ".tiff"))
    assert read_by_pillow(path.read_bytes()) is not None
