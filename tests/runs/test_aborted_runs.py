"""A run that a missed threshold ended: table, JUnit and exit code say the same of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.model.options import TrustOptions, Wanted
from kiosk_locust.model.record import Outcome
from kiosk_locust.reporting import junit
from kiosk_locust.verdict.evaluate import Judged, judge
from kiosk_locust.verdict.exit_code import exit_code
from kiosk_locust.verdict.threshold_parser import parse
from kiosk_locust.verdict.thresholds import Miss, Result
from tests.helpers.ledgers import Row, make, never_leased

LIMIT = "failed < 15%"


def judged(path: Path, failed: int, done: int, never: int, text: str = LIMIT) -> Judged:
    """The judgement of a run that 30.77% of failed jobs ended, by what became of its tickets."""
    outcomes = ["failed"] * failed + ["done"] * done
    rows = [Row(number=number, outcome=outcome) for number, outcome in enumerate(outcomes)]
    rows += [never_leased(len(rows) + number) for number in range(never)]
    trust = TrustOptions(wanted=(Wanted(text, "--threshold"), Wanted("rejected < 5%", "a file")))
    with closing(Reckoning(make(path / "run.db", rows))) as reckoning:
        miss = Miss(parse(LIMIT, "--threshold"), "30.77%")
        return judge(reckoning, trust, Generator({}), str(miss))


def test_tickets_that_were_never_begun_dilute_no_share(tmp_path: Path) -> None:
    limit = judged(tmp_path, failed=19, done=83, never=98).rows[0]
    assert (limit.result, limit.measured) == (Result.MISS, "18.63%")


def test_what_ended_the_run_is_a_miss_though_jobs_in_flight_made_it_good(tmp_path: Path) -> None:
    limit, other = judged(tmp_path, failed=4, done=96, never=100).rows
    assert (limit.result, limit.measured) == (Result.MISS, "4%")
    assert limit.note == "it ended the run, with 30.77% by then"
    assert other.result is Result.PASS


def test_junit_has_a_failure_for_what_ended_the_run(tmp_path: Path) -> None:
    rows = judged(tmp_path, failed=4, done=96, never=100).rows
    suite = ET.fromstring(junit.write(rows, name="a-run"))
    assert suite.get("failures") == "1"
    (failure,) = suite.iter("failure")
    assert "it ended the run, with 30.77% by then" in (failure.text or "")


@pytest.mark.parametrize("done", [83, 500])
def test_the_exit_code_and_the_table_agree(done: int, tmp_path: Path) -> None:
    made = judged(tmp_path, failed=19, done=done, never=98)
    counts = {Outcome.FAILED: 19, Outcome.DONE: done, Outcome.UNFINISHED: 98}
    verdict = exit_code(
        counts, finished=False, judgement=made.judgement, aborted="x", never_begun=98
    )
    assert (verdict.code, [each.threshold for each in made.judgement.missed]) == (1, [LIMIT])
