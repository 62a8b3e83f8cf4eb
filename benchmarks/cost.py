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
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.cost.asking import BEGINS_AT, asked_about, estimated
from tests.cost.scraped import History, random_histories

WEEK_S = 7 * 24 * 3600.0
HOUR_S = 3600.0


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--longest", type=float, default=WEEK_S, help="longest window, seconds")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def show(title: str, values: Sequence[float], unit: str) -> None:
    """One line: median, 95th percentile and maximum."""
    found = sorted(values)
    told = [("median", found[len(found) // 2]), ("p95", found[int(0.95 * (len(found) - 1))])]
    told.append(("max", found[-1]))
    print(f"{title}: " + ", ".join(f"{name} {value:.3g} {unit}" for name, value in told))


def shown(history: History, usd: float) -> str:
    """An estimate that is beyond what is allowed."""
    return (
        f"{usd:.6f} USD, truly {history.usd:.6f}, {history.allowed_usd:.6f} off are allowed:"
        f" {history.end_at - history.start_at:.0f} s, scraped every {history.interval_s:g} s"
    )


def main() -> int:
    """Print the distribution of the errors; 1 where one is beyond what is allowed."""
    given = arguments()
    histories = random_histories(given.seed, given.histories, BEGINS_AT, given.longest)
    errors: list[tuple[History, float]] = []
    took_s = []
    beyond = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        asked_about(histories, Path(folder)) as (asked, grafana),
    ):
        for number, history in enumerate(histories):
            begun = time.perf_counter()
            usd = estimated(asked, history).run.total_usd or 0.0
            took_s.append(time.perf_counter() - begun)
            errors.append((history, abs(usd - history.usd)))
            if errors[-1][1] > history.allowed_usd:
                beyond += 1
                print(f"history {number}: {shown(history, usd)}")
        print(f"{len(histories)} histories, seed {given.seed}, {len(grafana.queries):,} queries")
    for title, shortest_s, longest_s in (
        ("error, windows below 10 min", 0.0, 600.0),
        ("error, windows from 10 min to 1 h", 600.0, HOUR_S),
        ("error, windows above 1 h", HOUR_S, float("inf")),
    ):
        shares = [
            100 * usd / history.usd
            for history, usd in errors
            if shortest_s <= history.end_at - history.start_at < longest_s
        ]
        if shares:
            show(f"{title} ({len(shares)})", shares, "%")
    show("error, as a share of what is allowed", [u / h.allowed_usd for h, u in errors], "")
    show("time to ask and estimate", took_s, "s")
    print(f"{beyond} of {len(histories)} beyond 0.1 % and one scrape interval a boundary")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
