"""Every setting once: its flag, its name in the environment, its default, unit and meaning.

Values are strings here, as people give them; `kiosk_locust.options` makes them numbers.
Passwords and tokens are not settings: they stay in the environment and in ``.env``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; ``name`` is its attribute in Locust's parsed options."""

    name: str
    env: str  # empty: it has no name in the environment
    default: str  # empty: none, or made from other settings
    meaning: str
    unit: str = ""
    derived: str = ""  # what stands in where nothing is given and there is no default
    in_form: bool = True  # whether the web UI's start form shows it
    is_flag: bool = False  # whether its flag stands alone, without a value
    empty_counts: bool = False  # whether an empty value is a value
    choices: tuple[str, ...] = ()
    short: str = ""  # short flag, of Locust's own options
    is_locusts: bool = False  # Locust adds it to its parser itself
    env_only: bool = False  # a second name for the environment and .env, without a flag
    form_name: str = ""  # what the start form calls it, where that is not its name

    @property
    def flag(self) -> str:
        """The long flag, such as ``--start-delay``; empty where it has none."""
        if self.env_only:
            return ""
        return "--" + ("users" if self.name == "num_users" else self.name.replace("_", "-"))

    @property
    def form_label(self) -> str:
        """The name to use for its field in the start form."""
        return self.form_name or self.name.replace("_", " ").capitalize()

    @property
    def default_shown(self) -> str:
        """The default, in words where it is made from other settings."""
        return self.default or self.derived or "(empty)"


_LOCUSTS = (
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
        unit="s, or h/m/s",
        derived="no limit",
        short="-t",
        is_locusts=True,
    ),
    Setting(
        "stop_timeout",
        "LOCUST_STOP_TIMEOUT",
        "30",
        "How long jobs in flight may go on once a run is stopped.",
        unit="s, or h/m/s",
        short="-s",
        in_form=False,
        is_locusts=True,
    ),
)

_KIOSK = (
    Setting(
        "api_host",
        "API_HOST",
        "",
        "The older client's name for LOCUST_HOST, which wins over it.",
        derived="the simulated Kiosk",
        in_form=False,
        is_locusts=True,
        env_only=True,
    ),
    Setting(
        "simulate",
        "SIMULATE",
        "false",
        "Ask plainly for the simulated Kiosk; without a host it is the default.",
        is_flag=True,
    ),
    Setting(
        "file",
        "FILE",
        "",
        "The image, or ZIP of images, in the bucket's upload folder that each job works on; "
        "required with a real Kiosk.",
        derived="image.png with the simulated Kiosk",
    ),
    Setting("job_type", "JOB_TYPE", "segmentation", "The type of job, as the Kiosk names it."),
    Setting(
        "model",
        "MODEL",
        "modelname:0",
        "The model as name:version; modelname:0 leaves the choice to the job type.",
    ),
    Setting(
        "scale",
        "SCALE",
        "1",
        "Factor to rescale images by; empty leaves the choice to the Kiosk.",
        empty_counts=True,
    ),
    Setting(
        "label",
        "LABEL",
        "",
        "Label type of the images; empty leaves the choice to the Kiosk.",
        empty_counts=True,
    ),
    Setting("preprocess", "PREPROCESS", "", "Function to apply before the model."),
    Setting("postprocess", "POSTPROCESS", "", "Function to apply after the model."),
    Setting(
        "dimension_order",
        "DIMENSION_ORDER",
        "XYB",
        "Order of the image's axes, one letter an axis.",
    ),
    Setting(
        "channels",
        "CHANNELS",
        "0,,",
        "Channels to use, by number: three, with commas between; empty for one not used.",
    ),
    Setting(
        "segmentation_type", "SEGMENTATION_TYPE", "", "What to segment, as the Kiosk names it."
    ),
    Setting(
        "upload_prefix",
        "UPLOAD_PREFIX",
        "uploads",
        "Folder in the bucket that holds FILE; slashes at its ends do not matter.",
    ),
    Setting(
        "num_gpus",
        "NUM_GPUS",
        "0",
        "GPUs that the Kiosk has, for the name of the results file; 0 leaves it out.",
        unit="GPUs",
    ),
)

_PLAN = (
    Setting(
        "count",
        "COUNT",
        "",
        "Jobs in each cycle; 0 for as many as begin within the run time.",
        unit="jobs",
        derived="as many as users (-u)",
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
    ),
    Setting(
        "arrival",
        "ARRIVAL",
        "",
        "When jobs begin: evenly, at random (poisson), by a ramp or by a trace.",
        derived="constant, or what --ramp or --arrival-trace says",
        choices=("", "constant", "poisson", "ramp", "trace"),
    ),
    Setting(
        "arrival_seed",
        "ARRIVAL_SEED",
        "",
        "Seed of random arrivals; the same seed gives the same times.",
        derived="a random one, recorded",
    ),
    Setting(
        "arrival_trace",
        "ARRIVAL_TRACE",
        "",
        "File with the time of each job after the cycle's start, in seconds, one a line.",
        derived="none",
    ),
    Setting(
        "ramp",
        "RAMP",
        "",
        "FROM:TO:SECONDS: the rate goes from one to another (jobs/s) in that time, then stays.",
        unit="jobs/s:jobs/s:s",
        derived="none",
    ),
    Setting(
        "workload",
        "WORKLOAD",
        "",
        "open: jobs begin when they are due; closed: each user begins its next job when its "
        "last one is closed.",
        derived="open where COUNT is at most -u (or 0), else closed",
        choices=("", "open", "closed"),
    ),
    Setting(
        "run_name",
        "RUN_NAME",
        "",
        "Name of the run and of its files.",
        derived="made from time and job type",
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

_WAITING = (
    Setting(
        "update_interval", "UPDATE_INTERVAL", "10", "Time between two polls of a job.", unit="s"
    ),
    Setting(
        "poll_backoff",
        "POLL_BACKOFF",
        "0",
        "Share of a job's age that its polls are apart at least, for long jobs; 0 for none.",
        unit="share",
    ),
    Setting(
        "expire_time",
        "EXPIRE_TIME",
        "3600",
        "How long the Kiosk keeps a job's record after its end; whole seconds, rounded up; "
        "0 sets none.",
        unit="s",
    ),
    Setting(
        "job_timeout",
        "JOB_TIMEOUT",
        "none",
        "A job that is not final after this time is closed as timeout; none for no limit.",
        unit="s",
    ),
    Setting(
        "drain_timeout",
        "DRAIN_TIMEOUT",
        "600",
        "How long jobs in flight may go on after the end of -t.",
        unit="s",
    ),
    Setting(
        "retry_budget",
        "RETRY_BUDGET",
        "3600",
        "A job is given up after this time without any answer.",
        unit="s",
        in_form=False,
    ),
    Setting(
        "request_timeout",
        "REQUEST_TIMEOUT",
        "30",
        "How long one HTTP request may take.",
        unit="s",
        in_form=False,
    ),
    Setting(
        "concurrent_requests_per_host",
        "CONCURRENT_REQUESTS_PER_HOST",
        "64",
        "Sockets to the Kiosk that a process may have open.",
        unit="sockets",
        in_form=False,
    ),
    Setting(
        "on_ambiguous",
        "ON_AMBIGUOUS",
        "resubmit",
        "What to do with a job that may or may not have been submitted.",
        choices=("resubmit", "close"),
    ),
)

_OUTPUT = (
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

#: Title of each group and its settings, in the order that people read them.
GROUPS: tuple[tuple[str, tuple[Setting, ...]], ...] = (
    ("Locust's own", _LOCUSTS),
    ("The Kiosk and its jobs", _KIOSK),
    ("How many jobs, and when", _PLAN),
    ("Polling and waiting", _WAITING),
    ("Progress and files", _OUTPUT),
)


def _all(groups: Iterable[tuple[str, tuple[Setting, ...]]]) -> Mapping[str, Setting]:
    return MappingProxyType({s.name: s for _, settings in groups for s in settings})


#: Every setting by its name.
SETTINGS = _all(GROUPS)
