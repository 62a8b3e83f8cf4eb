"""Settings of how many jobs there are, and when they begin."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "count",
        "COUNT",
        "",
        "Jobs in each cycle; 0 for as many as begin within the run time.",
        unit="jobs",
        derived="as many as users (-u)",
        hint="in each cycle; empty: as many as users; 0: as many as begin in the run time",
    ),
    Setting(
        "num_cycles", "NUM_CYCLES", "1", "How often the whole plan is repeated.", unit="cycles"
    ),
    Setting("cycle_interval", "CYCLE_INTERVAL", "0", "Pause between two cycles.", unit="s"),
    Setting(
        "start_delay",
        "START_DELAY",
        "0.05",
        "Time from the beginning of one job to the next; 0 begins all at once. "
        "The spawn rate (-r) is the other way to say it.",
        unit="s",
        in_form=False,
    ),
    Setting(
        "all_at_once",
        "",
        "false",
        "Begin all jobs at once, as START_DELAY=0 does; the form's spawn rate cannot be 0.",
        is_flag=True,
        hint="whatever the ramp-up says",
    ),
    Setting(
        "arrival",
        "ARRIVAL",
        "",
        "When jobs begin: evenly, at random (poisson), by a ramp or by a trace.",
        derived="constant, or what --ramp or --arrival-trace says",
        choices=("", "constant", "poisson", "ramp", "trace"),
        hint="when jobs begin; empty: evenly, or as ramp or trace say",
    ),
    Setting(
        "arrival_seed",
        "ARRIVAL_SEED",
        "",
        "Seed of random arrivals; the same seed gives the same times.",
        derived="a random one, recorded",
        hint="of random arrivals; empty: drawn and recorded",
    ),
    Setting(
        "arrival_trace",
        "ARRIVAL_TRACE",
        "",
        "File with the time of each job after the cycle's start, in seconds, one a line.",
        derived="none",
        is_path=True,
        hint="file with the time of each job in s, one a line",
    ),
    Setting(
        "ramp",
        "RAMP",
        "",
        "FROM:TO:SECONDS: the rate goes from one to another (jobs/s) in that time, then stays.",
        unit="jobs/s:jobs/s:s",
        derived="none",
        hint="FROM:TO:SECONDS, such as 1:10:60 for 1 to 10 jobs/s in 60 s",
    ),
    Setting(
        "workload",
        "WORKLOAD",
        "",
        "open: jobs begin when they are due; closed: each user begins its next job when its "
        "last one is closed.",
        derived="open where COUNT is at most -u (or 0), else closed",
        choices=("", "open", "closed"),
        hint="open: jobs begin when due; closed: when a user's last one ends",
    ),
    Setting(
        "run_name",
        "RUN_NAME",
        "",
        "Name of the run and of its files.",
        derived="made from time and job type",
        hint="of its files, too; empty: made from time and job type",
    ),
    Setting(
        "resume",
        "RESUME",
        "",
        "Go on with an interrupted run: its name, the path of its ledger, or latest.",
        derived="none",
        in_form=False,
    ),
    Setting(
        "resume_or_start",
        "RESUME_OR_START",
        "",
        "Go on with the run of this name, or start it where there is none yet.",
        derived="none",
        in_form=False,
    ),
)
