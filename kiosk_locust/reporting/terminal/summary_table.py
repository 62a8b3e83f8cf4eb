"""Closing screen of a run: its figures, files and exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.formatting import units
from kiosk_locust.formatting.console import PlainTable, plain_grid, say
from kiosk_locust.measurement.by_job_type import UNKNOWN, several
from kiosk_locust.measurement.percentiles import Percentiles
from kiosk_locust.measurement.summary import Summary
from kiosk_locust.measurement.transfer_stats import Moved
from kiosk_locust.model.record import Outcome
from kiosk_locust.reporting.labels import LABELS
from kiosk_locust.reporting.terminal import verdict_table
from kiosk_locust.verdict.exit_code import Verdict, exit_code
from kiosk_locust.verdict.judgement import Judgement

__all__ = ["SIMULATED", "Verdict", "exit_code", "show"]

SIMULATED = "SIMULATED: these jobs ran on the simulated Kiosk; no figure here is of a real one."

#: A first job of this many times the median started on a cold Kiosk.
_COLD = 3.0
#: Stages of ZIPs measured by the Kiosk, and the measure of a job that each can equal.
_STANDS_FOR = {"children_upload": "unpacking", "cleanup": "packing"}
#: Failure reasons of images that are listed.
_GROUPS = 3


def show(
    console: Console,
    summary: Summary,
    verdict: Verdict,
    *,
    run_name: str,
    simulated: bool,
    files: Sequence[Path],
    uploaded: Sequence[str] = (),
    advice: Sequence[str] = (),
    cost: RunCost | None = None,
    judgement: Judgement | None = None,
) -> None:
    """Print the closing screen on ``console``.

    The verdict is the last line, or the last before SIMULATED.
    """
    if simulated:
        say(console, SIMULATED, "bold yellow")
    table = _counts(summary, run_name, console.encoding)
    if cost is not None:
        for row in _cost(cost):
            table.add_row(*row)
    console.print(table)
    if any(percentiles.count for percentiles in summary.percentiles_s.values()):
        console.print(_percentiles(summary))
    if several(summary.by_job_type):
        console.print(_by_job_type(summary, console.encoding))
    if judgement is not None:
        verdict_table.show(console, judgement)
    for path in files:
        say(console, f"written: {path}")
    for url in uploaded:
        say(console, f"uploaded: {url}")
    for line in advice:
        say(console, line)
    say(console, verdict.line, "bold green" if verdict.code == 0 else "bold red")
    if simulated:
        say(console, SIMULATED, "bold yellow")


def _counts(summary: Summary, run_name: str, encoding: str) -> PlainTable:
    table = plain_grid(encoding, padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    outcomes = [f"{number:,} {name}" for name, number in _outcomes(summary) if number]
    images = f"{summary.images_done:,} done, {summary.images_failed:,} failed"
    submitted = (
        f"{units.count(summary.submitted, 'job')}, {units.count(summary.attempts, 'request')}"
    )
    if summary.ambiguous:
        submitted += f"; {summary.ambiguous:,} ambiguous: the Kiosk may have more jobs of ours"
    table.add_row("run", f"{run_name}, {summary.workload} workload")
    table.add_row("jobs", f"{summary.tickets:,}: " + (", ".join(outcomes) or "none"))
    table.add_row("images", images)
    for text in _failures(summary):
        table.add_row("failed", text)
    table.add_row("in short", summary.headline)
    table.add_row("submitted", submitted)
    for name, text in _rate_rows(summary):
        table.add_row(name, text)
    if summary.workload == "open" and summary.tickets > 1:
        wanted_rate = units.rate(summary.rate_wanted_per_s, "jobs")
        if summary.rate_wanted_per_s is None:
            wanted_rate = "all at once"
        achieved_text = ""
        if summary.rate_achieved_per_s is not None:
            achieved_text = f", achieved: {units.rate(summary.rate_achieved_per_s, 'jobs')}"
        table.add_row("arrivals", f"wanted: {wanted_rate}{achieved_text}")
    for name, text in _warmup_rows(summary):
        table.add_row(name, text)
    if summary.waited_for_user:
        waiting_jobs = units.count(summary.waited_for_user, "job")
        advice = "raise -u; or were workers away?"
        table.add_row("broken promise", f"{waiting_jobs} waited for a free user ({advice})")
    if summary.interrupted:
        interrupted_jobs = units.count(summary.interrupted, "job")
        table.add_row(
            "interrupted",
            f"{interrupted_jobs} lost work: a consumer died, and another one began anew",
        )
    if summary.polling.note:
        table.add_row("poll interval", summary.polling.note)
    for name, text in _transfer_rows(summary.moved).items():
        table.add_row(name, text)
    if summary.expire_errors:
        hashes = units.count(summary.expire_errors, "hash").replace("hashs", "hashes")
        table.add_row("left behind", f"{hashes} could not be told to expire")
    return table


def _failures(summary: Summary) -> Iterator[str]:
    """Failed images by reason, the most frequent reasons only."""
    for group in summary.failures[:_GROUPS]:
        yield group.text
    if remaining_images := sum(group.images for group in summary.failures[_GROUPS:]):
        yield f"{units.count(remaining_images, 'image')} failed for other reasons: see the report"


def _outcomes(summary: Summary) -> Iterator[tuple[str, int]]:
    """Tickets by outcome; tickets without a submission are not unfinished jobs."""
    for name, number in summary.outcomes.items():
        yield name, number - summary.never_begun if name == Outcome.UNFINISHED else number
    yield "never begun", summary.never_begun


def _rate_rows(summary: Summary) -> Iterator[tuple[str, str]]:
    """Makespan and throughput, with and without pauses."""
    pauses = summary.pauses
    start = "first due time" if summary.workload == "open" else "first job taken"
    makespan = f"{units.seconds(summary.makespan_s)}, {start} to last end"
    if pauses.seconds:
        makespan += f"; {units.seconds(pauses.makespan_s)} without pauses"
    yield "makespan", makespan
    rates = _rates(summary.jobs_per_s, summary.images_per_s)
    if rates and pauses.seconds:
        rates_without_pauses = _rates(pauses.jobs_per_s, pauses.images_per_s) or "-"
        rates += f"; {rates_without_pauses} without pauses"
    if rates:
        yield "throughput", f"{rates}{_an_hour(summary.images_per_s)}"
    if summary.regime.kind != "unknown":
        yield "plateau", summary.plateau.text.replace("no plateau", "none", 1)
    for line in pauses.lines:
        yield "pause", line


def _an_hour(images_per_s: float | None) -> str:
    """The image rate per hour, the unit that laboratories use."""
    if images_per_s is None:
        return ""
    number = images_per_s * 3600
    return f" ({number:,.0f} images/h)" if number >= 99.5 else f" ({number:.3g} images/h)"


def _rates(jobs_per_s: float | None, images_per_s: float | None) -> str:
    """Both rates as text; empty if there are none, as for one job."""
    rates = ((jobs_per_s, "jobs"), (images_per_s, "images"))
    return ", ".join(units.rate(rate, noun) for rate, noun in rates if rate is not None)


def _warmup_rows(summary: Summary) -> Iterator[tuple[str, str]]:
    """Rows about excluded or suggested warm-up jobs, and about a cold start."""
    trimmed = summary.trimmed
    if trimmed.jobs:
        excluded = units.count(trimmed.jobs, "job")
        yield "left out", f"{excluded} of warm-up or cool-down, of percentiles and rates"
    elif trimmed.suggested_jobs:
        excluded = units.count(trimmed.suggested_jobs, "job")
        yield "warm-up", f'the first {excluded} differ from the rest: --warmup "{excluded}"'
    if cold_start := _cold_start(summary):
        yield "cold start", cold_start


def _cold_start(summary: Summary) -> str:
    """Text about a first job that took much longer than others; else empty."""
    first_s, usual_s = summary.cold_start.duration_s, summary.percentiles_s["duration"].p50
    if first_s is None or usual_s is None or first_s < _COLD * usual_s:
        return ""
    queue_wait_s = summary.cold_start.queue_wait_s
    queue_part = (
        "" if queue_wait_s is None else f", {units.seconds(queue_wait_s)} of it in the queue"
    )
    return (
        f"the first job took {units.seconds(first_s)}{queue_part}; half took"
        f" {units.seconds(usual_s)}"
    )


def _transfer_rows(moved: Moved) -> dict[str, str]:
    rows = {}
    if moved.uploads or moved.upload_errors:
        rows["uploaded"] = f"{units.count(moved.uploads, 'file')}, {moved.uploaded_bytes:,} bytes"
        if moved.upload_errors:
            tries = "1 try" if moved.upload_errors == 1 else f"{moved.upload_errors:,} tries"
            rows["uploaded"] += f"; {tries} failed"
    if moved.downloads or moved.results_missing:
        rows["downloaded"] = (
            f"{units.count(moved.downloads, 'result')}, {moved.downloaded_bytes:,} bytes"
        )
        if moved.results_missing:
            rows["downloaded"] += f"; {moved.results_missing:,} missing (see the results)"
    return rows


def _cost(cost: RunCost) -> Iterator[tuple[str, str]]:
    """Cost rows: totals, price sources, and missing parts."""
    if cost.run is None:
        yield "cost", f"not known: {cost.trouble}"
        return
    estimate = cost.run.estimate
    run = estimate["run"]
    at_least = "at least " if estimate["at_least"] else ""
    if run["total_usd"] is None:
        yield "cost", "not known"
    else:
        shares = [
            (run["usd_per_job"] if run["usd_per_job"] != run["usd_per_image"] else None, "a job"),
            (run["usd_per_image"], "an image"),
            (run["usd_per_million_images"], "for a million images"),
        ]
        share_texts = [
            f"{at_least}{units.usd(usd)} {unit}" for usd, unit in shares if usd is not None
        ]
        yield "cost", ", ".join([f"{at_least}{units.usd(run['total_usd'])}", *share_texts])
        if of_bucket := _of_bucket(estimate, run):
            yield "", of_bucket
    for name in ("fully_loaded", "marginal"):
        figure = estimate[name]
        is_longer = figure is not None and figure["window"] != run["window"]
        if (is_longer or name == "marginal") and figure and figure["total_usd"] is not None:
            lower_bound = "at least " if figure["at_least"] else ""
            yield (
                "",
                f"{lower_bound}{units.usd(figure['total_usd'])} {figure['name']}:"
                f" {figure['meaning']}",
            )
    if estimate["sources"]:
        yield "prices", "; ".join(estimate["sources"])
    for reason in estimate["reasons"]:
        yield "at least", reason
    for note in estimate["notes"]:
        yield "cost note", note


def _of_bucket(estimate: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """The bucket's part of the cost as text; empty if there is none."""
    usd, total_usd = run.get("network_usd"), run["total_usd"]
    if not usd:
        return ""
    share = f" ({usd / total_usd:.0%})" if total_usd else ""
    stored = (estimate.get("work") or {}).get("stored_bytes")
    sizes = "assumed 1.5 MB an image" if stored is None else "by the bytes that were uploaded"
    return (
        f"of it {units.usd(usd)}{share} for the bucket's requests and storage, by list prices and"
        f" {sizes}"
    )


def _percentiles(summary: Summary) -> PlainTable:
    unended = summary.not_ended - summary.never_begun
    not_ended = f", {unended:,} did not end" if unended else ""
    table = PlainTable(
        title=f"Percentiles over the {units.count(summary.ended, 'job')} that ended{not_ended}"
        if summary.ended
        else f"No job ended ({unended:,} did not); of their submissions:",
        title_justify="left",
        box=None,  # it has to fit into 80 columns, the width of a file
        pad_edge=False,
    )
    table.add_column("time", no_wrap=True)
    for name in ("values", "50 %", "90 %", "95 %", "99 %", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, label in LABELS.items():
        percentiles = summary.percentiles_s.get(name)
        if percentiles is not None and percentiles == summary.percentiles_s.get(
            _STANDS_FOR.get(name, "")
        ):
            continue  # the same numbers under another name
        if percentiles is not None and percentiles.count:
            table.add_row(label, f"{percentiles.count:,}", *_values(percentiles))
    return table


def _by_job_type(summary: Summary, encoding: str) -> PlainTable:
    """Counts and both durations by job type, including jobs that did not end."""
    table = PlainTable(
        encoding=encoding,
        title="By job type; times count the jobs that did not end, too",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("job type")
    for name in ("jobs", "done", "images", "job 50 %", "95 %", "due 50 %", "95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, figures in summary.by_job_type.items():
        label = "not known" if name == UNKNOWN else name
        counts = (figures["tickets"], figures["outcomes"]["done"], figures["images_done"])
        times = [
            _percentile_text(figures["latency"][measure][percent])
            for measure in ("duration", "since_due")
            for percent in ("p50", "p95")
        ]
        table.add_row(label, *(f"{count:,}" for count in counts), *times)
    return table


def _percentile_text(percentile: Mapping[str, Any]) -> str:
    """A percentile, or its lower bound."""
    return ("> " if percentile["is_least"] else "") + units.seconds(percentile["value_s"])


def _values(percentiles: Percentiles) -> list[str]:
    times = (percentiles.p50, percentiles.p90, percentiles.p95, percentiles.p99, percentiles.max)
    return [units.seconds(value) for value in times]
