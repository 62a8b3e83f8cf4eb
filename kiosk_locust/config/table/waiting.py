"""Settings of polls, timeouts and retries."""

from __future__ import annotations

from kiosk_locust.config import parsers
from kiosk_locust.config.parsers import Choice, or_none
from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "update_interval",
        "10",
        "Time between two polls of a job, constant in a run. It lengthens no duration; what it "
        "blurs is said at the end. 1 with the simulated Kiosk that a run starts, unless given.",
        unit="s",
        hint="between two polls of a job; 1 with the simulated Kiosk, unless changed",
        field="update_interval_s",
        parse=parsers.seconds_above_0,
    ),
    Setting(
        "poll_backoff",
        "0",
        "Share of a job's age that its polls are apart at least, for long jobs; 0 for none.",
        unit="share",
        hint="of a job's age that lies between its polls, for long jobs; 0: none",
        parse=parsers.share,
    ),
    Setting(
        "expire_time",
        "3600",
        "How long the Kiosk keeps a job's record after its end; whole seconds, rounded up; "
        "0 sets none.",
        unit="s",
        hint="the Kiosk keeps an ended job's record so long; 0: sets none",
        field="expire_s",
        parse=parsers.whole_seconds,
    ),
    Setting(
        "job_timeout",
        "none",
        "A job that is not final after this time is closed as timeout; none for no limit.",
        unit="s",
        hint="a job that takes longer is closed as timeout; none: no limit",
        field="job_timeout_s",
        parse=parsers.seconds_or_none,
        write=or_none,
    ),
    Setting(
        "drain_timeout",
        "600",
        "How long jobs in flight may go on after the end of -t.",
        unit="s",
        hint="for jobs in flight at the end of the run time, without a count",
        field="drain_timeout_s",
        parse=parsers.seconds,
    ),
    Setting(
        "worker_wait",
        "60",
        "How long a master whose last worker has gone waits for one to come back; "
        "0 ends the run at once.",
        unit="s",
        in_form=False,
        field="worker_wait_s",
        parse=parsers.seconds,
    ),
    Setting(
        "retry_budget",
        "3600",
        "A job is given up after this time without any answer.",
        unit="s",
        in_form=False,
        field="retry_budget_s",
        parse=parsers.seconds,
    ),
    Setting(
        "request_timeout",
        "30",
        "How long one HTTP request may take; the answer to an upload 2 s more for each megabyte.",
        unit="s",
        in_form=False,
        field="request_timeout_s",
        parse=parsers.seconds_above_0,
    ),
    Setting(
        "concurrent_requests_per_host",
        "64",
        "Sockets to the Kiosk that a process may have open.",
        unit="sockets",
        in_form=False,
        field="pool_size",
        parse=parsers.whole_number(1),
    ),
    Setting(
        "on_ambiguous",
        "resubmit",
        "What to do with a job that may or may not have been submitted.",
        hint="a job that may or may not have been submitted",
        parse=Choice("resubmit", "close"),
    ),
)
