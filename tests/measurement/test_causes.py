"""The table of docs/reference/verdict-causes.md, row by row: the advice fits the cause."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kiosk_locust.config.table import SETTINGS
from kiosk_locust.measurement.facts import Backing, Causes, OpenEnds, ValidityFacts
from kiosk_locust.measurement.process_figures import Generator, ProcessFigures
from kiosk_locust.verdict.advice import DOUBLED, ERRORS, findings
from kiosk_locust.verdict.rules import RULES, judge
from tests.verdict.test_rules import HEALTHY

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "verdict-causes.md"
REFUSED = Causes(refused=60, refused_s=12.5)
STALLED = Causes(late_process="run", loop_delay_max_s=20.0, loop_delay_p50_s=0.001)


class Case(NamedTuple):
    rule: str
    cause: str  # as the docs name it
    facts: dict[str, Any]
    says: str
    never: str = "--processes"


CASES = [
    Case("waited-for-user", "too few users", {"waited_for_user": 90}, "Raise -u"),
    Case(
        "waited-for-user",
        "the Kiosk refuses",
        {"waited_for_user": 90, "causes": REFUSED},
        "60 submissions were refused or not taken by the Kiosk (one job was tried for 12.5 s),"
        " which held the users",
    ),
    Case(
        "waited-for-user",
        "workers lost",
        {"waited_for_user": 90, "workers_lost": 2},
        "2 workers with users were lost",
    ),
    Case(
        "submission-lag",
        "too few users",
        {"submission_lag_p99_s": 9.0, "waited_for_user": 90},
        "They waited for a free user. Raise -u",
    ),
    Case(
        "submission-lag",
        "the process stood still",
        {"submission_lag_p99_s": 9.0, "causes": STALLED},
        "stood still for 20.0 s",
    ),
    Case(
        "submission-lag",
        "workers lost",
        {"submission_lag_p99_s": 9.0, "workers_lost": 1},
        "1 worker died or fell silent",
    ),
    Case(
        "submission-lag",
        "a busy process",
        {"submission_lag_p99_s": 9.0, "loop_delay_p99_s": 0.3},
        "take long work out of the locustfile",
        "Raise -u",
    ),
    Case(
        "submission-lag",
        "uploads wait for sockets",
        {"submission_lag_p99_s": 9.0, "socket_wait_p99_s": 4.0},
        "Raise CONCURRENT_REQUESTS_PER_HOST",
    ),
    Case(
        "submission-lag",
        "none of these",
        {"submission_lag_p99_s": 9.0},
        "Use more processes (--processes)",
        "Raise -u",
    ),
    Case(
        "achieved-rate",
        "too few users",
        {"rate_achieved_per_s": 30.0, "waited_for_user": 90},
        "Raise -u",
    ),
    Case(
        "achieved-rate",
        "none of these",
        {"rate_achieved_per_s": 30.0},
        "Use more processes (--processes)",
        "Raise -u",
    ),
    *(
        Case(
            "ambiguous",
            cause,
            {"ambiguous": 3, "causes": Causes(doubled_by={cause: 3})},
            f"3: {why}",
        )
        for cause, (why, _) in DOUBLED.items()
    ),
    Case("workers-lost", "died, killed, cut off", {"workers_lost": 2}, "See the workers' logs"),
    Case(
        "undecided",
        "never begun",
        {
            "undecided": 500,
            "causes": Causes(
                open_ends=OpenEnds(never_begun=500, not_yet_due=480, ended_by="SIGINT")
            ),
        },
        "500 were never begun when the run was ended by SIGINT, 480 of them not yet due",
        "not known",
    ),
    Case(
        "undecided",
        "not accepted yet",
        {"undecided": 50, "causes": Causes(open_ends=OpenEnds(unsubmitted=50, ended_by="SIGINT"))},
        "50 were not accepted yet when the run was ended by SIGINT",
        "not known",
    ),
    Case(
        "undecided",
        "in flight",
        {"undecided": 50, "causes": Causes(open_ends=OpenEnds(in_flight=50, ended_by="SIGINT"))},
        "50 were in flight when the run was ended by SIGINT. Resume the run (--resume) to see",
        "never begun",
    ),
    Case(
        "undecided",
        "timed out",
        {"undecided": 50, "causes": Causes(open_ends=OpenEnds(timed_out=50))},
        "50 timed out (JOB_TIMEOUT). Raise JOB_TIMEOUT",
        "--resume",
    ),
    *(
        Case(
            "undecided",
            kind,
            {"undecided": 50, "causes": Causes(open_ends=OpenEnds(errors={kind: 50}))},
            f"50 {said}. {fix}",
            "--resume",
        )
        for kind, (said, fix) in ERRORS.items()
    ),
    Case(
        "few-jobs",
        "COUNT too small",
        {"percentiles": (Backing("job.p99", 99, 100),), "tickets": 100},
        "Raise COUNT",
    ),
    Case(
        "few-jobs",
        "an open-ended run was too short",
        {
            "percentiles": (Backing("job.p99", 99, 100),),
            "tickets": 100,
            "is_open_ended": True,
        },
        "Let the run go on for longer",
        "COUNT",
    ),
    Case(
        "few-jobs",
        "warm-up cuts too many",
        {"percentiles": (Backing("job.p99", 99, 300),), "causes": Causes(cut_jobs=200)},
        "Warm-up and cool-down left out 200 jobs",
    ),
    Case(
        "few-jobs",
        "few jobs have a value",
        {"percentiles": (Backing("job.p99", 99, 3),)},
        "Only 3 of 1,000 jobs have such a value",
        "Raise COUNT",
    ),
    Case("clock-offset", "a clock is off", {"clock_offset_s": 30.0}, "Let NTP set both"),
    Case(
        "clock-error",
        "polls came late",
        {"clock_error_s": 30.0},
        "Polls came later than UPDATE_INTERVAL has them",
        "more often",
    ),
    Case(
        "clock-error",
        "an interval too short",
        {"clock_error_s": 0.00468, "poll_interval_s": 0.001},
        "set UPDATE_INTERVAL to 0.1 s or more",
        "more often",
    ),
    Case(
        "clock-error",
        "a busy process",
        {"clock_error_s": 30.0, "loop_delay_p99_s": 0.2},
        "Polls came late, as the event loop did",
        "more often",
    ),
    Case(
        "clock-error",
        "the Kiosk refuses",
        {"clock_error_s": 30.0, "causes": Causes(failed_calls=40, outage_s=31.0)},
        "40 calls to the Kiosk failed, with no good answer in between for 31.0 s",
        "Polls came late",
    ),
    Case(
        "clock-error",
        "nobody polled between sessions",
        {"clock_error_s": 30.0, "causes": Causes(paused_s=31.0, sessions=2)},
        "Nobody polled for 31.0 s between the run's sessions",
        "Polls came late",
    ),
    Case(
        "clock-error",
        "polls wait for sockets",
        {"clock_error_s": 30.0, "socket_wait_p99_s": 9.0},
        "Polls waited for a socket",
        "Polls came late",
    ),
    Case("clock-step", "the Kiosk's clock", {"clock_steps": 1}, "slew clocks", "sessions"),
    Case(
        "clock-step",
        "a clock between sessions",
        {"clock_steps": 1, "causes": Causes(sessions=2)},
        "or between two sessions that of this run's machine",
    ),
    Case(
        "event-loop",
        "the process stood still",
        {"loop_delay_p99_s": 5.0, "causes": STALLED},
        "was it stopped (Ctrl-Z), the machine suspended",
        "Take long work",
    ),
    Case(
        "event-loop",
        "a busy master",
        {"loop_delay_p99_s": 0.5, "causes": Causes(late_process="master", loop_delay_max_s=0.6)},
        "It is the master",
        "locustfile",
    ),
    Case(
        "event-loop",
        "a busy process",
        {"loop_delay_p99_s": 0.5, "causes": Causes(late_process="run", loop_delay_max_s=0.6)},
        "Take long work out of the locustfile",
        "Ctrl-Z",
    ),
    Case(
        "cpu",
        "one process",
        {"cpu_share": 1.0, "causes": Causes(busiest="run")},
        "--processes",
        "workers",
    ),
    Case(
        "cpu",
        "a worker",
        {"cpu_share": 1.0, "causes": Causes(busiest="host_1f")},
        "the process host_1f used 100 % of its processor, more than 90 %. Use more workers",
    ),
    Case(
        "cpu",
        "the master",
        {"cpu_share": 1.0, "causes": Causes(busiest="master of session 1")},
        "ask for fewer jobs a second",
    ),
    Case(
        "socket-wait",
        "a small pool",
        {"socket_wait_p99_s": 2.0, "causes": Causes(socket_held_s=0.02)},
        "Raise CONCURRENT_REQUESTS_PER_HOST",
    ),
    Case(
        "socket-wait",
        "the Kiosk answers slowly",
        {"socket_wait_p99_s": 2.0, "causes": Causes(socket_held_s=8.0)},
        "The Kiosk's answers held each socket for 8.00 s on average",
        "Raise CONCURRENT",
    ),
    Case(
        "master-reply",
        "a busy master",
        {"master_reply_p99_s": 3.0, "causes": Causes(master_delay_s=2.5, replied_to_late_s=0.2)},
        "The master's event loop was late by 2.50 s",
    ),
    Case(
        "master-reply",
        "the worker ran late",
        {"master_reply_p99_s": 3.0, "causes": Causes(replied_to_late_s=2.5)},
        "The worker itself ran late, by 2.50 s",
        "fast disk",
    ),
    Case("master-reply", "disk or network", {"master_reply_p99_s": 3.0}, "a fast disk"),
    Case("silence", "no answers", {"silence_s": 20.0}, "or raise --max-silence"),
    Case(
        "silence",
        "no answers, then errors",
        {"silence_s": 20.0, "causes": Causes(failed_calls=7, outage_s=31.0)},
        "7 calls to the Kiosk failed, with no good answer in between for 31.0 s",
    ),
    Case("simulator", "asked for too much", {"simulator_cpu_share": 1.0}, "a slower schedule"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.cause}")
def test_the_advice_of_a_rule_fits_the_cause(case: Case) -> None:
    facts = replace(HEALTHY, **case.facts)
    (why,) = (reason.why for reason in judge(facts).reasons if reason.rule == case.rule)
    assert case.says in why
    assert case.never not in why


def test_every_rule_has_its_causes_here_and_in_the_docs() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \|", DOCS.read_text(), re.MULTILINE)
    documented = {(rule, cause.strip()) for rule, cause in rows}
    assert {rule for rule, _ in documented} == {rule.name for rule in RULES}
    assert documented == {(case.rule, case.cause) for case in CASES}


def test_every_variable_that_the_advice_names_is_a_setting() -> None:
    texts = [*(text for pair in (*DOUBLED.values(), *ERRORS.values()) for text in pair)]
    rows = re.findall(r"^\| `[a-z-]+` \|.*$", DOCS.read_text(), re.MULTILINE)
    variables = {word for text in (*texts, *rows) for word in re.findall(r"[A-Z]+_[A-Z_]+", text)}
    settings = {setting.env for setting in SETTINGS.values()}
    assert "REQUEST_TIMEOUT" in variables
    assert variables <= settings


#: What is no fault of the measurement: no reason, though it may be told as a finding.
HARMLESS: list[tuple[str, dict[str, Any], str]] = [
    ("the Kiosk refuses", {"causes": REFUSED}, "60 submissions were refused or not taken"),
    (
        "polls fail",
        {"causes": Causes(failed_calls=40, outage_s=8.0)},
        "40 calls to the Kiosk failed",
    ),
    ("one request is refused", {"causes": Causes(refused=1, failed_calls=1)}, ""),
    ("nobody works between two sessions", {"causes": Causes(paused_s=3600.0, sessions=2)}, ""),
    ("a worker leaves", {"workers_lost": 0}, ""),
]


@pytest.mark.parametrize(
    ("facts", "said"), [each[1:] for each in HARMLESS], ids=[each[0] for each in HARMLESS]
)
def test_what_is_no_fault_of_the_measurement_is_no_reason(facts: dict[str, Any], said: str) -> None:
    found = replace(HEALTHY, **facts)
    assert judge(found).reasons == ()
    told = findings(found)
    assert len(told) == bool(said)
    assert said in "".join(told)


def figures(**given: Any) -> ProcessFigures:
    nothing: dict[str, Any] = dict.fromkeys(
        (
            *("loop_delay_p50_s", "loop_delay_p99_s", "loop_delay_max_s", "cpu_share"),
            *("memory_bytes", "socket_wait_p99_s", "socket_wait_max_s", "silence_s"),
            *("master_reply_p99_s", "judged_loop_delay_s", "judged_cpu_share"),
        )
    )
    return ProcessFigures(**{**nothing, "watched_s": 60.0, "requests": 9, **given})


def test_of_several_processes_the_causes_are_those_of_the_one_that_is_judged() -> None:
    processes = {
        "master": figures(judged_loop_delay_s=0.4, judged_cpu_share=0.2),
        "w1": figures(judged_loop_delay_s=0.1, judged_cpu_share=0.99, master_reply_p99_s=2.0),
        "w2": figures(
            judged_socket_wait_s=3.0, socket_held_s=2.5, failed_calls=4, outage_s=6.0,
            master_reply_p99_s=1.0, judged_loop_delay_s=0.0,
        ),
    }  # fmt: skip
    causes = Generator(processes).in_facts(ValidityFacts(is_open=True, tickets=1)).causes
    assert (causes.late_process, causes.busiest) == ("master", "w1")
    assert (causes.socket_held_s, causes.failed_calls, causes.outage_s) == (2.5, 4, 6.0)
    assert (causes.replied_to_late_s, causes.master_delay_s) == (0.1, 0.4)
