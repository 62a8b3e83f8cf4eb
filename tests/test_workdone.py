from __future__ import annotations

from pathlib import Path

from kiosk_locust.cost.figures import Work
from kiosk_locust.reading import opened
from kiosk_locust.workdone import work_done
from tests.ledgers import T0, Row, make, never_leased

ROWS = (
    Row(number=0, images_done=3, images_failed=1, outcome="partial"),
    Row(number=1, images_done=0, images_failed=1, outcome="failed", submitted_at=T0 + 1),
    Row(number=2, cycle=2, closed_at=T0 + 60, submitted_at=T0 + 50),
    never_leased(3, cycle=2, closed_at=T0 + 90),
)


def work(tmp_path: Path, cycle: int | None, images_per_job: int | None = None) -> Work:
    with opened(make(tmp_path / "run.db", ROWS)) as db:
        return work_done(db, cycle, images_per_job)


def test_the_run_s_work_is_that_of_all_cycles(tmp_path: Path) -> None:
    assert work(tmp_path, None) == Work(2, 4, 6, first_submitted_at=T0, last_closed_at=T0 + 60)


def test_a_cycle_has_its_own(tmp_path: Path) -> None:
    assert work(tmp_path, 2) == Work(1, 1, 1, first_submitted_at=T0 + 50, last_closed_at=T0 + 60)


def test_images_per_job_stand_in_for_what_was_counted(tmp_path: Path) -> None:
    found = work(tmp_path, 1, images_per_job=100)
    assert (found.jobs, found.images, found.images_stored) == (1, 100, 200)


def test_a_run_without_a_job_has_no_work(tmp_path: Path) -> None:
    with opened(make(tmp_path / "run.db", [])) as db:
        assert work_done(db, None, None) == Work(images_stored=0)
