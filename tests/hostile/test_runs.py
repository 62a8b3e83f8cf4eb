"""Some cells of the matrix as real runs on real sockets; benchmarks/hostile.py plays them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from gevent.pool import Pool

from tests.hostile import real, table
from tests.hostile.came import Came
from tests.hostile.table import DOWNLOAD, EVER, EXPIRE, ONCE, POLL, SUBMIT, TYPES, UPLOAD, WHILE

pytestmark = pytest.mark.resilience  # scripts/resilience runs it

AT_ONCE = 4  # they mostly wait
#: What 20 s stand for here; no wait of any try is shorter than the outages of a table for people.
LASTS_S = 2.0
SAMPLE = (
    (TYPES, "503", ONCE),
    (UPLOAD, "reset after it", ONCE),
    (SUBMIT, "refused", WHILE),
    (SUBMIT, "429 with a date", ONCE),
    (SUBMIT, "408", ONCE),
    (POLL, "gzip bomb", WHILE),
    (POLL, "100 MB body", ONCE),
    (POLL, "401", EVER),
    (EXPIRE, "404", EVER),
    (DOWNLOAD, "reset after it", WHILE),
    (DOWNLOAD, "invalid JSON", ONCE),
    (DOWNLOAD, "403", EVER),
)
CELLS = {(cell.call, cell.fault.name, cell.spell): cell for cell in table.cells()}

Play = Callable[[table.Cell], tuple[Came, int]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Plays all of SAMPLE, some at the same time; gives what came of one."""
    pool = Pool(AT_ONCE)
    playing = {
        named: pool.spawn(real.play, CELLS[named], tmp_path_factory.mktemp("hostile"), LASTS_S)
        for named in SAMPLE
    }

    def seen(cell: table.Cell) -> tuple[Came, int]:
        came: tuple[Came, int] = playing[cell.call, cell.fault.name, cell.spell].get()
        return came

    yield seen
    pool.kill()


@pytest.mark.parametrize("cell", [CELLS[named] for named in SAMPLE], ids=lambda cell: cell.name)
def test_a_real_run_ends_as_the_table_says(played: Play, cell: table.Cell) -> None:
    came, struck = played(cell)
    assert came.complaints(cell) == []
    assert struck
