"""Seeded faults strike runs of real processes; benchmarks/faults.py does it with 300 seeds.

The oracle is the server's own log; see tests/faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.faults.plan import plan
from tests.faults.play import Outcome, play

pytestmark = pytest.mark.resilience  # scripts/resilience runs it

#: Between them: workers killed, hung and cut off, a master killed, answers lost.
SEEDS = (2, 7, 8)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Future[Outcome]]]:
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        yield {
            seed: pool.submit(play, plan(seed), tmp_path_factory.mktemp(f"seed{seed}"))
            for seed in SEEDS
        }


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_befalls_a_run_nothing_is_lost_or_doubled_in_silence(
    outcomes: dict[int, Future[Outcome]], seed: int
) -> None:
    outcome = outcomes[seed].result()
    assert outcome.struck, "no fault found its victim"
    assert outcome.judgement.complaints == ()
    assert (outcome.judgement.lost, outcome.judgement.silent_duplicates) == (0, 0)
    assert outcome.judgement.closed == outcome.judgement.tickets == plan(seed).tickets
