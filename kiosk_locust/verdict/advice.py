"""Sentences on what makes a run invalid: the value, its cause and the fix that fits it; pure.

Each takes the facts and the limit that was passed. The table: `docs/reference/verdict-causes.md`.
"""

from __future__ import annotations

from kiosk_locust.formatting import units
from kiosk_locust.measurement.facts import Causes, OpenEnds, ValidityFacts, is_master
from kiosk_locust.measurement.intervals import needed

#: Above this share of tickets that waited for a user, that is why submissions were late.
WAITED_SHARE = 0.01
#: Submissions that the Kiosk kept waiting so long are told, though the run is none the worse.
REFUSED_S = 0.5
#: Longer than this, an answer that holds a socket is the Kiosk's slowness, not a small pool.
SLOW_ANSWER_S = 1.0
#: A single stall of the event loop that is so long is no steady load.
STALL_S = 1.0
#: A loop that is later than this explains what came late.
LATE_LOOP_S = 0.1
#: Waits for a socket that explain late uploads.
SOCKET_WAIT_S = 0.25
#: Polls that are closer than this (s) are hardly answered before the next one is due.
SHORT_INTERVAL_S = 0.1
_ALONE = "run"  # name of a process, before " of session 1"
_FRONTEND = "See the Kiosk's frontend and what stands before it"

#: What made jobs ambiguous, and the fix; the keys are those of `Causes.doubled_by`.
DOUBLED = {
    "connection": (
        "the connection broke before the answer",
        "look at what cut the connections (ingress, a restarted frontend)",
    ),
    "timeout": (
        "no answer came within REQUEST_TIMEOUT",
        "see why the frontend is slow, or raise REQUEST_TIMEOUT",
    ),
    "status": (
        "the Kiosk answered with an error that says nothing of the job (500, 502, 504)",
        "see the frontend's log",
    ),
    "unreadable": (
        "the answer could not be read",
        "see what stands before the Kiosk, and whether API_HOST is right",
    ),
    "worker": ("their worker was lost", "see the workers' logs"),
    "process": ("the run's process died", "end runs by Ctrl-C or SIGTERM, and see why it died"),
    "disk": ("the run's disk was lost", "take checkpoints more often (CHECKPOINT)"),
    "ended": (
        "the run was ended while they were submitted",
        "give jobs in flight more time (--stop-timeout)",
    ),
    "unknown": ("for an unknown cause", "see the attempts in the ledger"),
}

#: Kinds of errors that close a ticket, and the fix; the keys are those of `OpenEnds.errors`.
ERRORS = {
    "not submitted": ("could not be submitted", _FRONTEND),
    "perhaps submitted": ("may have been submitted", _FRONTEND),
    "not uploaded": ("had a file that could not be uploaded", "See the reasons in the results"),
    "not read": ("had a status that could not be read", _FRONTEND),
    "locustfile": ("had a request that raised", "Mend KioskUser.request in the locustfile"),
    "other": ("ended in another error", "See the reasons in the results"),
}


def seconds_above(what: str, value: float | None, limit: float, fix: str) -> str:
    """A sentence on a time that is too long."""
    return f"{what} {units.seconds(value)}, more than {units.seconds(limit)}. {fix}"


def percent(value: float | None) -> str:
    """A share as people read it."""
    return "-" if value is None else f"{value * 100:.3g} %"


def waited_share(facts: ValidityFacts) -> float:
    """The share of tickets that waited for a free user; 0 where it is not known."""
    return (facts.waited_for_user or 0) / facts.begun if facts.begun else 0.0


def outage(causes: Causes) -> str:
    """What the Kiosk did not take or answer, as a part of a sentence; empty: nothing."""
    if causes.refused and causes.refused_s >= REFUSED_S:
        number = units.count(causes.refused, "submission")
        verb = "was" if causes.refused == 1 else "were"
        lasted = units.seconds(causes.refused_s)
        return f"{number} {verb} refused or not taken by the Kiosk (one job was tried for {lasted})"
    if causes.failed_calls and causes.outage_s >= STALL_S:
        calls = units.count(causes.failed_calls, "call")
        lasted = units.seconds(causes.outage_s)
        return f"{calls} to the Kiosk failed, with no good answer in between for {lasted}"
    return ""


def findings(facts: ValidityFacts) -> tuple[str, ...]:
    """What the Kiosk did that makes no run invalid, but must be known of it."""
    said = outage(facts.causes)
    if not said:
        return ()
    return (
        f"{said}: that is the Kiosk's, and no fault of the measurement. Durations since due have"
        " it in them; see the Kiosk's frontend",
    )


# -- submissions that were late


def late_waiting(facts: ValidityFacts) -> str:
    """The fix of tickets that waited for a user."""
    if said := outage(facts.causes):
        return f"{said}, which held the users: see the Kiosk's frontend, or raise -u"
    if facts.workers_lost:
        lost = units.count(facts.workers_lost, "worker")
        return f"{lost} with users were lost meanwhile: see the workers' logs"
    return "Raise -u"


def late_fix(facts: ValidityFacts) -> str:
    """The fix of what made submissions late, by the likeliest cause."""
    causes = facts.causes
    if waited_share(facts) > WAITED_SHARE:
        return f"They waited for a free user. {late_waiting(facts)}"
    if causes.loop_delay_max_s >= STALL_S:
        return stall(causes)
    if facts.workers_lost:
        lost = units.count(facts.workers_lost, "worker")
        return f"{lost} died or fell silent, and others took their jobs: see the workers' logs"
    if (facts.loop_delay_p99_s or 0.0) > LATE_LOOP_S:
        return (
            f"The event loop was late by {units.seconds(facts.loop_delay_p99_s)} (p99): take long"
            " work out of the locustfile, or use more processes (--processes)"
        )
    if (facts.socket_wait_p99_s or 0.0) > SOCKET_WAIT_S:
        return f"Uploads waited for a socket. {socket_fix(facts)}"
    return "Use more processes (--processes), or a slower schedule"


def late(facts: ValidityFacts, limit: float) -> str:
    """On the lag of first attempts."""
    what = "submissions came late: p99 of the first attempt's lag is at least"
    return seconds_above(what, facts.submission_lag_p99_s, limit, late_fix(facts))


def waited(facts: ValidityFacts, limit: float) -> str:
    """On tickets that waited for a user."""
    return (
        f"{facts.waited_for_user or 0:,} of {units.count(facts.begun, 'ticket')} waited for a"
        f" free user, more than {percent(limit)}: they were not submitted when they were due."
        f" {late_waiting(facts)}"
    )


def off_rate(facts: ValidityFacts, error: float | None, limit: float) -> str:
    """On a rate that is not the wanted one."""
    return (
        f"jobs were begun at {units.rate(facts.rate_achieved_per_s, 'jobs')} where"
        f" {units.rate(facts.rate_wanted_per_s, 'jobs')} was wanted, off by {percent(error)}, more"
        f" than {percent(limit)}. {late_fix(facts)}"
    )


# -- jobs whose number or end is in doubt


def doubled(facts: ValidityFacts, limit: float) -> str:
    """On ambiguous jobs, by what made them so."""
    causes = facts.causes.doubled_by or {"unknown": facts.ambiguous or 0}
    ranked = sorted(causes, key=lambda cause: -causes[cause])
    why = "; ".join(f"{causes[cause]:,}: {DOUBLED[cause][0]}" for cause in ranked)
    return (
        f"{units.count(facts.ambiguous or 0, 'job')} may have been submitted twice, more than"
        f" {limit:g} ({why}): the Kiosk may have had more work than was counted."
        f" {_sentence(DOUBLED[ranked[0]][1])}"
    )


def undecided(facts: ValidityFacts, limit: float) -> str:
    """On tickets without an end, by what became of them."""
    ends = facts.causes.open_ends or OpenEnds()
    parts = _open_parts(ends)
    said = "; ".join(parts) if parts else "how they ended is not known"
    return (
        f"{facts.undecided or 0:,} of {units.count(facts.tickets, 'job')} have no end, more than"
        f" {percent(limit)}: {said}. {_open_fix(ends, can_resume=facts.can_resume)}"
    )


def _open_parts(ends: OpenEnds) -> list[str]:
    by = f" when the run was ended by {ends.ended_by}" if ends.ended_by else ""
    parts = []
    if ends.never_begun:
        due = f", {ends.not_yet_due:,} of them not yet due" if ends.not_yet_due else ""
        parts.append(f"{_many(ends.never_begun)} never begun{by}{due}")
    if ends.unsubmitted:
        parts.append(f"{_many(ends.unsubmitted)} not accepted yet{by}")
    if ends.in_flight:
        parts.append(f"{_many(ends.in_flight)} in flight{by}")
    if ends.timed_out:
        parts.append(f"{ends.timed_out:,} timed out (JOB_TIMEOUT)")
    parts += [f"{number:,} {ERRORS[kind][0]}" for kind, number in ends.errors.items() if number]
    return parts


def _open_fix(ends: OpenEnds, *, can_resume: bool) -> str:
    """The fix of the largest part."""
    again = "Resume the run (--resume)" if can_resume else "Start a new run"
    fixes = [
        (
            ends.never_begun + ends.unsubmitted,
            f"{again} to submit them" if can_resume else f"{again}, and let it end",
        ),
        (
            ends.in_flight,
            f"{again} to see how they end, or give jobs in flight more time (--stop-timeout)"
            if can_resume
            else "Give jobs in flight more time (--stop-timeout)",
        ),
        (ends.timed_out, "Raise JOB_TIMEOUT, or see why the Kiosk did not end them"),
        *((number, ERRORS[kind][1]) for kind, number in ends.errors.items()),
    ]
    number, fix = max(fixes, key=lambda part: part[0])
    return fix if number else f"{again}, or give it more time"


def lost(facts: ValidityFacts, limit: float) -> str:
    """On lost workers."""
    return (
        f"{units.count(facts.workers_lost or 0, 'worker')} died or fell silent, more than"
        f" {limit:g}; their jobs were late or watched by others. See the workers' logs, and the"
        " network to them"
    )


def few(facts: ValidityFacts, limit: float) -> str:
    """On percentiles with too few jobs behind them."""
    short = [
        backing
        for backing in facts.percentiles
        if needed(backing.percent) > limit * max(1, backing.jobs)
    ]
    said = [
        f"{backing.measure} needs {needed(backing.percent):,} jobs and has {backing.jobs:,}"
        for backing in short
    ]
    least = min((backing.jobs for backing in short), default=0)
    most = max((needed(backing.percent) for backing in short), default=0)
    more = "let the run go on for longer (-t)" if facts.is_open_ended else "raise COUNT"
    fix = f"{_sentence(more)}, or use a lower percentile"
    if facts.causes.cut_jobs and least + facts.causes.cut_jobs >= most:
        cut = units.count(facts.causes.cut_jobs, "job")
        fix = f"Warm-up and cool-down left out {cut}: {more}, or shorten them"
    elif facts.tickets - facts.causes.cut_jobs >= most:
        jobs = units.count(facts.tickets, "job")
        fix = f"Only {least:,} of {jobs} have such a value: see how the others ended"
    return f"too few jobs: {'; '.join(said)}. {fix}"


# -- clocks


def offset(facts: ValidityFacts, limit: float) -> str:
    """On a clock that is off."""
    off_s = facts.clock_offset_s or 0.0
    return (
        f"the Kiosk's clock is {units.seconds(abs(off_s))} {'ahead of' if off_s > 0 else 'behind'}"
        f" ours, more than {units.seconds(limit)}: times of nodes and costs are off by as much."
        " Let NTP set both"
    )


def clock_error(facts: ValidityFacts, limit: float) -> str:
    """On durations that are known too roughly."""
    causes = facts.causes
    fix = _late_polls(facts)
    if causes.paused_s and causes.paused_s >= (facts.clock_error_s or 0.0):
        fix = f"Nobody polled for {units.seconds(causes.paused_s)} between the run's sessions"
    elif said := outage(causes):
        fix = f"{_sentence(said)}, so the ends of jobs were seen late: see the Kiosk's frontend"
    elif (facts.socket_wait_p99_s or 0.0) > SOCKET_WAIT_S:
        fix = f"Polls waited for a socket. {socket_fix(facts)}"
    return (
        f"durations mix clocks that are known to {units.seconds(facts.clock_error_s)} only, more"
        f" than {limit:g} poll intervals. {fix}"
    )


def _late_polls(facts: ValidityFacts) -> str:
    """The fix of ends that were bounded worse than by a poll each interval.

    It is never to poll more often: the error is judged in intervals, and polls that come as they
    are planned bound it to about one.
    """
    interval_s = facts.poll_interval_s or 0.0
    if 0 < interval_s < SHORT_INTERVAL_S:
        return (
            f"Polls {units.seconds(interval_s)} apart are closer than a poll and its answer take:"
            f" set UPDATE_INTERVAL to {SHORT_INTERVAL_S:g} s or more"
        )
    if (facts.loop_delay_p99_s or 0.0) > LATE_LOOP_S:
        return (
            "Polls came late, as the event loop did: take long work out of the locustfile, or use"
            " more processes (--processes)"
        )
    return (
        "Polls came later than UPDATE_INTERVAL has them: see why the Kiosk's answers take long, or"
        " set a longer UPDATE_INTERVAL, which asks for less"
    )


def clock_step(facts: ValidityFacts, limit: float) -> str:
    """On a clock that was stepped; a session's own clock is never stepped."""
    whose = "a clock of the Kiosk"
    if facts.causes.sessions > 1:
        whose += ", or between two sessions that of this run's machine,"
    return (
        f"{whose} was stepped {units.count(facts.clock_steps or 0, 'time')} in mid-run, more than"
        f" {limit:g}: durations across a step are wrong. Let NTP slew clocks"
    )


# -- the generator's own processes


def stall(causes: Causes) -> str:
    """On a process that did nothing for a while."""
    return (
        f"The process {causes.late_process or 'run'} stood still for"
        f" {units.seconds(causes.loop_delay_max_s)} at a stretch: was it stopped (Ctrl-Z), the"
        " machine suspended, or is there a call in the locustfile that takes so long?"
    )


def late_loop(facts: ValidityFacts, limit: float) -> str:
    """On an event loop that is late: once for long, or all the time."""
    causes = facts.causes
    fix = "Take long work out of the locustfile, or use more processes or a quieter machine"
    if causes.loop_delay_max_s >= STALL_S and causes.loop_delay_p50_s <= LATE_LOOP_S:
        fix = stall(causes)
    elif is_master(causes.late_process):
        fix = "It is the master: give it a processor of its own, or ask for fewer jobs a second"
    what = "this program ran late: p99 of the event loop's delay is"
    return seconds_above(what, facts.loop_delay_p99_s, limit, fix)


def busy(facts: ValidityFacts, limit: float) -> str:
    """On a process without spare time."""
    name = facts.causes.busiest
    fix = "Use more processes (--processes)"
    if is_master(name):
        fix = "It is the master: ask for fewer jobs a second; more workers do not help it"
    elif name and name.partition(" ")[0] != _ALONE:
        fix = "Use more workers"
    whose = f"the process {name}" if name else "a process"
    return (
        f"{whose} used {percent(facts.cpu_share)} of its processor, more than {percent(limit)}."
        f" {fix}"
    )


def socket_fix(facts: ValidityFacts) -> str:
    """The fix of waits for a socket: a larger pool, unless slow answers hold all of it."""
    held_s = facts.causes.socket_held_s
    if held_s is not None and held_s >= SLOW_ANSWER_S:
        return (
            f"The Kiosk's answers held each socket for {units.seconds(held_s)} on average: see its"
            " frontend; with a larger CONCURRENT_REQUESTS_PER_HOST more can wait at once"
        )
    return "Raise CONCURRENT_REQUESTS_PER_HOST, or poll less often"


def sockets(facts: ValidityFacts, limit: float) -> str:
    """On requests that waited for a socket."""
    what = "requests waited for a free socket: p99 is at least"
    return seconds_above(what, facts.socket_wait_p99_s, limit, socket_fix(facts))


def slow_master(facts: ValidityFacts, limit: float) -> str:
    """On replies that came late, by who was late: the master, the worker, or neither."""
    causes = facts.causes
    if causes.replied_to_late_s > max(LATE_LOOP_S, causes.master_delay_s):
        fix = (
            f"The worker itself ran late, by {units.seconds(causes.replied_to_late_s)}: give its"
            " machine fewer workers"
        )
    elif causes.master_delay_s > LATE_LOOP_S:
        fix = (
            f"The master's event loop was late by {units.seconds(causes.master_delay_s)}: give it"
            " a processor of its own"
        )
    else:
        fix = "Give the master a fast disk, and see the network between them"
    what = "the master answered its workers slowly: p99 is"
    return seconds_above(what, facts.master_reply_p99_s, limit, fix)


def silent(facts: ValidityFacts, limit: float) -> str:
    """On a Kiosk, or a network, that stood still."""
    said = outage(facts.causes)
    then = f" {_sentence(said)}." if said else ""
    fix = (
        f"Its frontend or the network stood still.{then} Durations since due have it in them; see"
        " the frontend's log (without its Redis it answers after 10 s), or raise --max-silence if"
        " that is to be measured"
    )
    return seconds_above("the Kiosk answered nothing at all for", facts.silence_s, limit, fix)


def simulator(facts: ValidityFacts, limit: float) -> str:
    """On a simulated Kiosk without spare time."""
    return (
        f"the simulated Kiosk used {percent(facts.simulator_cpu_share)} of a processor, more than"
        f" {percent(limit)}: it is slower than it was told to be. Ask it for less: a slower"
        " schedule, or fewer polls (UPDATE_INTERVAL)"
    )


def _many(number: int) -> str:
    return f"{number:,} {'was' if number == 1 else 'were'}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
