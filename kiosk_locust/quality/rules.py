"""Whether a run's numbers can be trusted: each rule, its limit, its reason and its cure; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from kiosk_locust import units
from kiosk_locust.quality.confidence import needed


@dataclass(frozen=True, slots=True)
class Backing:
    """How many jobs stand behind a percentile that a threshold speaks of."""

    measure: str  # "job.p99"
    percent: float  # below 100: a maximum has no bound, however many jobs there are
    jobs: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What was measured of a run; None is not known, and no rule judges what is not known.

    Times in seconds, shares from 0 to 1. Of several processes, the worst. Where there are few
    values, a p99 is a lower bound of it (`quality.tails`): a jolt makes no run invalid.
    """

    is_open: bool  # jobs were due by a schedule
    tickets: int
    submission_lag_p99_s: float | None = None
    waited_for_user: int | None = None  # tickets that were due before a user was free
    rate_wanted_per_s: float | None = None
    rate_achieved_per_s: float | None = None
    ambiguous: int | None = None
    workers_lost: int | None = None
    undecided: int | None = None  # tickets closed as error, unfinished or timeout
    percentiles: tuple[Backing, ...] = ()
    clock_offset_s: float | None = None  # the frontend's ahead of ours, or behind: negative
    clock_error_s: float | None = None  # how far a duration may be off, since clocks differ
    clock_steps: int | None = None
    poll_interval_s: float | None = None  # the longest that was planned
    loop_delay_p99_s: float | None = None
    cpu_share: float | None = None  # of one processor, of the busiest process
    socket_wait_p99_s: float | None = None
    master_reply_p99_s: float | None = None
    silence_s: float | None = None  # the longest time without an answer while some were awaited
    simulator_cpu_share: float | None = None


_FORMS = {
    "s": "a time with its unit",
    "share": "a share of 1 or in %",
    "count": "a number of at least 0",
    "ratio": "a number of at least 0",
}
#: Above this share of tickets that waited for a user, that is why submissions were late.
_WAITED_SHARE = 0.01
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
    value: Callable[[Facts], float | None]
    reason: Callable[[Facts, float], str]

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


def judge(facts: Facts, limits: Mapping[str, float | None] | None = None) -> Validity:
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


def _open_only(value: Callable[[Facts], float | None]) -> Callable[[Facts], float | None]:
    return lambda facts: value(facts) if facts.is_open else None


def _share(count: int | None, facts: Facts) -> float | None:
    return None if count is None or not facts.tickets else count / facts.tickets


def _rate_error(facts: Facts) -> float | None:
    if not facts.rate_wanted_per_s or facts.rate_achieved_per_s is None:
        return None
    wanted, achieved = facts.rate_wanted_per_s, facts.rate_achieved_per_s
    if achieved and abs(1 / achieved - 1 / wanted) * max(0, facts.tickets - 1) <= SLACK_S:
        return 0.0
    return abs(achieved / wanted - 1)


def _missing_jobs(facts: Facts) -> float | None:
    """Of the percentile that is worst off: the jobs needed over those that there are."""
    lacks = [needed(each.percent) / max(1, each.jobs) for each in facts.percentiles]
    return max(lacks, default=None)


def _clock_error(facts: Facts) -> float | None:
    """In poll intervals: the polls alone bound a clock so well."""
    if facts.clock_error_s is None or not facts.poll_interval_s:
        return None
    return facts.clock_error_s / facts.poll_interval_s


def _say_few(facts: Facts, limit: float) -> str:
    said = [
        f"{each.measure} needs {needed(each.percent):,} jobs and has {each.jobs:,}"
        for each in facts.percentiles
        if needed(each.percent) > limit * max(1, each.jobs)
    ]
    return f"too few jobs: {'; '.join(said)}. Raise COUNT, or use a lower percentile"


def _say_late(facts: Facts, limit: float) -> str:
    """With the cure of what made them late: too few users, where tickets waited for one."""
    waited = (_share(facts.waited_for_user, facts) or 0.0) > _WAITED_SHARE
    cure = (
        "Raise -u: they waited for a free user"
        if waited
        else "Use more processes (--processes), a larger pool, or a slower schedule"
    )
    return _seconds(
        "submissions came late: p99 of their lag is at least", "submission_lag_p99_s", cure
    )(facts, limit)


def _seconds(what: str, field: str, cure: str) -> Callable[[Facts, float], str]:
    """A sentence on a time that is too long."""
    return lambda facts, limit: (
        f"{what} {units.seconds(getattr(facts, field))}, more than {units.seconds(limit)}. {cure}"
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.3g} %"


RULES = (
    Rule(
        "waited-for-user", "--max-waited-for-user", 0.01, "share",
        "tickets that waited for a free user (open workload)",
        _open_only(lambda f: _share(f.waited_for_user, f)),
        lambda f, limit: (
            f"{f.waited_for_user or 0:,} of {units.count(f.tickets, 'ticket')} waited for a free"
            f" user, more than {_percent(limit)}: they were not submitted when they were due."
            " Raise -u, or see why workers were away"
        ),
    ),
    Rule(
        "submission-lag", "--max-submission-lag", 0.5, "s",
        "p99 of how late jobs were submitted (open workload)",
        _open_only(lambda f: f.submission_lag_p99_s),
        _say_late,
    ),
    Rule(
        "achieved-rate", "--max-rate-error", 0.05, "share",
        "how far jobs a second are off what was wanted (open workload)",
        _open_only(_rate_error),
        lambda f, limit: (
            f"jobs were submitted at {units.rate(f.rate_achieved_per_s, 'jobs')} where"
            f" {units.rate(f.rate_wanted_per_s, 'jobs')} was wanted, off by"
            f" {_percent(_rate_error(f))}, more than {_percent(limit)}. Raise -u, use more"
            " processes, or ask for less"
        ),
    ),
    Rule(
        "ambiguous", "--max-ambiguous", 0, "count",
        "jobs that may have been submitted twice",
        lambda f: f.ambiguous,
        lambda f, limit: (
            f"{units.count(f.ambiguous or 0, 'job')} may have been submitted twice, more than"
            f" {limit:g}: the Kiosk had more work than was counted. Look at what cut the"
            " connections"
        ),
    ),
    Rule(
        "workers-lost", "--max-workers-lost", 0, "count",
        "workers that died or fell silent",
        lambda f: f.workers_lost,
        lambda f, limit: (
            f"{units.count(f.workers_lost or 0, 'worker')} died or fell silent, more than"
            f" {limit:g}; their jobs were late or watched by others. See the workers' logs"
        ),
    ),
    Rule(
        "undecided", "--max-undecided", 0.01, "share",
        "jobs whose end is not known",
        lambda f: _share(f.undecided, f),
        lambda f, limit: (
            f"how {f.undecided or 0:,} of {units.count(f.tickets, 'job')} ended is not known,"
            f" more than {_percent(limit)}. Resume the run (--resume), or give it more time"
        ),
    ),
    Rule(
        "few-jobs", "--max-missing-jobs", 1.0, "ratio",
        "jobs that a threshold's percentile needs over those that there are",
        _missing_jobs,
        _say_few,
    ),
    Rule(
        "clock-offset", "--max-clock-offset", 5.0, "s",
        "how far the Kiosk's clock is off ours",
        lambda f: None if f.clock_offset_s is None else abs(f.clock_offset_s),
        lambda f, limit: (
            f"the Kiosk's clock is {units.seconds(abs(f.clock_offset_s or 0))}"
            f" {'ahead of' if (f.clock_offset_s or 0) > 0 else 'behind'} ours, more than"
            f" {units.seconds(limit)}: times of nodes and costs are off by as much. Let NTP set"
            " both"
        ),
    ),
    Rule(
        "clock-error", "--max-clock-error", 1.5, "ratio",
        "by how many poll intervals differing clocks may falsify a duration", _clock_error,
        lambda f, limit: (
            f"durations mix clocks that are known to {units.seconds(f.clock_error_s)} only, more"
            f" than {limit:g} poll intervals. Poll more often (UPDATE_INTERVAL)"
        ),
    ),
    Rule(
        "clock-step", "--max-clock-steps", 0, "count",
        "steps of a clock of the Kiosk",
        lambda f: f.clock_steps,
        lambda f, limit: (
            f"a clock of the Kiosk was stepped {units.count(f.clock_steps or 0, 'time')} in"
            f" mid-run, more than {limit:g}: durations across a step are wrong. Let NTP slew clocks"
        ),
    ),
    Rule(
        "event-loop", "--max-loop-delay", 0.1, "s",
        "p99 of how late this program's greenlets ran",
        lambda f: f.loop_delay_p99_s,
        _seconds(
            "this program ran late: p99 of the event loop's delay is", "loop_delay_p99_s",
            "Take long work out of the locustfile, or use more processes or a quieter machine",
        ),
    ),
    Rule(
        "cpu", "--max-cpu", 0.9, "share",
        "share of a processor that the busiest process used",
        lambda f: f.cpu_share,
        lambda f, limit: (
            f"a process used {_percent(f.cpu_share)} of its processor, more than"
            f" {_percent(limit)}. Use more processes (--processes)"
        ),
    ),
    Rule(
        "socket-wait", "--max-socket-wait", 0.25, "s",
        "p99 of how long requests waited for a socket of the pool",
        lambda f: f.socket_wait_p99_s,
        _seconds(
            "requests waited for a free socket: p99 is at least", "socket_wait_p99_s",
            "Raise CONCURRENT_REQUESTS_PER_HOST, or poll less often",
        ),
    ),
    Rule(
        "master-reply", "--max-master-reply", 1.0, "s",
        "p99 of how long workers waited for the master",
        lambda f: f.master_reply_p99_s,
        _seconds(
            "the master answered its workers slowly: p99 is", "master_reply_p99_s",
            "Give the master a processor of its own and a fast disk",
        ),
    ),
    Rule(
        "silence", "--max-silence", 10.0, "s",
        "the longest time without any answer of the Kiosk",
        lambda f: f.silence_s,
        _seconds(
            "the Kiosk answered nothing at all for", "silence_s",
            "See durations since due, which have it in them, and the frontend's own log",
        ),
    ),
    Rule(
        "simulator", "--max-simulator-cpu", 0.9, "share",
        "share of a processor that the simulated Kiosk used",
        lambda f: f.simulator_cpu_share,
        lambda f, limit: (
            f"the simulated Kiosk used {_percent(f.simulator_cpu_share)} of a processor, more than"
            f" {_percent(limit)}: it is slower than it was told to be. Ask it for less"
        ),
    ),
)  # fmt: skip
