from __future__ import annotations

from pathlib import Path

from kiosk_locust.cost.caveats import image_notes
from kiosk_locust.cost.types import WorkDone
from kiosk_locust.cost.work import images_counted_per_job, work_done
from kiosk_locust.ledger.reader import opened
from tests.helpers.ledgers import T0, Row, make, never_leased

ROWS = (
    Row(number=0, images_done=3, images_failed=1, outcome="partial"),
    Row(number=1, images_done=0, images_failed=1, outcome="failed", submitted_at=T0 + 1),
    Row(number=2, cycle=2, closed_at=T0 + 60, submitted_at=T0 + 50),
    never_leased(3, cycle=2, closed_at=T0 + 90),
)


def work(tmp_path: Path, cycle: int | None, images_per_job: int | None = None) -> WorkDone:
    with opened(make(tmp_path / "run.db", ROWS)) as db:
        return work_done(db, cycle, images_per_job)


def test_the_run_s_work_is_that_of_all_cycles(tmp_path: Path) -> None:
    assert work(tmp_path, None) == WorkDone(2, 4, 6, first_submitted_at=T0, last_closed_at=T0 + 60)


def test_a_cycle_has_its_own(tmp_path: Path) -> None:
    assert work(tmp_path, 2) == WorkDone(
        1, 1, 1, first_submitted_at=T0 + 50, last_closed_at=T0 + 60
    )


def test_the_kiosk_s_own_count_outranks_images_per_job(tmp_path: Path) -> None:
    found = work(tmp_path, 1, images_per_job=100)
    assert (found.jobs, found.images, found.images_stored) == (1, 3, 5)
    assert (found.images_planned, found.jobs_uncounted) == (0, 0)


UNCOUNTED = (*ROWS[:1], Row(number=1, images_done=0, images_failed=0))


def test_images_per_job_stands_in_where_nobody_counted_and_is_told_apart(tmp_path: Path) -> None:
    with opened(make(tmp_path / "run.db", UNCOUNTED)) as db:
        planned, unknown = work_done(db, None, 12), work_done(db, None, None)
    assert (planned.images, planned.images_stored) == (3 + 12, 4 + 12)
    assert (planned.images_planned, planned.jobs_uncounted) == (12, 0)
    assert (unknown.images, unknown.images_planned, unknown.jobs_uncounted) == (3, 0, 1)


def test_what_was_planned_and_what_nobody_knows_is_said_beside_the_cost() -> None:
    assert image_notes(WorkDone(jobs=2, images=4)) == ()
    (planned,) = image_notes(WorkDone(jobs=2, images=15, images_planned=12))
    assert planned.startswith("12 of 15 images are planned ones (IMAGES_PER_JOB)")
    (unknown,) = image_notes(WorkDone(jobs=2, images=3, jobs_uncounted=1))
    assert "in 1 of 2 jobs" in unknown
    assert "one costs at most so much" in unknown


def test_images_in_a_job_are_as_many_as_the_kiosk_counted(tmp_path: Path) -> None:
    with opened(make(tmp_path / "run.db", UNCOUNTED)) as db:
        assert images_counted_per_job(db) == 4
    with opened(make(tmp_path / "none.db", UNCOUNTED[1:])) as db:
        assert images_counted_per_job(db) is None


def test_a_run_without_a_job_has_no_work(tmp_path: Path) -> None:
    with opened(make(tmp_path / "run.db", [])) as db:
        assert work_done(db, None, None) == WorkDone(images_stored=0)
