"""Number of jobs, their start times, and number of users."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kiosk_locust.config.pacing import start_delay_s
from kiosk_locust.config.sources import SettingText
from kiosk_locust.config.validation import DEFAULT, Checker
from kiosk_locust.model.options import Arrival, Ramp, Workload

#: Most users that are derived from COUNT alone: each costs memory, and more are rarely meant.
MAX_DERIVED_USERS = 20_000


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Start times of jobs; ``offsets_s`` only for a trace, ``ramp`` only for a ramp."""

    kind: Arrival
    entry: SettingText | None  # entry that chose the kind; None: the default
    start_delay_s: float
    seed: int
    offsets_s: tuple[float, ...] = ()
    ramp: Ramp | None = None


def plan(
    check: Checker, *, headless: bool, rng: random.Random, files: int | None = None
) -> Mapping[str, Any]:
    """Fields of the options for number of jobs, start times and users.

    Args:
        check: The settings.
        headless: No form is filled in before the run.
        rng: Draws the seed if none is set.
        files: Number of files if each makes a job of its own.

    """
    arrivals = _arrivals(check, rng)
    count, users = _count_and_users(check, arrivals, headless=headless, files=files)
    if not count and check.layers.get("count") is not None and not arrivals.offsets_s:
        _check_open_end(check, check.take("run_time"), check.take("num_cycles"), headless=headless)
    workload = _workload(check, arrivals, count, users)
    if not count and workload == "open" and not arrivals.start_delay_s and not arrivals.ramp:
        check.refuse(
            check.layers.get("count"),
            "no end of jobs cannot begin all at once: give a START_DELAY (or -r) above 0, "
            "or --workload closed",
        )
    return {
        "count": count,
        "users": users,
        "workload": workload,
        "start_delay_s": arrivals.start_delay_s,
        "arrival": arrivals.kind,
        "arrival_seed": arrivals.seed,
        "arrival_offsets_s": arrivals.offsets_s,
        "ramp": arrivals.ramp,
    }


def _arrivals(check: Checker, rng: random.Random) -> Arrivals:
    delay_s = start_delay_s(check)
    seed = check.take("arrival_seed")
    if seed is None:
        seed = rng.getrandbits(32)
    trace, trace_entry = _trace(check), check.layers.get("arrival_trace")
    ramp, ramp_entry = check.take("ramp"), check.layers.get("ramp")
    if trace_entry and ramp_entry and not check.failed & {"arrival_trace", "ramp"}:
        check.refuse(ramp_entry, f"contradicts {trace_entry.shown}; give only one of them")
    kind, entry = _kind(check, trace_entry, ramp_entry)
    sets_times = trace_entry or ramp_entry
    if sets_times and check.sources["start_delay"] != DEFAULT:
        pace = check.sources["start_delay"]
        check.notice(f"{pace} does not count: {sets_times.shown} says when jobs begin")
    return Arrivals(kind, entry, delay_s, seed, trace, ramp)


def _trace(check: Checker) -> tuple[float, ...]:
    """Offsets of the trace in seconds; empty without a usable trace."""
    read = check.take("arrival_trace")
    offsets, was_sorted = read or ((), False)
    if was_sorted:
        trace = check.sources["arrival_trace"]
        check.notice(f"the times of {trace} are not in ascending order and were sorted")
    return offsets


def _kind(
    check: Checker, trace: SettingText | None, ramp: SettingText | None
) -> tuple[Arrival, SettingText | None]:
    """Kind of arrivals, and the entry that chose it; notes a mistake if two entries disagree."""
    implied: Arrival = "trace" if trace else "ramp" if ramp else "constant"
    entry = check.layers.get("arrival")
    named: Arrival | Literal[""] = check.take("arrival")
    if not named or entry is None:
        return implied, trace or ramp
    if named == "trace" and not trace:
        check.refuse(entry, "needs a file with the times: give --arrival-trace FILE")
    elif named == "ramp" and not ramp:
        check.refuse(entry, "needs the rates: give --ramp FROM:TO:SECONDS")
    elif implied not in ("constant", named):
        chosen = (trace or ramp or entry).shown
        check.refuse(entry, f"contradicts {chosen}; leave it out, or set it to {implied}")
    return named, entry


def _count_and_users(
    check: Checker, arrivals: Arrivals, *, headless: bool, files: int | None
) -> tuple[int, int]:
    """Jobs per cycle and users; each is derived from the other if only one is set."""
    count = check.take("count")
    users = check.take("num_users")
    count_entry, users_entry = check.layers.get("count"), check.layers.get("num_users")
    trace = check.layers.get("arrival_trace")
    if trace and arrivals.offsets_s:
        lines = len(arrivals.offsets_s)
        if count_entry and count not in (None, lines):
            check.refuse(
                count_entry, f"contradicts {trace.shown}, which has {lines:,} times; leave it out"
            )
        count, count_entry = lines, trace
        check.sources["count"] = trace.source
    if files is not None:
        return _count_and_users_of_files(check, files, count, users)
    if not count_entry and not users_entry:
        if headless:
            check.notice("neither -u nor COUNT is given: 1 job, 1 user")
        return 1, 1
    if count_entry and not users_entry:
        check.sources["num_users"] = f"as many as jobs, by {count_entry.source}"
        return 1 if count is None else count, _users_from(check, count, count_entry, headless)
    if users_entry and not count_entry:
        check.sources["count"] = f"as many as users, by {users_entry.source}"
        return users or 1, users or 1
    return 1 if count is None else count, users or 1


def _count_and_users_of_files(
    check: Checker, files: int, count: int | None, users: int | None
) -> tuple[int, int]:
    """One job per file; COUNT or a trace can only reduce them."""
    entry = check.layers.get("arrival_trace") or check.layers.get("count")
    if count == 0:
        check.refuse(entry, "means no end of jobs, but there is one for each file; leave it out")
    if entry is None or not count:
        check.sources["count"] = "as many as files, by FILE"
        count = files
    elif count > files and files:
        check.notice(f"{entry.shown}, but there are {files:,} files: so many jobs")
        count = files
    if users is None:
        check.sources["num_users"] = "as many as jobs"
    return max(count, 1), users or max(1, min(count, MAX_DERIVED_USERS))


def _users_from(check: Checker, count: int | None, entry: SettingText, headless: bool) -> int:  # noqa: FBT001
    """As many users as jobs in ``entry``, up to `MAX_DERIVED_USERS`."""
    if count == 0 and headless:
        check.refuse(entry, "means no end of jobs; say with -u how many may be in flight at once")
    if count and count > MAX_DERIVED_USERS:
        check.notice(f"{entry.shown}, but at most {MAX_DERIVED_USERS:,} are in flight without -u")
    return min(count or 1, MAX_DERIVED_USERS)


def _check_open_end(
    check: Checker, run_time_s: float | None, num_cycles: int, *, headless: bool
) -> None:
    """With COUNT 0, check that something else ends the run, and that there is one cycle."""
    count = check.layers.get("count")
    if headless and run_time_s is None and "run_time" not in check.failed:
        check.refuse(count, "means no end of jobs; say with -t when no more begin")
    if num_cycles > 1:
        check.refuse(count, "means no end of jobs, so that no cycle can follow: set NUM_CYCLES=1")


def _workload(check: Checker, arrivals: Arrivals, count: int, users: int) -> Workload:
    """Open or closed; notes a mistake if a closed one contradicts the arrivals."""
    named: Workload | Literal[""] = check.take("workload")
    entry = check.layers.get("workload")
    workload: Workload = named or ("open" if count <= users else "closed")
    is_valid = not check.failed & {"count", "num_users", "workload", "arrival_trace", "ramp"}
    if workload == "closed" and arrivals.kind != "constant" and is_valid:
        reason = entry.shown if entry else f"{count:,} jobs for {users:,} users make a closed one"
        larger = "" if entry else f", or -u {count}"
        check.refuse(
            arrivals.entry, f"needs an open workload, but {reason}: give --workload open{larger}"
        )
    return workload
