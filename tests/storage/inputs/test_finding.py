"""What a folder holds: every image and ZIP, in order, and a reason for everything else."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from kiosk_locust.model.file_remarks import tell_skipped
from kiosk_locust.model.input_file import InputFile, Kind
from kiosk_locust.storage.inputs.finding import find
from tests.storage.inputs import pictures


def test_a_folder_gives_its_images_and_zips_in_order_and_skips_the_junk_with_reasons(
    tmp_path: Path,
) -> None:
    root = tmp_path / "in"
    root.mkdir()
    good, junk = pictures.folder_of(root, 40)
    found = find(root)
    assert [file.path for file in found.files] == good
    assert [one.path for one in found.skipped] == junk
    assert all(one.reason for one in found.skipped)
    assert found == find(root)
    for file in found.files:
        assert file.size == (root / file.path).stat().st_size


def test_the_reasons_say_what_is_wrong(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    pictures.junk(root)
    reasons = {one.path: one.reason for one in find(root).skipped}
    assert reasons["empty.png"] == "is empty"
    assert reasons[".hidden.png"] == "is hidden"
    assert reasons["outside.png"].startswith("is a link that leads out of the folder (FOLLOW_SYM")
    assert reasons["pipe.png"] == "is no file"
    assert reasons["letter.docx"].startswith("is a ZIP without images (none of the 1 files in it")
    assert reasons["notes.txt"] == "is neither PNG, JPEG, TIFF nor ZIP"
    assert reasons["cut.tif"] == "is a TIFF that was cut off"
    assert reasons["gone.png"] == "is a link that leads nowhere"


def test_links_within_the_folder_count_as_files_and_linked_folders_do_not(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    pictures.png(tmp_path / "a" / "x.png")
    (tmp_path / "again.png").symlink_to(tmp_path / "a" / "x.png")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = find(tmp_path)
    assert [file.path for file in found.files] == ["a/x.png", "again.png"]
    assert [str(one) for one in found.skipped] == [
        "loop is a link to a folder (FOLLOW_SYMLINKS=true enters it)"
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_skipped_with_the_reason(tmp_path: Path) -> None:
    pictures.png(tmp_path / "secret.png").chmod(0)
    (tmp_path / "closed").mkdir(mode=0)
    found = find(tmp_path)
    assert [str(one) for one in found.skipped] == [
        "closed cannot be read (Permission denied)",
        "secret.png cannot be read (Permission denied)",
    ]


def test_a_name_that_is_not_utf_8_is_skipped(tmp_path: Path) -> None:
    pictures.png(tmp_path / os.fsdecode(b"\xff\xfe.png"))
    (skipped,) = find(tmp_path).skipped
    assert str(skipped) == r"\udcff\udcfe.png has a name that is not UTF-8"


def test_a_name_with_a_line_break_is_skipped_and_shown_on_one_line(tmp_path: Path) -> None:
    pictures.png(tmp_path / "a\nb\x1b[2J.png")
    (skipped,) = find(tmp_path).skipped
    assert str(skipped) == r"a\nb\x1b[2J.png has control characters in its name"


def test_a_file_that_is_named_itself_may_be_hidden_or_a_link(tmp_path: Path) -> None:
    target = pictures.png(tmp_path / "x.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / ".link").symlink_to(target)
    found = find(tmp_path / "in" / ".link")
    assert (found.root, [file.path for file in found.files]) == (str(tmp_path / "in"), [".link"])


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [
        ("a/b/c.tif", Kind.TIFF, "c.tif"),
        ("a/b/c.ZIP", Kind.ZIP, "c.ZIP"),
        ("c.bin", Kind.ZIP, "c.bin.zip"),
        ("c.zip", Kind.TIFF, "c.zip.tif"),
        ("c.TIFF", Kind.TIFF, "c.TIFF"),
        ("scan", Kind.TIFF, "scan.tif"),
        ("scan.png", Kind.TIFF, "scan.png.tif"),
        ("scan.tif", Kind.PNG, "scan.tif.png"),
        ("scan", Kind.PNG, "scan"),
        ("scan.png", Kind.JPEG, "scan.png"),
    ],
)
def test_the_kiosk_takes_a_job_for_what_it_is(path: str, kind: Kind, name: str) -> None:
    assert InputFile(path, 1, kind, 1).image_name == name


def test_what_is_skipped_is_counted_and_listed_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pictures.junk(tmp_path)
    with caplog.at_level(logging.DEBUG):
        skipped = find(tmp_path).skipped
        tell_skipped(skipped)
    assert f"{len(skipped)} files skipped" in caplog.messages[0]
    assert "skipped: notes.txt is neither PNG, JPEG, TIFF nor ZIP" in caplog.messages
    assert len(caplog.messages) == len(skipped) + 1
