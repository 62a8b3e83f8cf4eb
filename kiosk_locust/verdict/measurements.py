"""What the ledger tells of a run that has ended: figures for thresholds, facts for the verdict."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.ledger.reader import RunFacts
from kiosk_locust.measurement import latency_queries, scalars
from kiosk_locust.measurement.estimates import MeasuredFigure, unmeasured
from kiosk_locust.measurement.latency import Latency
from kiosk_locust.measurement.scalars import Totals
from kiosk_locust.measurement.steady_state import Regime
from kiosk_locust.measurement.summary import Summary, summarise_open
from kiosk_locust.measurement.timing_tables import Times, gather
from kiosk_locust.model.record import Outcome
from kiosk_locust.verdict import rules
from kiosk_locust.verdict.threshold_parser import Threshold

#: Names that thresholds have for the two durations.
_LATENCIES = {"job": "duration", "job_since_due": "since_due"}
_UNDECIDED = (Outcome.ERROR, Outcome.UNFINISHED, Outcome.TIMEOUT)


@dataclass(frozen=True, slots=True)
class Measured:
    """What `verdict.thresholds.evaluate` and `verdict.rules.judge` go by.

    ``figures`` are by ``Threshold.measure``: every single one (shares, rates, costs, makespan)
    and the percentiles that were asked for. ``facts`` holds what a ledger can tell; what only
    the processes knew of themselves (event loop, CPU, the master's replies, silence, lost
    workers) is None there, for the caller to replace.
    """

    figures: Mapping[str, MeasuredFigure]
    facts: rules.ValidityFacts
    regime: Regime


def measured(
    db: sqlite3.Connection,
    run: RunFacts,
    thresholds: Iterable[Threshold] = (),
    cycle: int | None = None,
    *,
    times: Times | None = None,
    summary: Summary | None = None,
) -> Measured:
    """Measure one cycle, or with None the whole run, in a ledger from `reading.opened`.

    Warm-up and cool-down are left out of percentiles and rates. ``times`` and ``summary`` (of
    the same cycle) are those of the same connection, where they are there already, as in
    `results`: then this costs no second pass through the ledger. Takes up to a minute and
    100 MB for a million jobs: call it from a thread where something else must go on.
    """
    times = times or gather(db, run)
    summary = summary or summarise_open(db, run, cycle, times)
    is_open_ended = run.options.get("count") == 0
    figures = scalars.figures(_totals(db, summary, cycle, is_open_ended=is_open_ended))
    figures |= _costs(run)
    backing: list[rules.Backing] = []
    known: dict[str, Latency] = {}
    for threshold in thresholds:
        if threshold.percent is None:
            continue
        name = threshold.measure.partition(".")[0]
        if name not in known:
            known[name] = _latency(db, name, cycle)
        latency = known[name]
        if threshold.percent < 100:
            backing.append(rules.Backing(threshold.measure, threshold.percent, latency.jobs))
        figures[threshold.measure] = (
            latency.figure(threshold.percent, summary.regime)
            if latency.jobs
            else unmeasured("no job has a value of it")
        )
    return Measured(figures, _facts(db, run, times, summary, backing), summary.regime)


def _latency(db: sqlite3.Connection, name: str, cycle: int | None) -> Latency:
    """The values of one of the distributions that a threshold may speak of."""
    if name in _LATENCIES:
        return latency_queries.latency(db, _LATENCIES[name], cycle)
    return latency_queries.part(db, name, cycle)


def _totals(
    db: sqlite3.Connection, summary: Summary, cycle: int | None, *, is_open_ended: bool
) -> Totals:
    return Totals(
        outcomes=summary.outcomes,
        never_begun=summary.never_begun,
        is_open_ended=is_open_ended,
        unended=latency_queries.unended(db, cycle),
        images_done=summary.images_done,
        images_failed=summary.images_failed,
        makespan_s=summary.makespan_s,
        jobs_per_s=summary.jobs_per_s,
        images_per_s=summary.images_per_s,
        plateau_jobs_per_s=summary.plateau_jobs_per_s,
        plateau_images_per_s=summary.plateau_images_per_s,
        no_plateau=summary.plateau.text,
    )


def _costs(run: RunFacts) -> dict[str, MeasuredFigure]:
    """What the run cost, in US dollars, as its estimate has it; always that of all cycles."""
    names = {
        "cost.total": "total_usd",
        "cost.per_job": "usd_per_job",
        "cost.per_image": "usd_per_image",
    }
    cost = RunCost.of_run(run)
    if cost is None:
        return dict.fromkeys(names, unmeasured("nobody was asked what the nodes cost"))
    if cost.run is None:
        return dict.fromkeys(names, unmeasured(cost.trouble or "the cost is not known"))
    estimate = cost.run.estimate
    is_part, why = bool(estimate["at_least"]), ""
    if is_part:
        why = "only a part of the cost is known: " + "; ".join(estimate["reasons"])
    found = {name: estimate["run"][field] for name, field in names.items()}
    return {
        name: unmeasured(why or "no work was done, or nothing is known of the cost")
        if usd is None
        else MeasuredFigure(float(usd), is_part=is_part, why=why)
        for name, usd in found.items()
    }


def _facts(
    db: sqlite3.Connection,
    run: RunFacts,
    times: Times,
    summary: Summary,
    backing: list[rules.Backing],
) -> rules.ValidityFacts:
    offset = times.clocks.frontend
    return rules.ValidityFacts(
        is_open=run.is_open,
        tickets=summary.tickets,
        is_open_ended=run.options.get("count") == 0,
        submission_lag_p99_s=summary.percentiles_s["submission_lag"].p99,
        waited_for_user=summary.waited_for_user,
        rate_wanted_per_s=summary.rate_wanted_per_s,
        rate_achieved_per_s=summary.rate_achieved_per_s,
        ambiguous=summary.ambiguous,
        undecided=sum(summary.outcomes[outcome] for outcome in _UNDECIDED),
        percentiles=tuple(backing),
        clock_offset_s=None if offset is None or offset.is_empty else offset.offset_s,
        clock_error_s=summary.percentiles_s["duration_error"].p99,
        clock_steps=times.clocks.steps,
        poll_interval_s=_poll_interval_s(db, run),
        socket_wait_p99_s=summary.percentiles_s["socket_wait"].p99,
    )


def _poll_interval_s(db: sqlite3.Connection, run: RunFacts) -> float | None:
    """The longest that was planned: POLL_BACKOFF stretches it with the age of a job."""
    interval = run.options.get("update_interval_s")
    if interval is None:
        return None
    longest_s = latency_queries.longest_watched_s(db) or 0.0
    return max(float(interval), float(run.options.get("poll_backoff", 0.0)) * longest_s)
