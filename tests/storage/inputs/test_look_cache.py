"""Files that have not changed are not opened by a second search: Python's own hook tells."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiosk_locust.model.input_file import Checks
from kiosk_locust.storage.inputs.finding import Rules, find
from kiosk_locust.storage.inputs.look_cache import InspectionCache
from kiosk_locust.storage.inputs.scanning import Scans
from tests.storage.inputs import pictures

_SPIES: list[tuple[str, list[str]]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _SPIES:
        for folder, opened in _SPIES:
            path = str(arguments[0])
            if os.path.dirname(path) == folder:
                opened.append(os.path.basename(path))


sys.addaudithook(_hook)  # it cannot be taken away again


@contextmanager
def opened_in(folder: Path) -> Iterator[list[str]]:
    spy: tuple[str, list[str]] = (str(folder), [])
    _SPIES.append(spy)
    try:
        yield spy[1]
    finally:
        _SPIES.remove(spy)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images and a text, as they were an hour ago."""
    pictures.png(tmp_path / "a.png")
    pictures.png(tmp_path / "b.png")
    (tmp_path / "notes.png").write_text("no image")
    return tmp_path


def in_an_hour() -> float:
    """Times of change cannot be set back, so the clock goes ahead."""
    return time.time() + 3600


def test_a_start_form_that_is_checked_does_not_open_what_the_page_has_seen(folder: Path) -> None:
    scans = Scans(InspectionCache(in_an_hour))
    with opened_in(folder) as opened:
        shown = scans.scan_for_start(folder, Rules())  # the page is made
        assert sorted(opened) == ["a.png", "b.png", "notes.png"]
        opened.clear()
        checked = scans.scan_for_start(folder, Rules())  # its form is checked
        started = scans.take_stored(folder, Rules())
        assert opened == []
    assert shown == checked == started
    assert [file.path for file in started.files] == ["a.png", "b.png"]
    assert "notes.png" in [one.path for one in started.skipped]


@pytest.mark.parametrize("change", ["content", "other file", "content at the same time"])
def test_a_file_that_has_changed_is_opened_again(folder: Path, change: str) -> None:
    looks = InspectionCache(in_an_hour)
    find(folder, looks=looks)
    file, status = folder / "a.png", (folder / "a.png").stat()
    data = b"x" * status.st_size
    if change == "other file":
        (folder / "new").write_bytes(data)
        (folder / "new").replace(file)
    else:
        time.sleep(0.01)
        file.write_bytes(data)
    if change == "content at the same time":
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    with opened_in(folder) as opened:
        found = find(folder, looks=looks)
    assert opened == ["a.png"]
    assert [one.path for one in found.files] == ["b.png"]


def test_new_files_are_found_and_old_ones_forgotten(folder: Path) -> None:
    looks = InspectionCache(in_an_hour)
    find(folder, looks=looks)
    (folder / "a.png").unlink()
    pictures.png(folder / "c.png")
    found = find(folder, looks=looks)
    assert [one.path for one in found.files] == ["b.png", "c.png"]
    assert {os.path.basename(name) for name in looks._inspections} == {
        "b.png",
        "c.png",
        "notes.png",
    }


def test_what_was_changed_a_moment_ago_is_looked_at_again(
    folder: Path,
) -> None:
    """It may change once more within what the file system's times can tell."""
    looks = InspectionCache(lambda: (folder / "a.png").stat().st_mtime)
    find(folder, looks=looks)
    with opened_in(folder) as opened:
        find(folder, looks=looks)
    assert sorted(opened) == ["a.png", "b.png", "notes.png"]


def test_other_rules_count_for_files_that_are_known(folder: Path) -> None:
    looks = InspectionCache(in_an_hour)
    find(folder, looks=looks)
    by_name = find(folder, Rules(Checks.NONE), looks=looks)
    assert [one.path for one in by_name.files] == ["a.png", "b.png", "notes.png"]
