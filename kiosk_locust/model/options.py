"""The options of a run: frozen values, checked by `kiosk_locust.config.resolve`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from kiosk_locust.model.input_file import Checks, InputFile
from kiosk_locust.model.node_type import NodeType

T = TypeVar("T")

Workload = Literal["open", "closed"]
Arrival = Literal["constant", "poisson", "ramp", "trace"]
Mode = Literal["benchmark", "upload"]
Via = Literal["frontend", "bucket"]

#: Of a field that JSON does not have: it is large, and has a place of its own.
_KEPT_ELSEWHERE = {"json": False}


@dataclass(frozen=True, slots=True)
class Ramp:
    """Arrivals whose rate goes from one to another, in jobs a second, over ``seconds``."""

    from_rate: float
    to_rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """What goes to the Kiosk before its jobs, and what comes back.

    ``inputs`` are the files of the plan, in the order of its tickets; ticket n has file n, and
    where there are fewer files than tickets, it begins with the first again. There are none
    where FILE is in the bucket already.
    """

    mode: Mode
    upload: bool  # each job uploads its file first
    upload_via: Via
    download: bool
    concurrent_downloads: int
    root: str  # absolute; the paths of ``inputs`` are below it
    inputs: tuple[InputFile, ...] = field(default=(), metadata=_KEPT_ELSEWHERE)
    download_hosts: str = ""  # with commas; downloads may come from these wherever they are
    input_checks: str = Checks.LENIENT.value  # a value of Checks
    follow_symlinks: bool = False
    any_bucket: bool = True  # gs:// results may come from others than STORAGE_BUCKET as well

    def input_of(self, number: int) -> InputFile:
        """The file that a cycle's ticket ``number`` uploads."""
        return self.inputs[number % len(self.inputs)]

    def file_of(self, number: int, otherwise: str) -> str:
        """The file of a cycle's ticket ``number``, below the root; ``otherwise`` if none is."""
        return self.input_of(number).path if self.inputs else otherwise


@dataclass(frozen=True, slots=True)
class FilesOptions:
    """What becomes of files."""

    storage_bucket: str  # as Address.parse takes it; empty: none is known; a simulated run's own
    upload_results: bool
    public_results: bool
    checkpoint_s: float  # 0: never


@dataclass(frozen=True, slots=True)
class TrimOptions:
    """What is cut from each cycle, as it was given (``100 jobs``, ``2min``); empty: nothing."""

    warmup: str = ""
    cooldown: str = ""


@dataclass(frozen=True, slots=True)
class CostOptions:
    """What was set of the cost estimate; the defaults are those of the settings."""

    tail_s: float | None = 0.0  # None: until the GPU nodes of the run are gone
    images_per_job: int | None = None  # None: as the Kiosk counted them
    prices: str = ""  # a price file's path, which was read once; empty: none was given
    node_types: tuple[NodeType, ...] = ()
    network: bool = True  # whether the bucket's storage and requests count


@dataclass(frozen=True, slots=True)
class GrafanaOptions:
    """Base URLs without a slash at their end and without a login; empty: not given."""

    host: str = ""
    prometheus_url: str = ""
    annotations: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """One threshold as it was written, and where."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class TrustOptions:
    """What a run has to come to, and when its numbers count for nothing.

    ``limits`` are by the name of the rule, in its own unit; None is no limit.
    ``abort_after_s``: None where thresholds are looked at in the end alone.
    """

    wanted: tuple[Wanted, ...] = ()
    abort_after_s: float | None = None
    junit_xml: str = ""
    limits: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutsideOptions:
    """Figures for a Prometheus: on or off, and where in a run without a web UI; and the page."""

    metrics: bool = False
    address: str = "127.0.0.1"
    port: int = 9646
    linger_s: float = 0.0  # at most, after the end
    allowed_hosts: tuple[str, ...] = ()  # by which the web UI may be asked for, in lower case


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
    dimension_order: str  # auto: by the file; empty: none is sent
    channels: str  # auto: by the job type; empty: none are sent
    segmentation_type: str  # the same
    upload_prefix: str  # without slashes at its ends
    update_interval_s: float
    poll_backoff: float  # share of a job's age that stretches the interval
    start_delay_s: float
    arrival: Arrival
    arrival_seed: int
    arrival_trace: str  # the file, as it was given; empty for other arrivals
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
    worker_wait_s: float
    run_time_s: float | None
    on_ambiguous: Literal["resubmit", "close"]
    num_gpus: int
    files: FilesOptions
    transfers: TransferOptions
    output_dir: Path
    run_name: str  # empty: made from time and job type
    log_enabled: bool
    log_level: str
    log_file: Path
    trim: TrimOptions
    cost: CostOptions
    grafana: GrafanaOptions
    trust: TrustOptions
    outside: OutsideOptions = field(default_factory=OutsideOptions)
    require_idle: Literal["warn", "refuse", "wait"] = "warn"
    file_array: str = ""  # of FILE in the bucket, as text; empty: nobody looked, or it is not known


def options_as_json(options: Options) -> dict[str, Any]:
    """The options as JSON has them, without the files of the plan; there are no secrets in them."""
    stored: dict[str, Any] = _as_json(options)
    return stored


def _as_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        shown = [each.name for each in dataclasses.fields(value) if each.metadata.get("json", True)]
        return {name: _as_json(getattr(value, name)) for name in shown}
    if isinstance(value, Mapping):
        return {name: _as_json(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [_as_json(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def from_json(kind: type[T], value: Any) -> T:
    """A value of ``kind``, such as Options, of what JSON has of it; parts may be values already.

    Raises TypeError for a name that ``kind`` has not, or one that is missing.
    """
    made: T = _made(kind, value)
    return made


_kinds = functools.cache(get_type_hints)


def _made(kind: Any, value: Any) -> Any:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        kinds = _kinds(kind)
        return kind(**{name: _made(kinds.get(name), part) for name, part in value.items()})
    if isinstance(kind, UnionType) and value is not None:
        return _made(kind.__args__[0], value)
    if get_origin(kind) is tuple:
        return tuple(_made(get_args(kind)[0], part) for part in value)
    return Path(value) if kind is Path else value
