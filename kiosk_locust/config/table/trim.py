"""Settings of which jobs summaries are over."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "warmup",
        "WARMUP",
        "",
        "Leave the first jobs of each cycle out of summaries (never out of the records): "
        "100 jobs, 90s, 2min.",
        unit="jobs, or a time",
        derived="none",
    ),
    Setting(
        "cooldown",
        "COOLDOWN",
        "",
        "Leave the last jobs of each cycle out of summaries, in the same way.",
        unit="jobs, or a time",
        derived="none",
    ),
)
