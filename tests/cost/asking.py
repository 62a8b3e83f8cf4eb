"""What the package says of scraped histories, asked as a run asks: through Grafana."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiosk_locust.clock import SystemClock
from kiosk_locust.cost.collect import cluster_series
from kiosk_locust.cost.credentials import Credentials, Secrets
from kiosk_locust.cost.endpoints import CostServers, Source
from kiosk_locust.cost.estimate import estimate
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.types import CostEstimate, Window, WorkDone
from tests.cost.scraped import History, write
from tests.cost.servers import PASSWORD, USER, GrafanaBefore, prometheus

BEGINS_AT = 1_700_000_000.0


@contextmanager
def asked_about(
    histories: list[History], folder: Path
) -> Iterator[tuple[CostServers, GrafanaBefore]]:
    """Give what can be asked about the histories: a real Prometheus, behind a Grafana."""
    samples = folder / "samples.txt"
    write(histories, samples)
    with prometheus(folder, samples) as url, GrafanaBefore(url) as grafana:
        secrets = Secrets(grafana=Credentials(USER, PASSWORD).bound([grafana.url]))
        asked = CostServers(Source(grafana=grafana.url), secrets, SystemClock())
        yield asked, grafana
        asked.close()


def estimated(asked: CostServers, history: History) -> CostEstimate:
    """What the package says of a history."""
    window = Window(history.start_at, history.end_at)
    asked_to = history.end_at + 2 * history.interval_s  # a run waits for the next scrape
    series = cluster_series(asked.prometheus(), window.start_at, asked_to)
    return estimate(
        series, window, WorkDone(), PriceBook.of(), network=False, seen_to=history.end_at
    )
