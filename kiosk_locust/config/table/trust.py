"""Settings of thresholds and of validity limits."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import partial

from kiosk_locust.config import parsers
from kiosk_locust.config.folders import check_file
from kiosk_locust.config.parsers import optional, or_none
from kiosk_locust.config.table.setting import Setting
from kiosk_locust.parsing import duration
from kiosk_locust.reporting import junit
from kiosk_locust.verdict.rules import RULES, Rule

_UNITS = {"s": "s", "share": "share", "count": "", "ratio": ""}


_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)")


def setting_of(rule: Rule) -> str:
    """Name of the setting that holds a rule's limit."""
    return rule.option.removeprefix("--").replace("-", "_")


def _limit(rule: Rule, text: str) -> float | None:
    """A rule's limit, with the units that fit it; None for ``none``."""
    if text.strip().lower() == parsers.NONE:
        return None
    if rule.unit != "s":
        return _amount(text, rule)
    try:
        return duration(text)
    except ValueError as error:
        raise ValueError(f"{error} (a number alone is in seconds), or {parsers.NONE}") from None


def _amount(text: str, rule: Rule) -> float:
    """Number of at least 0; for a share, also in %."""
    match = _AMOUNT.fullmatch(text.strip())
    value = float(match[1]) if match else math.inf
    if match is None or not math.isfinite(value) or (match[2] and rule.unit != "share"):
        raise ValueError(
            f"must be {rule.limit_form}, such as {rule.limit_shown}, or {parsers.NONE}"
        )
    return value * 0.01 if match[2] else value


def _texts(text: str) -> tuple[str, ...]:
    """Text of each threshold."""
    return tuple(filter(None, map(str.strip, re.split("[;,]", text))))


def _thresholds_text(thresholds: Sequence[Mapping[str, str]]) -> str:
    return ";".join(threshold["text"] for threshold in thresholds)


def _junit(text: str) -> str:
    path = parsers.path(text)
    junit.check_replaceable(path)
    check_file(path)
    return str(path)


def _setting(rule: Rule) -> Setting:
    return Setting(
        setting_of(rule),
        rule.limit_shown,
        f"The run is invalid above this: {rule.meaning}; none: no limit.",
        unit=_UNITS[rule.unit],
        in_form=False,
        field=f"trust.limits.{rule.name}",
        parse=partial(_limit, rule),
        write=or_none,
        for_workers=False,
    )


SETTINGS = (
    Setting(
        "threshold",
        "",
        "What the run has to come to, such as job.p95 < 60s or failed <= 5 jobs; several with "
        "semicolons or commas, or the flag several times.",
        env_name="THRESHOLDS",
        repeats=True,
        field="trust.wanted",
        parse=_texts,
        write=_thresholds_text,
        for_workers=False,
    ),
    Setting(
        "threshold_file",
        "",
        "File of further thresholds, one a line; # begins a comment.",
        in_form=False,
        field=None,
        parse=optional(parsers.path),
    ),
    Setting(
        "abort_on_threshold",
        "",
        "End the run as soon as a threshold is missed, but not before so long after its start.",
        unit="s",
        derived="thresholds are looked at in the end",
        field="trust.abort_after_s",
        parse=optional(parsers.seconds),
        for_workers=False,
    ),
    Setting(
        "junit_xml",
        "",
        "Write thresholds and verdict to this file as JUnit XML.",
        derived="none is written",
        in_form=False,
        field="trust.junit_xml",
        parse=optional(_junit, ""),
        for_workers=False,
    ),
    *(_setting(rule) for rule in RULES),
)
