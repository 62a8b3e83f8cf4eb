"""How far estimates of cost are off: random histories in a real Prometheus, asked as a run asks.

    python benchmarks/cost.py                      # 200 histories, windows from 30 s to 7 days
    python benchmarks/cost.py --histories 20 --longest 3600

The true cost is computed from the histories by hand. Needs Debian's package prometheus.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kiosk_locust.clock import SystemClock
from kiosk_locust.cost.collect import cluster_series
from kiosk_locust.cost.credentials import Credentials, Secrets
from kiosk_locust.cost.estimate import estimate
from kiosk_locust.cost.figures import CostEstimate, Window, Work
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.source import Asked, Source
from tests.cost.scraped import History, random_histories, write
from tests.cost.servers import PASSWORD, USER, GrafanaBefore, prometheus

BEGINS_AT = 1_700_000_000.0
WEEK_S = 7 * 24 * 3600.0


def estimated(asked: Asked, history: History) -> CostEstimate:
    """What the package says of a history."""
    window = Window(history.start_at, history.end_at)
    asked_to = history.end_at + 2 * history.interval_s  # a run waits for the next scrape
    series = cluster_series(asked.prometheus(), window.start_at, asked_to)
    return estimate(series, window, Work(), PriceBook.of(), network=False, seen_to=history.end_at)


def main() -> int:
    """Print the distribution of the errors; 1 where one is beyond what is allowed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--longest", type=float, default=WEEK_S, help="longest window, seconds")
    parser.add_argument("--seed", type=int, default=1)
    asked_for = parser.parse_args()
    histories = random_histories(asked_for.seed, asked_for.histories, BEGINS_AT, asked_for.longest)
    beyond = 0
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = write(histories, folder / "samples.txt")
        print(f"{len(histories)} histories, {samples:,} samples, seed {asked_for.seed}", flush=True)
        with prometheus(folder, folder / "samples.txt") as url, GrafanaBefore(url) as grafana:
            secrets = Secrets(grafana=Credentials(USER, PASSWORD))
            asked = Asked(Source(grafana=grafana.url), secrets, SystemClock())
            for number, history in enumerate(histories):
                begun = time.perf_counter()
                found = estimated(asked, history).run.total_usd or 0.0
                took_s = time.perf_counter() - begun
                error_usd = abs(found - history.usd)
                rows.append((error_usd / history.usd, error_usd / history.allowed_usd, took_s))
                if error_usd > history.allowed_usd:
                    beyond += 1
                    print(
                        f"history {number}: {found:.6f} USD, truly {history.usd:.6f}, allowed"
                        f" {history.allowed_usd:.6f} off: {history.end_at - history.start_at:.0f} s,"
                        f" scraped every {history.interval_s:g} s"
                    )
    for title, column, unit in (
        ("error of the cost", 0, "%"),
        ("error over what is allowed", 1, "%"),
        ("time to ask and estimate", 2, "s"),
    ):
        values = sorted(row[column] * (100 if unit == "%" else 1) for row in rows)
        told = {
            "median": values[len(values) // 2],
            "p95": values[int(0.95 * (len(values) - 1))],
            "max": values[-1],
        }
        print(
            f"{title}: " + ", ".join(f"{name} {value:.3g} {unit}" for name, value in told.items())
        )
    print(f"{beyond} of {len(histories)} beyond 0.1 % and one scrape interval a boundary")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
