"""Settings of warm-up and cool-down."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting
from kiosk_locust.measurement.warmup import parse


def _cut(text: str) -> str:
    parse(text)
    return text.strip()


SETTINGS = (
    Setting(
        "warmup",
        "",
        "Leave the first jobs of each cycle out of summaries (never out of the records): "
        "100 jobs, 90s, 2min.",
        unit="jobs, or a time",
        derived="none",
        field="trim.warmup",
        parse=_cut,
    ),
    Setting(
        "cooldown",
        "",
        "Leave the last jobs of each cycle out of summaries, in the same way.",
        unit="jobs, or a time",
        derived="none",
        field="trim.cooldown",
        parse=_cut,
    ),
)
