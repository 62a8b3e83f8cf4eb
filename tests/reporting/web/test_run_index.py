from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from kiosk_locust.reporting.web.run_index import listed
from tests.helpers.ledgers import Row, make


def test_a_ledger_of_a_newer_version_is_listed_as_such_and_a_strangers_file_is_not(
    tmp_path: Path,
) -> None:
    make(tmp_path / "old.db", [Row()])
    with closing(sqlite3.connect(make(tmp_path / "simulated_new.db", [Row()]))) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
        db.commit()
    (tmp_path / "photos.db").write_bytes(b"not a ledger")
    found = {run.name: run for run in listed(tmp_path)}
    assert set(found) == {"old", "simulated_new"}
    assert found["simulated_new"].state == "of a newer kiosk_locust"
    assert found["simulated_new"].simulated
    assert found["old"].state != found["simulated_new"].state
