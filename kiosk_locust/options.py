"""What a run was told to do: one frozen value, already checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Workload = Literal["open", "closed"]
Arrival = Literal["constant", "poisson", "ramp", "trace"]


@dataclass(frozen=True, slots=True)
class Ramp:
    """Arrivals whose rate goes from one to another, in jobs a second, over ``seconds``."""

    from_rate: float
    to_rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Options:
    """Every setting of a run, checked; names end in their unit where they have one."""

    host: str | None  # None: the embedded simulated Kiosk
    simulate: bool  # asked for plainly
    file: str
    count: int  # jobs a cycle; 0: open-ended
    users: int  # at most so many jobs in flight at once
    job_type: str
    model_name: str  # empty: left to the job type
    model_version: str
    scale: str  # empty: left to the Kiosk
    label: str  # empty: left to the Kiosk
    preprocess: str
    postprocess: str
    dimension_order: str
    channels: str
    segmentation_type: str
    upload_prefix: str  # without slashes at its ends
    update_interval_s: float
    poll_backoff: float  # share of a job's age that stretches the interval
    start_delay_s: float
    arrival: Arrival
    arrival_seed: int
    arrival_offsets_s: tuple[float, ...]  # of the trace; empty for other arrivals
    ramp: Ramp | None
    workload: Workload
    num_cycles: int
    cycle_interval_s: float
    refresh_s: float  # MANAGER_REFRESH_RATE: seconds between lines of progress
    expire_s: int  # 0: set none
    pool_size: int  # CONCURRENT_REQUESTS_PER_HOST
    request_timeout_s: float
    retry_budget_s: float
    job_timeout_s: float | None  # None: no limit
    stop_timeout_s: float
    drain_timeout_s: float
    run_time_s: float | None
    on_ambiguous: Literal["resubmit", "close"]
    num_gpus: int
    output_dir: Path
    run_name: str  # empty: made from time and job type
    log_enabled: bool
    log_level: str
    log_file: Path
