"""Locust's own settings that affect jobs."""

from __future__ import annotations

from kiosk_locust.config import parsers
from kiosk_locust.config.parsers import optional
from kiosk_locust.config.table.setting import Resume, Setting

SETTINGS = (
    Setting(
        "host",
        "",
        "The Kiosk to run against, such as http://kiosk.example.org; http:// is added where "
        "there is no scheme.",
        env_name="LOCUST_HOST",
        derived="the simulated Kiosk",
        short="-H",
        is_locusts=True,
        parse=optional(parsers.host),
        resume=Resume.PLAN,
    ),
    Setting(
        "num_users",
        "",
        "How many jobs may be in flight at once.",
        env_name="LOCUST_USERS",
        unit="jobs",
        derived="COUNT, at most 20000",
        short="-u",
        is_locusts=True,
        form_name="Number of users",
        field="users",
        parse=optional(parsers.whole_number(1)),
    ),
    Setting(
        "spawn_rate",
        "",
        "The other way to say START_DELAY: how many jobs begin in a second.",
        env_name="LOCUST_SPAWN_RATE",
        unit="jobs/s",
        derived="1 / START_DELAY",
        short="-r",
        is_locusts=True,
        field="start_delay_s",
        parse=optional(lambda text: 1 / parsers.spawn_rate(text)),
        write=None,
        resume=Resume.PLAN,
    ),
    Setting(
        "run_time",
        "",
        "After this time no new job begins, such as 90, 20m or 1h30m; 0 for no limit.",
        env_name="LOCUST_RUN_TIME",
        unit="s",
        derived="no limit",
        short="-t",
        is_locusts=True,
        field="run_time_s",
        parse=parsers.seconds_or_no_end,
        resume=Resume.ANEW,
    ),
    Setting(
        "stop_timeout",
        "30",
        "How long jobs in flight may go on once a run is stopped.",
        env_name="LOCUST_STOP_TIMEOUT",
        unit="s",
        short="-s",
        in_form=False,
        is_locusts=True,
        field="stop_timeout_s",
        parse=parsers.seconds,
    ),
)
