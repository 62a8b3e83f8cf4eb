"""The names of a run's files; those of a simulated run all say so."""

from __future__ import annotations

import re
import time
from pathlib import Path

from kiosk_locust.model.options import Options

SIMULATED = "simulated_"
RUN_ID_IN_NAME = re.compile(r"delay_([0-9a-f]{32})")


def marked(name: str, *, simulated: bool) -> str:
    """``name``, with the prefix of a simulated run where it is one and lacks it."""
    return SIMULATED + name if simulated and not name.startswith(SIMULATED) else name


def is_marked(name: str) -> bool:
    """Whether a file's name says that it is of a simulated run."""
    return name.startswith(SIMULATED)


def made(options: Options) -> str:
    """A run's name where none was given: when it began (local time), and the job type."""
    job_type = re.sub(r"[^A-Za-z0-9._-]", "_", options.job_type)  # it becomes part of a path
    return f"{time.strftime('%Y-%m-%dT%H-%M-%S')}_{job_type}"


def ledger_of(options: Options, run_name: str) -> Path:
    """Where the ledger of a run of that name is."""
    name = marked(run_name, simulated=options.host is None)
    return options.output_dir / f"{name}.db"


def of_cycle(
    *, run_id: str, num_gpus: int, jobs: int, delay_s: float, cycle: int | None, simulated: bool
) -> str:
    """A cycle's results, named as the older client did: ``4gpu_100jobs_0.5delay_<run id>.json``.

    ``cycle`` is None where the run has only one. The delay has six digits at most, which is all
    that people type; a spawn rate of 6 makes ``0.166667delay`` (the results have it exactly).
    """
    gpus = f"{num_gpus}gpu_" if num_gpus else ""
    suffix = "" if cycle is None else f"_cycle{cycle}"
    delay = float(f"{delay_s:.6g}")
    name = f"{gpus}{jobs}jobs_{delay}delay_{run_id}{suffix}.json"
    return marked(name, simulated=simulated)


def of_run(run_name: str, *, simulated: bool) -> str:
    """The results over all cycles of a run that has several."""
    return marked(f"{run_name}.json", simulated=simulated)


def is_result_of(name: str, run_id: str) -> bool:
    """Whether a file of that name holds results of a cycle of that run, by whatever delay."""
    pattern = (
        rf"({SIMULATED})?(\d+gpu_)?\d+jobs_[0-9.e+-]+delay_{re.escape(run_id)}(_cycle\d+)?\.json"
    )
    return bool(run_id) and re.fullmatch(pattern, name) is not None
