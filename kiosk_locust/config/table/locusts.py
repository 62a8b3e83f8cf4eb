"""Settings that are Locust's own, which mean something for jobs here."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "host",
        "LOCUST_HOST",
        "",
        "The Kiosk to run against, such as http://kiosk.example.org; http:// is added where "
        "there is no scheme.",
        derived="the simulated Kiosk",
        short="-H",
        is_locusts=True,
    ),
    Setting(
        "num_users",
        "LOCUST_USERS",
        "",
        "How many jobs may be in flight at once.",
        unit="jobs",
        derived="COUNT, at most 20000",
        short="-u",
        is_locusts=True,
        form_name="Number of users",
    ),
    Setting(
        "spawn_rate",
        "LOCUST_SPAWN_RATE",
        "",
        "The other way to say START_DELAY: how many jobs begin in a second.",
        unit="jobs/s",
        derived="1 / START_DELAY",
        short="-r",
        is_locusts=True,
    ),
    Setting(
        "run_time",
        "LOCUST_RUN_TIME",
        "",
        "After this time no new job begins, such as 90, 20m or 1h30m; 0 for no limit.",
        unit="s",
        derived="no limit",
        short="-t",
        is_locusts=True,
    ),
    Setting(
        "stop_timeout",
        "LOCUST_STOP_TIMEOUT",
        "30",
        "How long jobs in flight may go on once a run is stopped.",
        unit="s",
        short="-s",
        in_form=False,
        is_locusts=True,
    ),
)
