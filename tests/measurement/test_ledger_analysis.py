"""A ledger that is read once, and held by nobody in between."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest

from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.measurement.ledger_analysis import Reckoning
from tests.helpers.ledgers import T0, Row, make, summarise

META = {"run_id": "0" * 32, "run_name": "a-run", "options": "{}"}


def test_between_uses_the_ledger_can_be_written_and_closed_whole(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "run.db", META)
    with closing(Reckoning(ledger.path)) as reckoning:
        with reckoning:
            assert reckoning.summary().tickets == 0
            assert reckoning.run.ended_by == ""
        ledger.set_meta(ended_by="us")
        ledger.close()
        assert [path.name for path in tmp_path.iterdir() if path.suffix.startswith(".db")] == [
            "run.db"
        ]
        with reckoning:
            assert reckoning.run.ended_by == "us"
            assert reckoning.summary().tickets == 0


def test_what_was_worked_out_serves_other_threads(tmp_path: Path) -> None:
    path = make(tmp_path / "run.db", [Row()])
    found = []
    with closing(Reckoning(path)) as reckoning:
        with reckoning:
            times = reckoning.times

        def look() -> None:
            with reckoning:
                found.append((reckoning.times is times, reckoning.summary().tickets))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert found == [(True, 1)]


def test_a_cycle_that_is_the_only_one_is_summarised_as_the_run(tmp_path: Path) -> None:
    path = make(tmp_path / "run.db", [Row(), Row(number=1)])
    with closing(Reckoning(path)) as reckoning, reckoning:
        assert reckoning.summary(1) is reckoning.summary()
    assert reckoning.summary().as_json() == summarise(path, 1).as_json()


def test_each_of_several_cycles_has_its_own_summary(tmp_path: Path) -> None:
    rows = [Row(), Row(cycle=2), Row(cycle=2, number=1)]
    path = make(tmp_path / "run.db", rows, cycles=[(1, T0, None), (2, T0, None)])
    with closing(Reckoning(path)) as reckoning, reckoning:
        assert [reckoning.summary(cycle).tickets for cycle in (1, 2, None)] == [1, 2, 3]


def test_a_file_that_is_no_ledger_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    path.write_text("no ledger at all, and longer than nothing")
    with pytest.raises(LedgerError, match=r"run\.db cannot be read"), Reckoning(path):
        pass


def test_a_fault_of_the_ledger_met_inside_is_told_as_one(tmp_path: Path) -> None:
    reckoning = Reckoning(make(tmp_path / "run.db", [Row()]))
    with pytest.raises(LedgerError, match=r"run\.db cannot be read"), reckoning:
        reckoning.db.execute("SELECT * FROM nothing")
