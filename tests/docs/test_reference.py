"""The reference pages are what scripts/reference.py writes of the code, and say what is so."""

from __future__ import annotations

import re
import runpy
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from kiosk_locust import events
from kiosk_locust.model.record import Outcome
from tests.docs.blocks import blocks
from tests.helpers.ledgers import T0, Row, make
from tests.helpers.real import ROOT

FOLDER = ROOT / "docs" / "reference"
PROGRAM = runpy.run_path(str(ROOT / "scripts" / "reference.py"))
PAGES: Mapping[str, Callable[[], str]] = PROGRAM["PAGES"]
FILES: Mapping[str, Callable[[str], str]] = PROGRAM["FILES"]
LEDGER = Row(
    attempts=((1, T0, T0, None, "maybe", None, "reset", None),),
    changes=((T0 + 3, T0 + 2, "started", T0 + 2.5, "pod-1"),),
    submitted_at=T0 + 0.25,
    ambiguous=1,
)


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_says(name: str) -> None:
    text = (FOLDER / name).read_text("utf-8")
    assert text == PAGES[name](), f"write docs/reference/{name} again: python scripts/reference.py"


@pytest.mark.parametrize("name", FILES)
def test_the_settings_of_a_file_are_those_declared(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert text == FILES[name](text), f"write {name} again: python scripts/reference.py"


def test_the_ledgers_page_has_every_column_of_a_ledger(tmp_path: Path) -> None:
    text = (FOLDER / "ledger.md").read_text("utf-8")
    with closing(sqlite3.connect(make(tmp_path / "run.db", [LEDGER]))) as db:
        found = db.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE TABLE%'")
        tables = [name for (name,) in found]
        assert len(tables) >= 10
        for table in tables:
            section = text.partition(f"\n## {table}\n")[2].partition("\n## ")[0]
            columns = [column[1] for column in db.execute(f"PRAGMA table_info({table})")]
            assert re.findall(r"^\| `(\w+)` \|", section, re.M) == columns


def test_the_questions_to_a_ledger_have_answers(tmp_path: Path) -> None:
    text = next(text for where, text in blocks("sql") if where.startswith("docs/reference/ledger"))
    asked = [line for line in text.splitlines() if not line.startswith("--")]
    with closing(sqlite3.connect(make(tmp_path / "run.db", [LEDGER]))) as db:
        answers = [db.execute(question).fetchall() for question in asked]
    ended, left, doubtful, late, reported = answers
    assert ended == [("done", 1)]
    assert left == []
    assert len(doubtful) == 1
    assert late == [(0, 0.25)]
    assert reported == [("started", T0 + 3)]


def test_every_event_and_every_outcome_has_a_row() -> None:
    text = (FOLDER / "events.md").read_text("utf-8")
    hooks = [name for name, hook in vars(events).items() if isinstance(hook, events.EventHook)]
    assert re.findall(r"^\| `(\w+)` \| `(?:record|run)`", text, re.M) == hooks
    codes = (FOLDER / "exit-codes.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .*? \| \*\*(\d)\*\* \|", codes, re.M)
    assert rows == [
        (Outcome.DONE, "0"), (Outcome.PARTIAL, "1"), (Outcome.FAILED, "1"),
        (Outcome.REJECTED, "1"), (Outcome.VANISHED, "1"), (Outcome.TIMEOUT, "2"),
        (Outcome.UNFINISHED, "2"), (Outcome.ERROR, "2"),
    ]  # fmt: skip
