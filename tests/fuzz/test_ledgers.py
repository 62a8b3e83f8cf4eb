"""Ledgers and results files that are damaged, or were never any: shown, or refused in words."""

from __future__ import annotations

import copy
import io
import json
import random
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.assembly import resume
from kiosk_locust.config.resolve import resolve
from kiosk_locust.errors import LedgerError, OptionsError
from kiosk_locust.ledger import file
from kiosk_locust.model.options import options_as_json
from kiosk_locust.reporting import html
from kiosk_locust.reporting.results_json import write_missing
from kiosk_locust.reporting.web import from_ledger, imported, jobs_csv
from tests.fuzz.strange import changed, fuzz, fuzz_files, json_values, refused_by, texts
from tests.helpers.layered import make_layers
from tests.helpers.layered import resolve as resolve_settings
from tests.helpers.ledgers import T0, Row, make, never_leased

ATTEMPT = (1, T0 - 0.5, T0, T0 + 0.1, "accepted", 200, None, "segmentation:a.png:1")
CHANGE = (T0 + 1, T0, "started", T0 + 0.5, "pod-1")
ROWS = (
    Row(attempts=(ATTEMPT,), changes=(CHANGE,)),
    Row(number=1, outcome="failed"),
    never_leased(2),
)


def bytes_of(rows: tuple[Row, ...] = ROWS) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return make(Path(folder, "run.db"), rows).read_bytes()


LEDGER = bytes_of()


def results_of(ledger: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "run.db").write_bytes(ledger)
        (path,) = write_missing(Path(folder, "run.db"), Path(folder))
        return json.loads(path.read_text("utf-8"))


RESULTS = results_of(LEDGER)


def show(path: Path) -> str:
    """What `view`, `report` and the list of jobs make of it; raises LedgerError alone."""
    with imported.as_ledger(path) as ledger:
        picture = from_ledger.read(ledger)
        page = html.render(picture)
        jobs_csv.write(ledger, io.StringIO())
    return page


def shown_or_refused(path: Path) -> bool:
    with refused_by(LedgerError):
        show(path)
        return True
    return False


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [prefix]
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        found += paths(inner, (*prefix, key))
    return found


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    made = copy.copy(value)
    made[path[0]] = replaced(value[path[0]], path[1:], by)
    return made


def changed_at(value: Any, changes: list[tuple[Any, Any]]) -> Any:
    for place, new in changes:
        try:
            value = replaced(value, place, new)
        except (KeyError, IndexError, TypeError):  # what held it is gone
            continue
    return value


#: Those of a run against a real Kiosk, as its ledger has them.
OPTIONS = json.loads(
    json.dumps(
        options_as_json(
            resolve_settings(
                env={"API_HOST": "http://kiosk.example", "FILE": "a.png", "COUNT": "3"}
            ).options
        )
    )
)


def test_what_is_sound_is_shown(tmp_path: Path) -> None:
    (tmp_path / "run.db").write_bytes(LEDGER)
    (tmp_path / "run.json").write_text(json.dumps(RESULTS))
    assert shown_or_refused(tmp_path / "run.db")
    assert shown_or_refused(tmp_path / "run.json")


@fuzz_files
@given(changed(LEDGER))
def test_a_damaged_ledger_is_shown_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.db")
        path.write_bytes(data)
        shown_or_refused(path)


@fuzz_files
@given(changed(LEDGER))
def test_a_damaged_ledger_is_resumed_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.db")
        path.write_bytes(data)
        with refused_by(LedgerError):
            resume._judge(path, make_layers(), is_or_start=True)


@fuzz_files
@given(st.one_of(st.binary(max_size=300), changed(LEDGER[:200])))
def test_what_is_no_ledger_is_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.db")
        path.write_bytes(data)
        assert not shown_or_refused(path)
        with pytest.raises(LedgerError):
            file.reopen(path)


CELLS = [
    *((table, column) for table, columns in {
        "meta": ("key", "value"), "sessions": ("started_at", "time_zero", "ended_at", "changed"),
        "requests": ("body",), "cycles": ("started_at", "ended_at"),
        "attempts": ("number", "asked_at", "sent_at", "result", "http_status"),
        "changes": ("observed_at", "status", "updated_at"),
        "tickets": ("cycle", "number", "due_at", "file", "taken_at", "job_id", "submitted_at",
            "ambiguous", "polls", "status", "observed_at", "reason", "closed_at", "images_done",
            "duration_s", "duration_from", "queue_wait_s", "fields", "outcome"),
    }.items() for column in columns)
]  # fmt: skip
VALUES = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary(max_size=20),
    texts.filter(lambda text: text.isprintable()), json_values.map(json.dumps),
)  # fmt: skip


@fuzz_files
@given(st.lists(st.tuples(st.sampled_from(CELLS), VALUES), min_size=1, max_size=3))
def test_a_ledger_with_strange_cells_is_shown_or_refused(
    cells: list[tuple[tuple[str, str], Any]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.db")
        path.write_bytes(LEDGER)
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA ignore_check_constraints = 1")
            for (table, column), value in cells:
                with suppress(sqlite3.IntegrityError):
                    db.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,))
            db.commit()
        shown_or_refused(path)


META = [
    *("options", "versions", "started_at", "time_zero", "ended_at", "alive_at", "cost"),
    *("judgement", "generator", "worker:a", "simulated", "finished", "run_name", "host", "finish"),
]


@fuzz_files
@given(
    st.dictionaries(
        st.sampled_from(META), st.one_of(texts, json_values.map(json.dumps)), min_size=1
    )
)
def test_a_ledger_with_strange_facts_is_shown_or_refused(facts: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.db")
        path.write_bytes(LEDGER)
        with closing(sqlite3.connect(path)) as db:
            for key, value in facts.items():
                text = value.encode("utf-8", "replace").decode()
                db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, text))
            db.commit()
        shown_or_refused(path)


@fuzz_files
@given(st.lists(st.tuples(st.sampled_from(paths(OPTIONS)), json_values), max_size=3))
def test_a_ledger_with_strange_options_is_resumed_or_refused(
    changes: list[tuple[Any, Any]],
) -> None:
    found = changed_at(OPTIONS, changes)
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder, "run.db"), ROWS, finished="false")
        with closing(sqlite3.connect(path)) as db:
            sql = "UPDATE meta SET value = ? WHERE key = 'options'"
            db.execute(sql, (json.dumps(found),))
            db.commit()
        shown_or_refused(path)
        given_here = make_layers(cli={"--resume": str(path)}, env={"LOG_ENABLED": "false"})
        with refused_by(LedgerError, OptionsError):
            resumed = resume.find(given_here)
            assert isinstance(resumed, resume.Resumption)
            under = resumed.under(given_here)
            resolved = resolve(under, headless=True, rng=random.Random(1), planned=resumed.planned)
            resumed.options(resolved, given_here, None)


@fuzz_files
@given(st.lists(st.tuples(st.sampled_from(paths(RESULTS)), json_values), min_size=1, max_size=3))
def test_a_changed_results_file_is_shown_or_refused(changes: list[tuple[Any, Any]]) -> None:
    found = changed_at(RESULTS, changes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.json")
        path.write_text(json.dumps(found), "utf-8")
        shown_or_refused(path)


@fuzz
@given(st.one_of(st.binary(max_size=100), json_values.map(lambda v: json.dumps(v).encode()),
                 changed(json.dumps(RESULTS).encode())))  # fmt: skip
def test_any_file_as_results_is_shown_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.json")
        path.write_bytes(data)
        shown_or_refused(path)


def test_results_that_nest_too_deeply_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"job_data": ' + "[" * 200_000 + "]" * 200_000 + "}")
    assert not shown_or_refused(path)
