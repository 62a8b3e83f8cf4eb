"""The Prometheus of a run's cluster: asked for the Kiosk's queues, and for what the run cost."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from kiosk_locust.assembly.connect import Connection
from kiosk_locust.assembly.run_request import RunRequest
from kiosk_locust.clock import Clock
from kiosk_locust.cost.query import CostCollector
from kiosk_locust.cost.queue_depth import IdleCheck, Queues
from kiosk_locust.model.options import Options


@dataclass(frozen=True, slots=True)
class ClusterServices:
    """Asks for a run's cost, and for the Kiosk's queues within so many seconds; None: nobody is."""

    cost_query: CostCollector
    queue_depth: Callable[[float], Queues] | None


def ask_cluster(
    request: RunRequest, options: Options, kiosk: Connection, clock: Clock, resources: ExitStack
) -> ClusterServices:
    """Look whether the Kiosk is idle, where that matters; raises PreflightError where it is not.

    The cluster that this process is in is not that of a simulated Kiosk.
    """
    environ = {} if kiosk.is_simulated_elsewhere else os.environ
    if kiosk.embedded:
        return ClusterServices(
            CostCollector(options, request.secrets, clock, environ, kiosk.url), None
        )
    looker = IdleCheck(options, request.secrets, clock, environ)
    resources.callback(looker.close)
    looker.enforce_idle(resumes=request.resumed is not None, is_ended=request.is_ended)
    return ClusterServices(CostCollector(options, request.secrets, clock, environ), looker.queues)
