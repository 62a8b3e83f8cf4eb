"""Settings of progress and files."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "manager_refresh_rate",
        "MANAGER_REFRESH_RATE",
        "10",
        "Time between two lines of progress.",
        unit="s",
        in_form=False,
    ),
    Setting(
        "output_dir",
        "OUTPUT_DIR",
        "results",
        "Folder for ledger, results and report; it is made where it is missing.",
        in_form=False,
    ),
    Setting(
        "log_enabled",
        "LOG_ENABLED",
        "true",
        "Whether to write a log file: true or false.",
        in_form=False,
        choices=("true", "false"),
    ),
    Setting(
        "log_level",
        "LOG_LEVEL",
        "DEBUG",
        "How much to write to the log file.",
        in_form=False,
        choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    ),
    Setting(
        "log_file",
        "LOG_FILE",
        "benchmark.log",
        "The log file; it is rotated at 10 MB.",
        in_form=False,
    ),
)
