"""Searches in a thread: what is said meanwhile, and that a start does not search again."""

from __future__ import annotations

import time
from pathlib import Path

import gevent
import pytest

from kiosk_locust.model.input_file import Checks
from kiosk_locust.storage.inputs import scanning
from kiosk_locust.storage.inputs.finding import InputFiles, Rules, SearchProgress, find
from kiosk_locust.storage.inputs.look_cache import InspectionCache
from kiosk_locust.storage.inputs.scanning import Scans, in_words, scan
from tests.storage.inputs import pictures


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Rules]]:
    made: list[tuple[Path, Rules]] = []

    def counted(
        path: Path, rules: Rules, progress: SearchProgress, looks: InspectionCache | None
    ) -> InputFiles:
        made.append((path, rules))
        return find(path, rules, progress, looks)

    monkeypatch.setattr(scanning, "find", counted)
    return made


def test_a_start_takes_what_the_check_before_it_found(
    tmp_path: Path, searches: list[tuple[Path, Rules]]
) -> None:
    pictures.png(tmp_path / "a.png")
    scans = Scans()
    checked = scans.scan_for_start(tmp_path, Rules())
    assert scans.take_stored(tmp_path, Rules()) is checked
    assert len(searches) == 1
    assert scans.take_stored(tmp_path, Rules()) == checked  # another start
    assert len(searches) == 2


def test_another_folder_or_other_rules_are_looked_for_anew(
    tmp_path: Path, searches: list[tuple[Path, Rules]]
) -> None:
    pictures.png(tmp_path / "a.png")
    scans = Scans()
    scans.scan_for_start(tmp_path, Rules())
    scans.take_stored(tmp_path, Rules(Checks.NONE))
    scans.scan_for_start(tmp_path, Rules())
    scans.take_stored(tmp_path / "a.png", Rules())
    assert len(searches) == 4


def test_a_long_search_says_how_far_it_is_and_what_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "FIRST_WORD_S", 0.05)
    monkeypatch.setattr(scanning, "NEXT_WORD_S", 0.05)

    def slow(
        _path: Path, _rules: Rules, progress: SearchProgress, _looks: InspectionCache | None
    ) -> InputFiles:
        progress.listed, progress.is_listed, progress.looked_at = 40, True, 10
        time.sleep(0.3)
        progress.looked_at = 40
        return InputFiles("")

    monkeypatch.setattr(scanning, "find", slow)
    said: list[str] = []
    scan(tmp_path, Rules(), said.append)
    assert len(said) >= 2
    assert said[0].startswith(f"looking through {tmp_path}: 10 of 40 files so far, ")
    assert said[-1].startswith(f"looked through {tmp_path}: 40 files in ")
    number = len(said)
    gevent.sleep(0.15)
    assert len(said) == number


def test_a_short_search_says_nothing(tmp_path: Path) -> None:
    pictures.png(tmp_path / "a.png")
    said: list[str] = []
    assert len(scan(tmp_path, Rules(), said.append).files) == 1
    assert said == []


def test_the_words_have_a_rate_and_the_time_that_is_left_once_all_files_are_known() -> None:
    progress = SearchProgress(begun=0.0, listed=1200)
    assert in_words(Path("/in"), progress, 2.0) == "listing /in: 1,200 files so far"
    progress.is_listed, progress.looked_at, progress.listed = True, 30_000, 100_000
    assert in_words(Path("/in"), progress, 5.0) == (
        "looking through /in: 30,000 of 100,000 files so far, 6,000 files/s, about 12 s left"
    )
