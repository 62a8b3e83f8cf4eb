"""The rules that decide whether a run's numbers can be trusted: value, limit and option; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from kiosk_locust.measurement.facts import Backing, ValidityFacts
from kiosk_locust.measurement.intervals import needed
from kiosk_locust.verdict import advice

__all__ = ["RULES", "SLACK_S", "Backing", "Reason", "Rule", "Validity", "ValidityFacts", "judge"]

_FORMS = {
    "s": "a time",
    "share": "a share of 1 or in %",
    "count": "a number of at least 0",
    "ratio": "a number of at least 0",
}
#: A schedule that ends so near to its time has kept it: a few jobs tell no rate.
SLACK_S = 0.5


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that may make a run's numbers worthless; it does so above ``limit``.

    ``option`` is the flag that sets the limit, ``meaning`` says of what. ``value`` reads what is
    judged, ``reason`` says it with its cure.
    """

    name: str
    option: str
    limit: float
    unit: str  # of the limit: "s", "share", "count", "ratio"
    meaning: str
    value: Callable[[ValidityFacts], float | None]
    reason: Callable[[ValidityFacts, float], str]

    @property
    def limit_shown(self) -> str:
        """The default as people write it: ``500ms``, ``1%``, ``0``."""
        if self.unit == "share":
            return f"{self.limit * 100:g}%"
        if self.unit == "s":
            return f"{self.limit:g}s" if self.limit >= 1 else f"{self.limit * 1000:g}ms"
        return f"{self.limit:g}"

    @property
    def limit_form(self) -> str:
        """What a limit has to be."""
        return _FORMS[self.unit]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a run is invalid: the rule, the sentence, the option that sets the limit."""

    rule: str
    why: str
    option: str


@dataclass(frozen=True, slots=True)
class Validity:
    """VALID, or INVALID with reasons; ``unjudged`` names the rules that had nothing to go by."""

    reasons: tuple[Reason, ...]
    unjudged: tuple[str, ...]

    @property
    def verdict(self) -> Literal["VALID", "INVALID"]:
        """The word that stands in results, report and page."""
        return "INVALID" if self.reasons else "VALID"


def judge(facts: ValidityFacts, limits: Mapping[str, float | None] | None = None) -> Validity:
    """Every rule over the facts; ``limits`` by rule name replace the defaults, None: no limit."""
    reasons, unjudged = [], []
    for rule in RULES:
        limit = (limits or {}).get(rule.name, rule.limit)
        value = None if limit is None else rule.value(facts)
        if value is None or limit is None:
            unjudged.append(rule.name)
        elif value > limit:
            reasons.append(Reason(rule.name, rule.reason(facts, limit), rule.option))
    return Validity(tuple(reasons), tuple(unjudged))


def _open_only(
    value: Callable[[ValidityFacts], float | None],
) -> Callable[[ValidityFacts], float | None]:
    return lambda facts: value(facts) if facts.is_open else None


def _share(count: int | None, of: int) -> float | None:
    return None if count is None or not of else count / of


def _rate_error(facts: ValidityFacts) -> float | None:
    if not facts.rate_wanted_per_s or facts.rate_achieved_per_s is None:
        return None
    wanted, achieved = facts.rate_wanted_per_s, facts.rate_achieved_per_s
    if achieved and abs(1 / achieved - 1 / wanted) * max(0, facts.begun - 1) <= SLACK_S:
        return 0.0
    return abs(achieved / wanted - 1)


def _missing_jobs(facts: ValidityFacts) -> float | None:
    """Of the percentile that is worst off: the jobs needed over those that there are."""
    lacks = [needed(backing.percent) / max(1, backing.jobs) for backing in facts.percentiles]
    return max(lacks, default=None)


def _clock_error(facts: ValidityFacts) -> float | None:
    """In poll intervals: the polls alone bound a clock so well."""
    if facts.clock_error_s is None or not facts.poll_interval_s:
        return None
    return facts.clock_error_s / facts.poll_interval_s


RULES = (
    Rule(
        "waited-for-user", "--max-waited-for-user", 0.01, "share",
        "tickets that waited for a free user (open workload)",
        _open_only(lambda f: _share(f.waited_for_user, f.begun)), advice.waited,
    ),
    Rule(
        "submission-lag", "--max-submission-lag", 0.5, "s",
        "p99 of how late jobs were first tried (open workload)",
        _open_only(lambda f: f.submission_lag_p99_s), advice.late,
    ),
    Rule(
        "achieved-rate", "--max-rate-error", 0.05, "share",
        "how far jobs a second are off what was wanted (open workload)",
        _open_only(_rate_error),
        lambda f, limit: advice.off_rate(f, _rate_error(f), limit),
    ),
    Rule(
        "ambiguous", "--max-ambiguous", 0, "count",
        "jobs that may have been submitted twice",
        lambda f: f.ambiguous, advice.doubled,
    ),
    Rule(
        "workers-lost", "--max-workers-lost", 0, "count",
        "workers that died or fell silent",
        lambda f: f.workers_lost, advice.lost,
    ),
    Rule(
        "undecided", "--max-undecided", 0.01, "share",
        "jobs without an end by the Kiosk",
        lambda f: _share(f.undecided, f.tickets), advice.undecided,
    ),
    Rule(
        "few-jobs", "--max-missing-jobs", 1.0, "ratio",
        "jobs that a threshold's percentile needs over those that there are",
        _missing_jobs, advice.few,
    ),
    Rule(
        "clock-offset", "--max-clock-offset", 5.0, "s",
        "how far the Kiosk's clock is off ours",
        lambda f: None if f.clock_offset_s is None else abs(f.clock_offset_s), advice.offset,
    ),
    Rule(
        "clock-error", "--max-clock-error", 1.5, "ratio",
        "by how many poll intervals differing clocks may falsify a duration",
        _clock_error, advice.clock_error,
    ),
    Rule(
        "clock-step", "--max-clock-steps", 0, "count",
        "steps of a clock of the Kiosk",
        lambda f: f.clock_steps, advice.clock_step,
    ),
    Rule(
        "event-loop", "--max-loop-delay", 0.1, "s",
        "p99 of how late this program's greenlets ran",
        lambda f: f.loop_delay_p99_s, advice.late_loop,
    ),
    Rule(
        "cpu", "--max-cpu", 0.9, "share",
        "share of a processor that the busiest process used",
        lambda f: f.cpu_share, advice.busy,
    ),
    Rule(
        "socket-wait", "--max-socket-wait", 0.25, "s",
        "p99 of how long requests waited for a socket of the pool",
        lambda f: f.socket_wait_p99_s, advice.sockets,
    ),
    Rule(
        "master-reply", "--max-master-reply", 1.0, "s",
        "p99 of how long workers waited for the master",
        lambda f: f.master_reply_p99_s, advice.slow_master,
    ),
    Rule(
        "silence", "--max-silence", 10.0, "s",
        "the longest time without any answer of the Kiosk",
        lambda f: f.silence_s, advice.silent,
    ),
    Rule(
        "simulator", "--max-simulator-cpu", 0.9, "share",
        "share of a processor that the simulated Kiosk used",
        lambda f: f.simulator_cpu_share, advice.simulator,
    ),
)  # fmt: skip
