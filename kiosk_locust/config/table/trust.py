"""Settings of thresholds, and of when a run's numbers are not to be trusted."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting
from kiosk_locust.verdict.rules import RULES, Rule

_UNITS = {"s": "s", "share": "share", "count": "", "ratio": ""}


def _limit(rule: Rule) -> Setting:
    name = rule.option.removeprefix("--").replace("-", "_")
    return Setting(
        name,
        name.upper(),
        rule.limit_shown,
        f"The run is invalid above this: {rule.meaning}; none: no limit.",
        unit=_UNITS[rule.unit],
        in_form=False,
    )


SETTINGS = (
    Setting(
        "threshold",
        "THRESHOLDS",
        "",
        "What the run has to come to, such as job.p95 < 60s or failed <= 5 jobs; several with "
        "semicolons or commas, or the flag several times.",
        repeats=True,
    ),
    Setting(
        "threshold_file",
        "THRESHOLD_FILE",
        "",
        "File of further thresholds, one a line; # begins a comment.",
        in_form=False,
    ),
    Setting(
        "abort_on_threshold",
        "ABORT_ON_THRESHOLD",
        "",
        "End the run as soon as a threshold is missed, but not before so long after its start.",
        unit="s",
        derived="thresholds are looked at in the end",
    ),
    Setting(
        "junit_xml",
        "JUNIT_XML",
        "",
        "Write thresholds and verdict to this file as JUnit XML.",
        derived="none is written",
        in_form=False,
    ),
    *(_limit(rule) for rule in RULES),
)
