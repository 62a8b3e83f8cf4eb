"""Files beside a ledger of another's making: what lies there is not taken for the run's."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust.assembly.worker_limits import WorkerLimits
from kiosk_locust.cli import upload_results
from kiosk_locust.config.folders import is_near
from kiosk_locust.config.sources import Layers
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger import connections, file
from kiosk_locust.ledger.send_account import PLACE
from kiosk_locust.reporting.web import files
from tests.helpers.ledgers import Row, make


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path: Path = make(tmp_path / "a-run.db", [Row(number=0)], run_name="credentials", run_id="key")
    return path


def test_a_ledger_with_a_rollback_journal_beside_it_is_not_opened_to_be_written(
    ledger: Path,
) -> None:
    journal = ledger.with_name("a-run.db-journal")
    journal.write_bytes(b"whatever it says")
    with pytest.raises(LedgerError, match=r"a-run\.db-journal, a rollback journal"):
        file.reopen(ledger)
    with pytest.raises(LedgerError, match="Move it away"):
        connections.connect(ledger, "rw")
    assert journal.read_bytes() == b"whatever it says"


def test_a_link_in_the_place_of_a_rollback_journal_is_not_followed(
    ledger: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").touch()
    ledger.with_name("a-run.db-journal").symlink_to(tmp_path / "empty")
    with pytest.raises(LedgerError, match="rollback journal"):
        connections.connect(ledger, "rw")


@pytest.mark.parametrize("name", ["credentials.json", "my_key_2.json", "my_key.html"])
def test_a_file_is_no_result_because_a_ledger_calls_its_run_so(ledger: Path, name: str) -> None:
    (ledger.parent / name).write_text("{}")
    (left,) = upload_results.local_files_at(ledger)
    assert left.files == (ledger,)
    assert files.paths_of_run(ledger, "key") == [ledger]


def test_results_by_their_id_and_by_the_ledgers_name_are_the_runs(ledger: Path) -> None:
    own = [ledger.parent / "3jobs_0.5delay_key.json", ledger.parent / "a-run.html"]
    for path in own:
        path.write_text("{}")
    (left,) = upload_results.local_files_at(ledger)
    assert set(left.files) == {ledger, *own}
    assert set(files.paths_of_run(ledger, "key")) == {ledger, *own}


def test_a_hidden_folder_is_not_near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_near(Path("a/b.xml"))
    assert not is_near(Path(".git/hooks/b"))
    assert not is_near(Path("a/.b/c"))


def test_no_account_is_kept_beside_a_file_elsewhere_by_the_masters_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, elsewhere = tmp_path / "work", tmp_path / "elsewhere"
    work.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(work)
    limits = WorkerLimits(Layers())
    near = f'{{"ledger": "{work}/results/a.db"}}'
    assert limits.place_of_account({PLACE: near}) == near
    assert limits.place_of_account({PLACE: f'{{"ledger": "{elsewhere}/a.db"}}'}) == ""
    assert limits.place_of_account({PLACE: "no JSON"}) == ""
