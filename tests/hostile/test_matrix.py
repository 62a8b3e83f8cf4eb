"""Every call with every fault for every time: what becomes of the ticket is what the docs say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.real import ROOT
from tests.hostile import table
from tests.hostile.faults import FAULTS
from tests.hostile.virtual import play

CELLS = tuple(table.cells())


def test_each_call_and_fault_stands_in_the_table_once() -> None:
    named = sorted((cell.call, cell.fault.name, cell.spell) for cell in CELLS)
    wanted = sorted(
        (call, fault.name, spell)
        for call in table.CALLS
        for fault in FAULTS
        for spell in table.SPELLS
    )
    assert named == wanted


def test_the_docs_have_the_table_that_is_tested() -> None:
    assert table.markdown() in (ROOT / "docs" / "reference" / "faults.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrix")


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_ticket_ends_as_the_table_says(
    cell: table.Cell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(2):
        assert play(cell, folder, monkeypatch, seed).complaints(cell) == []
        for result in folder.glob("*.zip"):
            result.unlink()
