"""Settings of which jobs summaries are over, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiosk_locust.config.validation import Checker
from kiosk_locust.measurement.warmup import parse
from kiosk_locust.model.options import TrimOptions


def trim(check: Checker, count: int) -> TrimOptions:
    """What was given of warm-up and cool-down, of cycles of ``count`` jobs (0: open-ended).

    A mistake where they leave no job, as far as that can be told before the run.
    """
    found = TrimOptions(
        warmup=check.take_if_given("warmup", _checked) or "",
        cooldown=check.take_if_given("cooldown", _checked) or "",
    )
    cut = parse(found.warmup).jobs + parse(found.cooldown).jobs
    if count and cut >= count:
        given = check.layers.get("warmup") or check.layers.get("cooldown")
        check.refuse(
            given,
            f"warm-up and cool-down leave out {cut:,} jobs, and a cycle has {count:,}: none would"
            " be left to measure. Leave out fewer, or raise COUNT",
        )
    return found


def texts(given: Mapping[str, Any]) -> dict[str, str]:
    """Settings, as people write them, that make the options in a ledger again."""
    return {name: text for name, text in given.items() if text}


def _checked(text: str) -> str:
    parse(text)
    return text.strip()
