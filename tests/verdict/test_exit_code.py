from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.model.record import Outcome
from kiosk_locust.verdict.exit_code import FAILURES, OPEN_ENDS, exit_code
from kiosk_locust.verdict.judgement import Finding, Judgement
from kiosk_locust.verdict.rules import Reason
from kiosk_locust.verdict.thresholds import Result


@pytest.mark.parametrize(
    ("counts", "finished", "trouble", "line"),
    [
        ({Outcome.DONE: 100}, True, "", "exit code 0: all 100 jobs are done"),
        ({Outcome.DONE: 1}, True, "", "exit code 0: 1 job is done"),
        ({Outcome.DONE: 2}, True, "", "exit code 0: both jobs are done"),
        ({Outcome.FAILED: 1}, True, "", "exit code 1: the only job failed"),
        (
            {Outcome.DONE: 97, Outcome.FAILED: 3},
            True,
            "",
            "exit code 1: 3 of 100 jobs failed",
        ),
        (
            {Outcome.DONE: 7, Outcome.FAILED: 1, Outcome.PARTIAL: 1, Outcome.VANISHED: 1},
            True,
            "",
            "exit code 1: 1 of 10 jobs failed, 1 is done with failed images and 1 vanished",
        ),
        (
            {Outcome.DONE: 1, Outcome.REJECTED: 2},
            True,
            "",
            "exit code 1: 2 of 3 jobs were rejected",
        ),
        (
            {Outcome.DONE: 60, Outcome.UNFINISHED: 40},
            False,
            "interrupted by Ctrl-C",
            "exit code 2: interrupted by Ctrl-C: 40 of 100 jobs are unfinished",
        ),
        (
            {Outcome.DONE: 5, Outcome.FAILED: 2, Outcome.TIMEOUT: 1, Outcome.ERROR: 2},
            False,
            "",
            "exit code 2: the run was interrupted: 1 of 10 jobs timed out and 2 ended in an error;"
            " 2 of 10 jobs failed",
        ),
        ({Outcome.DONE: 5}, True, "the disk is full", "exit code 2: the disk is full"),
        ({}, True, "", "exit code 2: no job was run"),
        ({}, False, "nobody listens at host", "exit code 2: nobody listens at host"),
    ],
)
def test_the_line_says_which_code_and_why(
    counts: dict[Outcome, int], finished: bool, trouble: str, line: str
) -> None:
    assert exit_code(counts, finished, trouble).line == line


COUNTS = st.dictionaries(st.sampled_from(Outcome), st.integers(0, 5))


@given(COUNTS, st.booleans(), st.sampled_from(["", "trouble"]))
def test_0_means_all_done_and_2_beats_1(
    counts: dict[Outcome, int], finished: bool, trouble: str
) -> None:
    code = exit_code(counts, finished, trouble)[0]
    ran = sum(counts.values()) > 0
    worse = bool(trouble) or not finished or not ran or any(counts.get(o) for o in OPEN_ENDS)
    failed = any(counts.get(o) for o in FAILURES)
    assert code == (2 if worse else 1 if failed else 0)


INVALID = Judgement(reasons=(Reason("workers-lost", "1 worker died", "--max-workers-lost"),))


def finding(measure: str, result: Result) -> Finding:
    return Finding(f"{measure} < 1%", measure, "< 1%", "5%", result, is_close=False, note="")


@pytest.mark.parametrize(
    ("counts", "judgement", "aborted", "line"),
    [
        ({Outcome.DONE: 2}, INVALID, "", "exit code 2: INVALID: 1 worker died"),
        (
            {Outcome.DONE: 1, Outcome.FAILED: 1},
            INVALID,
            "",
            "exit code 2: 1 of 2 jobs failed; INVALID: 1 worker died",
        ),
        (
            {Outcome.DONE: 2},
            Judgement(thresholds=(finding("job.p95", Result.MISS),)),
            "",
            "exit code 1: job.p95 < 1%: miss, measured 5%",
        ),
        (
            {Outcome.DONE: 2},
            Judgement(thresholds=(finding("cost.total", Result.NOT_MEASURABLE),)),
            "",
            "exit code 2: cost.total < 1%: not measurable, since nobody knows it",
        ),
        (
            {Outcome.DONE: 9, Outcome.FAILED: 1},
            Judgement(thresholds=(finding("failed", Result.PASS),)),
            "",
            "exit code 0: 1 of 10 jobs failed, as thresholds allow",
        ),
        (
            {Outcome.DONE: 9, Outcome.VANISHED: 1},
            Judgement(thresholds=(finding("failed", Result.PASS),)),
            "",
            "exit code 1: 1 of 10 jobs vanished",
        ),
        (
            {Outcome.DONE: 9, Outcome.PARTIAL: 1},
            Judgement(thresholds=(finding("images_failed", Result.PASS),)),
            "",
            "exit code 0: 1 of 10 jobs is done with failed images, as thresholds allow",
        ),
        (
            {Outcome.DONE: 1, Outcome.UNFINISHED: 9},
            Judgement(thresholds=(finding("job.p95", Result.MISS),)),
            "job.p95 < 1s is missed: measured 5 s",
            "exit code 1: job.p95 < 1s is missed: measured 5 s; that ended the run"
            " (--abort-on-threshold), 9 of 10 jobs are unfinished",
        ),
    ],
)
def test_numbers_count_as_jobs_do(
    counts: dict[Outcome, int], judgement: Judgement, aborted: str, line: str
) -> None:
    found = exit_code(counts, finished=not aborted, judgement=judgement, aborted=aborted)
    assert found.line == line


def test_of_several_reasons_the_first_is_told_whole_and_the_others_by_name() -> None:
    reasons = tuple(Reason(name, f"{name} is wrong", "--max") for name in ("cpu", "silence", "few"))
    line = exit_code({Outcome.DONE: 9}, finished=True, judgement=Judgement(reasons)).line
    assert line == "exit code 2: INVALID: cpu is wrong (and for 2 more reasons: silence, few)"


@pytest.mark.parametrize(
    ("counts", "missing", "line"),
    [
        ({Outcome.DONE: 20}, 2, "0: all 20 jobs are done; 2 results could not be downloaded"),
        (
            {Outcome.DONE: 1, Outcome.FAILED: 1},
            1,
            "1: 1 of 2 jobs failed; 1 result could not be downloaded",
        ),
    ],
)
def test_results_that_are_missing_are_said_and_change_no_code(
    counts: dict[Outcome, int], missing: int, line: str
) -> None:
    assert exit_code(counts, finished=True, results_missing=missing).line == f"exit code {line}"
