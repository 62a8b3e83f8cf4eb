from __future__ import annotations

from dataclasses import replace

import pytest

from kiosk_locust.verdict.rules import RULES, Backing, ValidityFacts, judge

HEALTHY = ValidityFacts(
    is_open=True,
    tickets=1000,
    submission_lag_p99_s=0.003,
    waited_for_user=0,
    rate_wanted_per_s=50.0,
    rate_achieved_per_s=50.01,
    ambiguous=0,
    workers_lost=0,
    undecided=0,
    percentiles=(Backing("job.p95", 95, 1000), Backing("job.p99", 99, 1000)),
    clock_offset_s=0.002,
    clock_error_s=0.4,
    clock_steps=0,
    poll_interval_s=10.0,
    loop_delay_p99_s=0.002,
    cpu_share=0.4,
    socket_wait_p99_s=0.0,
    master_reply_p99_s=0.01,
    silence_s=0.3,
    simulator_cpu_share=0.2,
)
#: Each sickness at twice its limit, and a part of the sentence that it must draw.
SICK = [
    ("submission-lag", {"submission_lag_p99_s": 1.0}, "1.00 s"),
    ("waited-for-user", {"waited_for_user": 20}, "20 of 1,000 tickets waited for a free user"),
    ("achieved-rate", {"rate_achieved_per_s": 45.0}, "45 jobs/s where 50 jobs/s was wanted"),
    ("achieved-rate", {"rate_achieved_per_s": 55.0}, "off by 10 %"),
    ("ambiguous", {"ambiguous": 1}, "1 job may have been submitted twice"),
    ("workers-lost", {"workers_lost": 2}, "2 workers died"),
    ("undecided", {"undecided": 20}, "20 of 1,000 jobs have no end"),
    ("few-jobs", {"percentiles": (Backing("job.p99", 99, 184),)}, "needs 368 jobs and has 184"),
    ("clock-offset", {"clock_offset_s": 10.0}, "10.0 s ahead of ours"),
    ("clock-offset", {"clock_offset_s": -30.0}, "30.0 s behind ours"),
    ("clock-error", {"clock_error_s": 30.0}, "known to 30.0 s only"),
    ("clock-step", {"clock_steps": 1}, "was stepped 1 time in mid-run"),
    ("event-loop", {"loop_delay_p99_s": 0.2}, "200 ms"),
    ("cpu", {"cpu_share": 1.0}, "100 % of its processor"),
    ("socket-wait", {"socket_wait_p99_s": 0.5}, "CONCURRENT_REQUESTS_PER_HOST"),
    ("master-reply", {"master_reply_p99_s": 2.0}, "2.00 s"),
    ("silence", {"silence_s": 20.0}, "answered nothing at all for 20.0 s"),
    ("simulator", {"simulator_cpu_share": 0.99}, "the simulated Kiosk used 99 %"),
]


def test_a_healthy_run_is_valid_and_every_rule_was_judged() -> None:
    found = judge(HEALTHY)
    assert (found.verdict, found.reasons, found.unjudged) == ("VALID", (), ())


@pytest.mark.parametrize(("rule", "changes", "said"), SICK)
def test_each_sickness_gives_its_own_reason_and_no_other(
    rule: str, changes: dict[str, object], said: str
) -> None:
    found = judge(replace(HEALTHY, **changes))  # type: ignore[arg-type]  # fields of several types
    assert found.verdict == "INVALID"
    (reason,) = found.reasons
    assert reason.rule == rule
    assert said in reason.why


def test_every_rule_is_made_sick_here() -> None:
    assert {name for name, _, _ in SICK} == {rule.name for rule in RULES}


def test_each_rule_has_an_option_of_its_own() -> None:
    options = [each.option for each in RULES]
    assert len(set(options)) == len(RULES)
    assert all(option.startswith("--max-") for option in options)


def test_what_is_not_known_is_not_judged_and_said_so() -> None:
    found = judge(ValidityFacts(is_open=True, tickets=10))
    assert found.verdict == "VALID"
    assert set(found.unjudged) == {rule.name for rule in RULES}


def test_a_closed_workload_promises_no_times() -> None:
    late = replace(
        HEALTHY,
        is_open=False,
        submission_lag_p99_s=9.0,
        waited_for_user=900,
        rate_achieved_per_s=1.0,
    )
    assert judge(late).verdict == "VALID"


def test_a_limit_may_be_given() -> None:
    lost = replace(HEALTHY, workers_lost=1)
    assert judge(lost, {"workers-lost": 1}).verdict == "VALID"
    assert judge(HEALTHY, {"submission-lag": 0.001}).reasons[0].rule == "submission-lag"


def test_several_sicknesses_give_several_reasons() -> None:
    found = judge(replace(HEALTHY, workers_lost=1, cpu_share=1.0))
    assert [reason.rule for reason in found.reasons] == ["workers-lost", "cpu"]


def test_of_several_percentiles_those_with_too_few_jobs_are_named() -> None:
    few = replace(HEALTHY, percentiles=(Backing("job.p95", 95, 100), Backing("job.p99", 99, 100)))
    (reason,) = judge(few).reasons
    assert "job.p99 needs 368 jobs and has 100" in reason.why
    assert "job.p95" not in reason.why


def test_a_run_without_tickets_has_no_shares() -> None:
    found = judge(replace(HEALTHY, tickets=0, undecided=0))
    assert "undecided" in found.unjudged


def test_the_cure_of_late_submissions_is_that_of_what_made_them_late() -> None:
    late = replace(HEALTHY, submission_lag_p99_s=5.0)
    (reason,) = judge(late).reasons
    assert "--processes" in reason.why
    for reason in judge(replace(late, waited_for_user=900)).reasons:
        assert "Raise -u" in reason.why
        assert "--processes" not in reason.why
