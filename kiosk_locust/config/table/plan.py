"""Settings of the number of jobs and their start times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiosk_locust.config import parsers
from kiosk_locust.config.parsers import Choice, optional
from kiosk_locust.config.table.setting import Resume, Setting
from kiosk_locust.config.trace import read_trace
from kiosk_locust.model.options import Ramp


def _ramp_text(ramp: Mapping[str, Any] | None, _arrival: str) -> str:
    if not ramp:
        return ""
    return f"{ramp['from_rate']!r}:{ramp['to_rate']!r}:{ramp['seconds']!r}"


SETTINGS = (
    Setting(
        "count",
        "",
        "Jobs in each cycle; 0 for as many as begin within the run time.",
        unit="jobs",
        derived="as many as users (-u)",
        hint="in each cycle; empty: as many as users; 0: as many as begin in the run time",
        parse=optional(parsers.whole_number(0)),
        resume=Resume.PLAN,
    ),
    Setting(
        "num_cycles",
        "1",
        "How often the whole plan is repeated.",
        unit="cycles",
        parse=parsers.whole_number(1),
        resume=Resume.PLAN,
    ),
    Setting(
        "cycle_interval",
        "0",
        "Pause between two cycles.",
        unit="s",
        field="cycle_interval_s",
        parse=parsers.seconds,
    ),
    Setting(
        "start_delay",
        "0.05",
        "Time from the beginning of one job to the next; 0 begins all at once. "
        "The spawn rate (-r) is the other way to say it.",
        unit="s",
        in_form=False,
        field="start_delay_s",
        parse=parsers.seconds,
        resume=Resume.PLAN,
    ),
    Setting(
        "all_at_once",
        "false",
        "Begin all jobs at once, as START_DELAY=0 does; the form's spawn rate cannot be 0.",
        env_name=None,
        is_flag=True,
        hint="whatever the ramp-up says",
        field="start_delay_s",
        parse=lambda text: 0.0 if parsers.boolean(text) else None,
        write=None,
        resume=Resume.PLAN,
    ),
    Setting(
        "arrival",
        "",
        "When jobs begin: evenly, at random (poisson), by a ramp or by a trace.",
        derived="constant, or what --ramp or --arrival-trace says",
        hint="when jobs begin; empty: evenly, or as ramp or trace say",
        parse=Choice("", "constant", "poisson", "ramp", "trace"),
        write=lambda kind: "" if kind == "trace" else kind,  # a trace's file may have changed
        resume=Resume.PLAN_UNREAD,
    ),
    Setting(
        "arrival_seed",
        "",
        "Seed of random arrivals; the same seed gives the same times.",
        derived="a random one, recorded",
        hint="of random arrivals; empty: drawn and recorded",
        parse=optional(parsers.seed),
        resume=Resume.PLAN,
    ),
    Setting(
        "arrival_trace",
        "",
        "File with the time of each job after the cycle's start, in seconds, one a line.",
        derived="none",
        is_path=True,
        hint="file with the time of each job in s, one a line",
        parse=optional(lambda text: read_trace(parsers.path(text))),
        write=None,
        resume=Resume.PLAN_UNREAD,
    ),
    Setting(
        "ramp",
        "",
        "FROM:TO:SECONDS: the rate goes from one to another (jobs/s) in that time, then stays.",
        unit="jobs/s:jobs/s:s",
        derived="none",
        hint="FROM:TO:SECONDS, such as 1:10:60 for 1 to 10 jobs/s in 60 s",
        also=("arrival",),
        parse=optional(lambda text: Ramp(*parsers.ramp(text))),
        write=_ramp_text,
        resume=Resume.PLAN_UNREAD,
    ),
    Setting(
        "workload",
        "",
        "open: jobs begin when they are due; closed: each user begins its next job when its "
        "last one is closed.",
        derived="open where COUNT is at most -u (or 0), else closed",
        hint="open: jobs begin when due; closed: when a user's last one ends",
        parse=Choice("", "open", "closed"),
        resume=Resume.PLAN,
    ),
    Setting(
        "run_name",
        "",
        "Name of the run and of its files.",
        derived="made from time and job type",
        hint="of its files, too; empty: made from time and job type",
        parse=optional(parsers.run_name, ""),
        resume=Resume.PROCESS,
    ),
    Setting(
        "resume",
        "",
        "Go on with an interrupted run: its name, the path of its ledger, or latest.",
        derived="none",
        in_form=False,
        field=None,
        parse=optional(parsers.ledger),
    ),
    Setting(
        "resume_or_start",
        "",
        "Go on with the run of this name, or start it where there is none yet.",
        derived="none",
        in_form=False,
        field=None,
        parse=optional(parsers.run_name),
    ),
)
