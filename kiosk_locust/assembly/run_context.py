"""A run that is built, with all that serves it: `RunContext`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from kiosk_locust.assembly.build_observers import Observers
from kiosk_locust.assembly.cluster_services import ClusterServices
from kiosk_locust.assembly.conclusion import Conclusion
from kiosk_locust.assembly.connect import Connection
from kiosk_locust.assembly.stop_reason import StopRequests
from kiosk_locust.checkpoint.archive import Archive
from kiosk_locust.checkpoint.scheduler import Checkpoints
from kiosk_locust.clock import Clock
from kiosk_locust.distributed.coordinator_run import MasterRun
from kiosk_locust.execution.run import Run
from kiosk_locust.model.options import Options


@dataclass(frozen=True, slots=True)
class RunContext:
    """A run, and what serves it until its end; ``resources`` holds what is closed by then.

    ``lead_s`` are the seconds from its start to the first job. ``archive`` and ``checkpoints`` are
    None where they are not wanted.
    """

    options: Options
    name: str
    started_at: float  # epoch seconds
    is_resumed: bool
    lead_s: float
    clock: Clock
    kiosk: Connection
    run: Run | MasterRun
    stops: StopRequests
    observers: Observers
    conclusion: Conclusion
    cluster: ClusterServices
    archive: Archive | None
    checkpoints: Checkpoints | None
    resources: ExitStack
