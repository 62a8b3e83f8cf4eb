"""Which members of a ZIP become jobs, against lists that were written by hand."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from kiosk_locust.consumer.archive import child_name, children
from kiosk_locust.model.input_file import Kind
from kiosk_locust.storage.inputs.finding import find
from kiosk_locust.storage.inputs.kinds import NoInput, images_in_zip, inspect_file
from tests.storage.inputs import pictures

CASES: dict[str, tuple[list[str], list[str]]] = {
    "plain": (["a.png", "b.tif"], ["a.png", "b.tif"]),
    "folders": (["in/", "in/a.png", "in/deep/b.png", "empty/"], ["in/a.png", "in/deep/b.png"]),
    "resource forks": (
        ["a.png", "__MACOSX/._a.png", "in/__MACOSX/b.png", "__MACOSX.png", "._a.png"],
        ["a.png", "._a.png"],
    ),
    "texts": (["a.png", "notes.txt", "README", ".DS_Store", "in/.hidden"], ["a.png", "notes.txt"]),
    "twins": (["a.png", "a.png", "A.PNG"], ["a.png", "a.png", "A.PNG"]),
    "dots": (["a.", ".png", "in.dir/README", "..a.png", "b.c.d"], ["a.", "..a.png", "b.c.d"]),
    "windows": (
        ["set\\", "set\\a.png", "set\\b.png", "set\\deep\\", "set\\deep\\c.png"],
        ["set\\a.png", "set\\b.png", "set\\deep\\c.png"],
    ),
    "climbing": (["../a.png", "/etc/b.png", "./c.png"], ["a.png", "etc/b.png", "c.png"]),
    "eight of which seven": (
        ["1.png", "2.png", "3.png", "4.png", "5.png", "6.png", "7.png", "labels"],
        ["1.png", "2.png", "3.png", "4.png", "5.png", "6.png", "7.png"],
    ),
}


def raw_zip(names: list[str], content: bytes = b"x") -> bytes:
    """A ZIP with names as they are: Python's own writer would change some."""
    body, directory = b"", b""
    for name in map(str.encode, names):
        data = b"" if name.endswith((b"/", b"\\")) else content
        head = struct.pack(
            "<HHHHHIIIHH",
            20,
            0x800,
            0,
            0,
            0x21,
            zlib.crc32(data),
            len(data),
            len(data),
            len(name),
            0,
        )
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + head
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name
        body += b"PK\x03\x04" + head + name + data
    number = len(names)
    end = struct.pack("<HHHHIIH", 0, 0, number, number, len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_children_are_the_files_that_the_consumer_would_queue(case: str) -> None:
    names, expected = CASES[case]
    with zipfile.ZipFile(io.BytesIO(raw_zip(names))) as archive:
        assert [child_name(member) for member in children(archive)] == expected


@pytest.mark.parametrize("case", CASES)
def test_children_are_those_that_zipfile_extracts_by_the_rule(case: str, tmp_path: Path) -> None:
    found = []
    with zipfile.ZipFile(io.BytesIO(raw_zip(CASES[case][0]))) as archive:
        for info in archive.infolist():
            path = archive.extract(info, tmp_path / "out")
            if os.path.isfile(path):
                if os.path.splitext(path)[1] != "" and "__MACOSX" not in path:
                    found.append(os.path.relpath(path, tmp_path / "out"))
                os.remove(path)
    assert found == CASES[case][1]


@pytest.mark.parametrize("case", [case for case in CASES if case != "dots"])
def test_a_zip_s_images_are_its_children(case: str, tmp_path: Path) -> None:
    names, expected = CASES[case]
    image = pictures.png(tmp_path / "one.png").read_bytes()
    path = tmp_path / "set.zip"
    path.write_bytes(raw_zip(names, image))
    assert inspect_file(path)[:2] == (Kind.ZIP, len(expected))
    with path.open("rb") as file:
        assert images_in_zip(file) == len(expected)


def test_a_zip_in_which_the_kiosk_would_find_nothing_is_refused(tmp_path: Path) -> None:
    image = pictures.png(tmp_path / "one.png").read_bytes()
    path = tmp_path / "set.zip"
    path.write_bytes(raw_zip(["README", "scan1", "in/", "in/scan2", ".DS_Store"], image))
    with pytest.raises(NoInput, match=r"the Kiosk would find nothing .*such as \.png; name them"):
        inspect_file(path)
    (skipped,) = find(path).skipped
    assert "the Kiosk would find nothing" in str(skipped)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.png", "b, c.png"], "rename 'b, c.png')"),
        (["plate 1,2/a.png", "plate 1,2/b.png"], "rename 'plate 1,2/a.png' and 1 more)"),
        ([f"{'x' * 100},.png"], f"rename '{'x' * 59}…')"),
        (["a\x1b[2J,.png"], r"rename 'a\\x1b[2J,.png')"),
    ],
)
def test_names_that_the_kiosk_s_lists_cannot_carry_are_refused_with_the_cure(
    names: list[str], told: str, tmp_path: Path
) -> None:
    image = pictures.png(tmp_path / "one.png").read_bytes()
    path = tmp_path / "set.zip"
    path.write_bytes(raw_zip(names, image))
    with pytest.raises(NoInput) as refused:
        inspect_file(path)
    assert "a comma in a name in it breaks the Kiosk's lists" in str(refused.value)
    assert str(refused.value).endswith(told)


def test_a_comma_in_what_is_no_child_or_in_the_zip_s_own_name_does_no_harm(tmp_path: Path) -> None:
    image = pictures.png(tmp_path / "one.png").read_bytes()
    path = tmp_path / "a, b.zip"
    path.write_bytes(raw_zip(["a.png", "read,me", "__MACOSX/,.png", "a,b/"], image))
    assert inspect_file(path)[:2] == (Kind.ZIP, 1)
