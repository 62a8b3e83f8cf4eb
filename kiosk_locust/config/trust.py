"""Thresholds of a run from all sources, and warnings about them before the run."""

from __future__ import annotations

from pathlib import Path

from kiosk_locust.config.validation import Checker
from kiosk_locust.errors import OptionsError
from kiosk_locust.measurement.intervals import needed
from kiosk_locust.model.job_metrics import STAGES
from kiosk_locust.model.options import TrustOptions, Wanted
from kiosk_locust.verdict import thresholds as reading
from kiosk_locust.verdict.threshold_parser import parse_all

_FEW_JOBS = "few-jobs"
#: File in the working directory that may hold a project's thresholds.
PYPROJECT = Path("pyproject.toml")


def warn_early(check: Checker, trust: TrustOptions, jobs: int, *, knows_costs: bool) -> None:
    """Add notices about thresholds that will make the run invalid or cannot be measured.

    Args:
        check: The settings.
        trust: The resolved trust options.
        jobs: Number of jobs of the run; 0: open-ended.
        knows_costs: A server is set that can be queried for node costs.

    """
    limit = trust.limits.get(_FEW_JOBS)
    thresholds = parse_all(trust.wanted)
    unmet = [
        f"{threshold.measure} needs {needed(threshold.percent):,}"
        for threshold in thresholds
        if limit is not None
        and threshold.percent is not None
        and threshold.percent < 100
        and threshold.distribution not in STAGES  # a ZIP has more values of stages than jobs
        and 0 < limit * jobs < needed(threshold.percent)
    ]
    if unmet:
        check.notice(
            f"this run will be INVALID: of its {jobs:,} jobs, {', '.join(unmet)} for a threshold."
            " Raise COUNT, or use a lower percentile"
        )
    cost_thresholds = [
        threshold.text for threshold in thresholds if threshold.measure.startswith("cost.")
    ]
    if cost_thresholds and not knows_costs:
        check.notice(
            f"{', '.join(cost_thresholds)} will not be measurable (exit code 2): nobody is named"
            " who knows the nodes. Set GRAFANA_HOST or PROMETHEUS_URL"
        )


def wanted_thresholds(check: Checker, pyproject: Path = PYPROJECT) -> tuple[Wanted, ...]:
    """Thresholds from all sources; notes all mistakes."""
    entry, texts = check.layers.get("threshold"), check.take("threshold")
    source = entry.source if entry else "--threshold"
    try:
        thresholds = reading.read(texts, check.take("threshold_file"), pyproject, source=source)
    except OptionsError as error:
        check.mistakes += error.mistakes
        check.failed.add("threshold")
        return ()
    return tuple(Wanted(threshold.text, threshold.source) for threshold in thresholds)
