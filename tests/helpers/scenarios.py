"""What tests of a run share: options with sensible values, a record, a ticket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kiosk_locust.model.options import (
    CostOptions,
    FilesOptions,
    GrafanaOptions,
    Options,
    TransferOptions,
    TrimOptions,
    TrustOptions,
)
from kiosk_locust.model.record import JobRequest, Record, Ticket

DEFAULTS: dict[str, Any] = {
    "host": "http://127.0.0.1:9",
    "simulate": False,
    "file": "image.png",
    "count": 1,
    "users": 1,
    "job_type": "segmentation",
    "model_name": "",
    "model_version": "",
    "scale": "1",
    "label": "",
    "preprocess": "",
    "postprocess": "",
    "dimension_order": "XYB",
    "channels": "0,,",
    "segmentation_type": "",
    "upload_prefix": "uploads",
    "update_interval_s": 10.0,
    "poll_backoff": 0.0,
    "start_delay_s": 0.05,
    "arrival": "constant",
    "arrival_seed": 1,
    "arrival_trace": "",
    "arrival_offsets_s": (),
    "ramp": None,
    "workload": "open",
    "num_cycles": 1,
    "cycle_interval_s": 0.0,
    "refresh_s": 10.0,
    "expire_s": 3600,
    "pool_size": 64,
    "request_timeout_s": 30.0,
    "retry_budget_s": 3600.0,
    "job_timeout_s": None,
    "stop_timeout_s": 30.0,
    "drain_timeout_s": 600.0,
    "worker_wait_s": 60.0,
    "run_time_s": None,
    "on_ambiguous": "resubmit",
    "num_gpus": 0,
    "files": FilesOptions(
        storage_bucket="", upload_results=True, public_results=False, checkpoint_s=0.0
    ),
    "transfers": TransferOptions(
        mode="benchmark",
        upload=False,
        upload_via="frontend",
        download=False,
        concurrent_downloads=8,
        root="",
        inputs=(),
    ),
    "output_dir": Path("results"),
    "run_name": "",
    "log_enabled": False,
    "log_level": "INFO",
    "log_file": Path("benchmark.log"),
    "trim": TrimOptions(),
    "cost": CostOptions(),
    "grafana": GrafanaOptions(),
    "trust": TrustOptions(),
}


def make_options(**changes: Any) -> Options:
    """Options as a user would have them by default, but for ``changes``."""
    return Options(**(DEFAULTS | changes))


def make_record(number: int = 0, file: str = "image.png", **changes: Any) -> Record:
    """The record of a ticket that was just taken."""
    ticket = Ticket(id=number, cycle=1, number=number, due_at=100.0 + number, file=file)
    request = JobRequest("segmentation", file, f"uploads/{file}")
    return Record(ticket, "Kiosk", request, taken_at=99.0, **changes)
