"""Settings of thresholds, and of when a run's numbers are not to be trusted, as one value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kiosk_locust.config import parsing
from kiosk_locust.config.folders import check_file
from kiosk_locust.config.validation import Checker
from kiosk_locust.errors import OptionsError
from kiosk_locust.measurement.intervals import needed
from kiosk_locust.model.job_metrics import STAGES
from kiosk_locust.model.options import TrustOptions, Wanted
from kiosk_locust.parsing import duration
from kiosk_locust.reporting import junit
from kiosk_locust.verdict import thresholds as reading
from kiosk_locust.verdict.rules import RULES, Rule
from kiosk_locust.verdict.threshold_parser import parse_all

NONE = "none"
_FEW_JOBS = "few-jobs"
#: Where thresholds of a project may stand, in the working directory.
PYPROJECT = Path("pyproject.toml")
_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)")


def trust(check: Checker, pyproject: Path = PYPROJECT) -> TrustOptions:
    """What was given of thresholds and limits; notes all mistakes."""
    limits: dict[str, float | None] = {}
    for rule in RULES:
        otherwise: float | None = rule.limit
        limits[rule.name] = check.take(setting_of(rule), _limit(rule), otherwise)
    return TrustOptions(
        wanted=_wanted(check, pyproject),
        abort_after_s=check.take_if_given("abort_on_threshold", parsing.seconds),
        junit_xml=check.take_if_given("junit_xml", _junit) or "",
        limits=limits,
    )


def foresee(check: Checker, found: TrustOptions, jobs: int, *, knows_costs: bool) -> None:
    """Note what is known before a run of ``jobs`` (0: open-ended) to make it invalid in the end.

    ``knows_costs``: somebody can be asked what the nodes cost.
    """
    limit = found.limits.get(_FEW_JOBS)
    wanted = parse_all(found.wanted)
    few = [
        f"{each.measure} needs {needed(each.percent):,}"
        for each in wanted
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
    costs = [each.text for each in wanted if each.measure.startswith("cost.")]
    if costs and not knows_costs:
        check.notice(
            f"{', '.join(costs)} will not be measurable (exit code 2): nobody is named who knows"
            " the nodes. Set GRAFANA_HOST or PROMETHEUS_URL"
        )


def setting_of(rule: Rule) -> str:
    """The name of the setting that holds a rule's limit."""
    return rule.option.removeprefix("--").replace("-", "_")


def from_json(values: Mapping[str, Any]) -> TrustOptions:
    """The options that a ledger has, or those of a run that had none."""
    wanted = tuple(Wanted(**each) for each in values.get("wanted", ()))
    return TrustOptions(
        wanted,
        values.get("abort_after_s"),
        values.get("junit_xml", ""),
        values.get("limits") or {},
    )


def texts(planned: Mapping[str, Any]) -> dict[str, str]:
    """Settings, as people write them, that make these options in a ledger again."""
    found = {"threshold": ";".join(each["text"] for each in planned["wanted"])}
    if planned["abort_after_s"] is not None:
        found["abort_on_threshold"] = str(planned["abort_after_s"])
    found["junit_xml"] = planned["junit_xml"]
    for rule in RULES:
        if rule.name in planned["limits"]:
            limit = planned["limits"][rule.name]
            found[setting_of(rule)] = NONE if limit is None else repr(limit)
    return {name: text for name, text in found.items() if text}


def _wanted(check: Checker, pyproject: Path) -> tuple[Wanted, ...]:
    """Those of all places together."""
    given = check.layers.get("threshold")
    file = check.take_if_given("threshold_file", parsing.path)
    items = [text.strip() for text in re.split("[;,]", given.text)] if given else []
    source = given.source if given else "--threshold"
    check.sources["threshold"] = source if given else "default"
    try:
        found = reading.read([text for text in items if text], file, pyproject, source=source)
    except OptionsError as error:
        check.mistakes += error.mistakes
        check.failed.add("threshold")
        return ()
    return tuple(Wanted(each.text, each.source) for each in found)


def _junit(text: str) -> str:
    path = parsing.path(text)
    junit.check_replaceable(path)
    check_file(path)
    return str(path)


def _limit(rule: Rule) -> Callable[[str], float | None]:
    """A parser of a rule's limit, with the units that fit it."""

    def read(text: str) -> float | None:
        if text.strip().lower() == NONE:
            return None
        if rule.unit != "s":
            return _amount(text, rule)
        try:
            return duration(text)
        except ValueError as error:
            raise ValueError(f"{error} (a number alone is in seconds), or {NONE}") from None

    return read


def _amount(text: str, rule: Rule) -> float:
    """A number of at least 0; of a share, in % as well."""
    found = _AMOUNT.fullmatch(text.strip())
    value = float(found[1]) if found else math.inf
    if found is None or not math.isfinite(value) or (found[2] and rule.unit != "share"):
        raise ValueError(f"must be {rule.limit_form}, such as {rule.limit_shown}, or {NONE}")
    return value * 0.01 if found[2] else value
