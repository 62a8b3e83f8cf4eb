"""Plans whose course can be worked out by hand."""

from __future__ import annotations

from typing import Any

from kiosk_locust.planning.plan import ForecastPlan
from kiosk_locust.simulator.settings import ClusterSettings
from tests.simulator import models

#: Every stage takes 1 s exactly, so an image 5; one GPU node is there, and takes one at a time.
STEADY: dict[str, Any] = models.STEADY | {"jobs_per_gpu": 1, "min_nodes": 1}
IMAGE_S = 5.0


def images(number: int, *, delay_s: float = 0.0, **cluster: Any) -> ForecastPlan:
    """So many images, each a job of its own."""
    settings = ClusterSettings(**(STEADY | cluster))
    return ForecastPlan(number, 1, zips=False, start_delay_s=delay_s, cluster=settings)


def zips(number: int, of: int, *, delay_s: float = 0.0, **cluster: Any) -> ForecastPlan:
    """So many ZIPs of ``of`` images each."""
    settings = ClusterSettings(**(STEADY | cluster | {"images_per_zip": of}))
    return ForecastPlan(number * of, of, start_delay_s=delay_s, cluster=settings)
