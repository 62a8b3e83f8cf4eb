"""The verdict of a ledger: what a few late jobs do to it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.model.options import TrustOptions
from kiosk_locust.verdict.evaluate import judge
from tests.helpers.ledgers import T0, Row, make
from tests.verdict.test_measurements import lasting


def reasons(path: Path, late: int, of: int, late_s: float = 2.0) -> set[str]:
    """The rules that speak against a run of which so many jobs were submitted late."""
    rows: list[Row] = []
    for number in range(of):
        asked_at = T0 + number + (late_s if number < late else 0.0)
        attempt = (1, asked_at, asked_at, asked_at + 0.01, "accepted", 200, None, "an id")
        rows.append(lasting(number, 5.0, submitted_at=asked_at, attempts=(attempt,)))
    ledger = make(path, rows, options={"workload": "open", "update_interval_s": 1.0})
    with closing(Reckoning(ledger)) as reckoning:
        found = judge(reckoning, TrustOptions(), Generator({}))
    return {reason.rule for reason in found.judgement.reasons}


@pytest.mark.parametrize(
    ("late", "of", "is_late"), [(1, 1, False), (5, 40, False), (6, 40, True), (3, 3, True)]
)
def test_a_jolt_makes_no_run_late_but_what_chance_does_not_explain_does(
    late: int, of: int, is_late: bool, tmp_path: Path
) -> None:
    found = reasons(tmp_path / "run.db", late, of)
    assert ("submission-lag" in found) == is_late


@pytest.mark.parametrize(("simulated", "is_offered"), [("true", False), ("false", True)])
def test_only_a_run_whose_kiosk_outlives_it_is_advised_to_resume(
    simulated: str, is_offered: bool, tmp_path: Path
) -> None:
    ledger = make(
        tmp_path / "run.db", [Row(), Row(number=1, outcome="unfinished")], simulated=simulated
    )
    with closing(Reckoning(ledger)) as reckoning:
        judged = judge(reckoning, TrustOptions(), Generator({}))
    (why,) = [each.why for each in judged.judgement.reasons if each.rule == "undecided"]
    assert ("--resume" in why) == is_offered
