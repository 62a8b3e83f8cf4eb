"""Settings of progress and output files."""

from __future__ import annotations

from kiosk_locust.config import parsers
from kiosk_locust.config.parsers import Choice
from kiosk_locust.config.table.setting import Resume, Setting

SETTINGS = (
    Setting(
        "manager_refresh_rate",
        "10",
        "Time between two lines of progress.",
        unit="s",
        in_form=False,
        field="refresh_s",
        parse=parsers.seconds_above_0,
    ),
    Setting(
        "output_dir",
        "results",
        "Folder for ledger, results and report; it is made where it is missing.",
        in_form=False,
        parse=parsers.path,
        resume=Resume.PROCESS,
    ),
    Setting(
        "log_enabled",
        "true",
        "Whether to write a log file: true or false.",
        in_form=False,
        parse=parsers.boolean,
        resume=Resume.PROCESS,
    ),
    Setting(
        "log_level",
        "DEBUG",
        "How much to write to the log file.",
        in_form=False,
        parse=Choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        resume=Resume.PROCESS,
    ),
    Setting(
        "log_file",
        "benchmark.log",
        "The log file; it is rotated at 10 MB.",
        in_form=False,
        parse=parsers.path,
        resume=Resume.PROCESS,
    ),
)
