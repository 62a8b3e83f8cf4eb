"""An observer that numbers depend on breaks at the tenth job that a worker closes."""

import sys

from kiosk_locust import KioskUser, Record, attach
from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.plugin.request_stats import LocustStatistics

attach()
closed: list[str] = []
log = LocustStatistics.on_closed


def on_closed(statistics: LocustStatistics, record: Record, measures: Measures) -> None:
    log(statistics, record, measures)
    closed.append(record.job_id)
    if len(closed) == 10:
        raise RuntimeError("lost count")


if "--worker" in sys.argv:
    LocustStatistics.on_closed = on_closed  # type: ignore[method-assign, assignment]


class Kiosk(KioskUser):
    pass
