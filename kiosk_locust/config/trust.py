"""Thresholds of a run, from all places, and what is known of them before it."""

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
#: Where thresholds of a project may stand, in the working directory.
PYPROJECT = Path("pyproject.toml")


def foresee(check: Checker, found: TrustOptions, jobs: int, *, knows_costs: bool) -> None:
    """Note what is known before a run of ``jobs`` (0: open-ended) to make it invalid in the end.

    ``knows_costs``: somebody can be asked what the nodes cost.
    """
    limit = found.limits.get(_FEW_JOBS)
    thresholds = parse_all(found.wanted)
    few = [
        f"{each.measure} needs {needed(each.percent):,}"
        for each in thresholds
        if limit is not None
        and each.percent is not None
        and each.percent < 100
        and each.distribution not in STAGES  # of a ZIP there are more values than jobs
        and 0 < limit * jobs < needed(each.percent)
    ]
    if few:
        check.notice(
            f"this run will be INVALID: of its {jobs:,} jobs, {', '.join(few)} for a threshold."
            " Raise COUNT, or use a lower percentile"
        )
    costs = [each.text for each in thresholds if each.measure.startswith("cost.")]
    if costs and not knows_costs:
        check.notice(
            f"{', '.join(costs)} will not be measurable (exit code 2): nobody is named who knows"
            " the nodes. Set GRAFANA_HOST or PROMETHEUS_URL"
        )


def wanted(check: Checker, pyproject: Path = PYPROJECT) -> tuple[Wanted, ...]:
    """The thresholds of all places together; notes all mistakes."""
    given, texts = check.layers.get("threshold"), check.take("threshold")
    source = given.source if given else "--threshold"
    try:
        found = reading.read(texts, check.take("threshold_file"), pyproject, source=source)
    except OptionsError as error:
        check.mistakes += error.mistakes
        check.failed.add("threshold")
        return ()
    return tuple(Wanted(each.text, each.source) for each in found)
