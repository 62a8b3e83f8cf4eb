"""What was measured of a run for its verdict: the values that rules judge, and what caused them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


def is_master(process: str) -> bool:
    """Tell whether a process is the master of a distributed run, in any of its sessions."""
    return process.partition(" ")[0] == "master"


@dataclass(frozen=True, slots=True)
class Backing:
    """How many jobs stand behind a percentile that a threshold speaks of."""

    measure: str  # "job.p99"
    percent: float  # below 100: a maximum has no bound, however many jobs there are
    jobs: int


@dataclass(frozen=True, slots=True)
class OpenEnds:
    """Tickets that were closed without an end by the Kiosk, by what became of them."""

    never_begun: int = 0  # nothing was sent for them before the run was ended
    not_yet_due: int = 0  # those of them that were not due by then (open workload)
    unsubmitted: int = 0  # begun, and not accepted when the run was ended
    in_flight: int = 0  # submitted, and not final when the run was ended
    timed_out: int = 0  # JOB_TIMEOUT
    errors: Mapping[str, int] = field(default_factory=dict)  # by kind, see `evidence`
    ended_by: str = ""  # what ended the run: "SIGINT"; empty where every ticket had its turn


@dataclass(frozen=True, slots=True)
class Causes:
    """What may have caused the values of `ValidityFacts`: rules name it, none judges it. Seconds.

    Of several processes, that whose value the rule goes by.
    """

    refused: int = 0  # submissions that were refused or not taken (no connection, 408, 429, 503)
    refused_s: float = 0.0  # the longest from a job's first attempt to its last, of those
    failed_calls: int = 0  # jobs' calls without a usable answer: none, 408, 429, 5xx, no JSON
    outage_s: float = 0.0  # the longest time in which these were the only answers
    open_ends: OpenEnds | None = None
    doubled_by: Mapping[str, int] = field(default_factory=dict)  # ambiguous jobs by their cause
    cut_jobs: int = 0  # left out for warm-up and cool-down
    paused_s: float = 0.0  # nobody worked on the run, between its sessions
    sessions: int = 1
    late_process: str = ""  # whose event loop was latest: "run", "master", a worker's name
    loop_delay_p50_s: float = 0.0
    loop_delay_max_s: float = 0.0
    busiest: str = ""  # the process that used most of its processor
    socket_held_s: float | None = None  # the mean that requests held sockets which others awaited
    replied_to_late_s: float = 0.0  # the event loop's delay at the worker that waited longest
    master_delay_s: float = 0.0  # and at the master


@dataclass(frozen=True, slots=True)
class ValidityFacts:
    """What was measured of a run; None is not known, and no rule judges what is not known.

    Times in seconds, shares from 0 to 1. Of several processes, the worst. Where there are few
    values, a p99 is a lower bound of it (`measurement.binomial_bound`): a jolt makes no run
    invalid. A job's lag and the rate are those of its first attempt: what the Kiosk
    refuses came in time.
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
    is_open_ended: bool = False  # nobody said how many jobs there were to be (COUNT is 0)
    can_resume: bool = True  # False of a run whose simulated Kiosk ended with it
    causes: Causes = field(default_factory=Causes)

    @property
    def begun(self) -> int:
        """The tickets that the run's end did not come before."""
        ends = self.causes.open_ends
        return self.tickets - (ends.never_begun if ends else 0)
