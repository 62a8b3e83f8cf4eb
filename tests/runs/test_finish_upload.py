"""The last step of a run's end: its files go to the bucket, or it is said how they still can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import gevent
from gevent.event import Event

from kiosk_locust.assembly import closing_screen
from kiosk_locust.assembly.finalize import STEPS, carry_out
from kiosk_locust.assembly.finalize_steps.inputs import ClosedRun, FinalizeInputs
from kiosk_locust.assembly.finalize_steps.state import Finalization
from kiosk_locust.checkpoint.archive import Archive, Archived
from kiosk_locust.execution.run_state import ALL_CLOSED
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.model.options import Options, TrustOptions
from kiosk_locust.model.record import Outcome
from tests.helpers.clocks import ManualClock


class Keeping:
    """An archive that does as it is told with the files."""

    url = "a bucket"
    unheard_s = 0.0

    def __init__(self, keep: Callable[[list[Path]], Archived]) -> None:
        self._keep = keep

    def keep(self, files: Iterable[Path]) -> Archived:
        return self._keep(list(files))

    def drop(self, file_names: Iterable[str]) -> None:
        """There is nothing of an earlier end."""
        assert not list(file_names)


def finished(
    folder: Path,
    keep: Archive | Callable[[list[Path]], Archived],
    given_up: Event | None = None,
) -> Finalization:
    ledger = Ledger.create(folder / "a-run.db", {"run_id": "1", "run_name": "a-run"})
    ledger.begin_session(1, 900.0)
    run = ClosedRun(
        cast(Options, SimpleNamespace(trust=TrustOptions())),
        Counter({Outcome.DONE: 2}),
        ALL_CLOSED,
        is_over=True,
        given_up=given_up or Event(),
    )
    archive = keep if isinstance(keep, Archive) else Keeping(keep)
    inputs = FinalizeInputs(run, "a-run", folder, ManualClock(1000.0), archive=archive)
    return carry_out(STEPS, Finalization.of(inputs, ledger))


def advice(finish: Finalization) -> str:
    return "\n".join(closing_screen.advice(finish, simulated=False))


def test_ledger_results_and_report_are_given_to_the_archive_once_they_are_written(
    tmp_path: Path,
) -> None:
    given: list[Path] = []

    def keep(files: list[Path]) -> Archived:
        given.extend(files)
        assert all(path.is_file() for path in files)
        return Archived(urls=[path.name for path in files])

    finish = finished(tmp_path, keep)
    assert [path.suffix for path in given] == [".db", ".json", ".html"]
    assert finish.archived.urls == [path.name for path in given]
    assert not finish.problems
    assert "upload" not in advice(finish)


def test_what_was_not_uploaded_is_no_problem_of_the_run_and_can_be_later(tmp_path: Path) -> None:
    finish = finished(tmp_path, lambda files: Archived(missed=[(files[0], "403, no")]))
    assert finish.verdict().code == 0
    assert "not uploaded: 403, no" in advice(finish)
    assert f"python -m kiosk_locust upload-results {tmp_path / 'a-run.db'}" in advice(finish)


def test_a_fault_of_ours_is_no_problem_of_the_run_either(tmp_path: Path) -> None:
    def keep(files: list[Path]) -> Archived:
        raise RuntimeError(f"{len(files)} files, and no idea")

    finish = finished(tmp_path, keep)
    assert finish.verdict().code == 0
    assert "no idea" in advice(finish)


def test_a_second_signal_ends_an_upload_that_goes_on_and_on(tmp_path: Path) -> None:
    given_up, ended = Event(), Event()

    def keep(files: list[Path]) -> Archived:
        gevent.spawn(given_up.set)
        try:
            gevent.sleep(100)
        finally:
            ended.set()
        return Archived(urls=[str(path) for path in files])

    with gevent.Timeout(10):
        finish = finished(tmp_path, keep, given_up)
    assert ended.is_set()
    assert finish.verdict().code == 0
    assert "not uploaded: it was interrupted" in advice(finish)
