"""Real runs that are killed while they finish: the resume ends as they would have.

``benchmarks/finish_kills.py`` has the rest: all steps, three seeds, three kinds of ends.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.finish_kills import KINDS, POINTS, Came, played, resumed_copies, start
from tests.helpers.real import simulator

pytestmark = pytest.mark.resilience  # scripts/resilience runs it

DONE, MISSED, INVALID = KINDS


@pytest.mark.timeout(300)
def test_every_file_says_the_same_wherever_the_process_died(tmp_path: Path) -> None:
    """Each step once, in turn before and after the ledger says that it is complete."""
    with simulator() as kiosk:
        points = [point for number, point in enumerate(POINTS) if number % 4 in (0, 1)]
        came = {
            point: amiss
            for point, amiss, _ in resumed_copies(kiosk, tmp_path / "run", INVALID, 1, points)
        }
    assert {point.partition(" ")[0] for point in came} == {p.partition(" ")[0] for p in POINTS}
    assert {point: amiss for point, amiss in came.items() if amiss} == {}


def test_a_run_whose_disk_is_lost_while_it_finishes_is_made_up_from_its_bucket(
    tmp_path: Path,
) -> None:
    points = ("keep_checkpoint recorded", "close_ledger recorded", "upload returned")
    with simulator() as kiosk:
        copies = resumed_copies(kiosk, tmp_path / "run", MISSED, 1, points, loses_disk=True)
        for point, amiss, finished in copies:
            assert amiss == [], (point, finished.output)
            assert "there is none on this disk" in finished.output


@pytest.mark.parametrize("point", ["closed", "record_end recorded", "upload returned"])
def test_a_killed_run_ends_with_the_exit_code_that_it_would_have_had(
    tmp_path: Path, point: str
) -> None:
    with simulator() as kiosk:
        whole = start(kiosk, tmp_path / "whole", MISSED, 1)
        came, finished, amiss = played(kiosk, tmp_path / "killed", MISSED, 1, point)
        again = start(kiosk, tmp_path / "killed", MISSED, 1)
    assert (amiss, came.code) == ([], 1), finished.output
    assert came == Came.of(tmp_path / "whole", whole.code)
    assert again.code == 1
    assert "this is the exit code that it had" in again.output
    assert Came.of(tmp_path / "killed", again.code) == came


def test_a_master_that_is_killed_while_it_finishes_needs_no_workers_to_end_as_it_would_have(
    tmp_path: Path,
) -> None:
    with simulator() as kiosk:
        whole = start(kiosk, tmp_path / "whole", MISSED, 1, workers=2)
        came, finished, amiss = played(
            kiosk, tmp_path / "killed", MISSED, 1, "record_end recorded", workers=2
        )
    assert (amiss, came.code) == ([], 1), finished.output
    assert came == Came.of(tmp_path / "whole", whole.code)
