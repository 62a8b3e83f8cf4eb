"""Plots (SVG) of what the other programs have written as lines of JSON.

    python benchmarks/plots.py      # docs/performance/*.jsonl → docs/performance/*.svg

Of each client and rate the median of all lines of the file is drawn; empty a file, or give another
folder, to begin anew.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sidebyside.svg import bars, lines

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "performance"
Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    """The lines of a file; none where it is not there."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def medians(rows: Iterable[Row], key: str, value: str) -> dict[Any, float]:
    """The median of ``value`` by ``key``, in the order in which keys come."""
    found: dict[Any, list[float]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(float(row[value]))
    return {name: statistics.median(values) for name, values in found.items()}


def cpu(rows: list[Row], title: str) -> str:
    """CPU a job by client, least first."""
    found = medians(rows, "client", "cpu_ms_a_job")
    ordered = dict(sorted(found.items(), key=lambda item: item[1]))
    return bars(title, "ms of CPU a job", ordered, strong="kiosk_locust")


def lag(rows: list[Row]) -> str:
    """Submission lag by rate."""
    mine = [row for row in rows if row["program"] == "lag"]
    names = {"p50": "lag_p50_ms", "p99": "lag_p99_ms", "max": "lag_max_ms"}
    series = {name: sorted(medians(mine, "rate", key).items()) for name, key in names.items()}
    return lines("Submission lag, by the server's clock", "jobs/s", "ms", series)


def main() -> None:
    """Draw what there is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="(%(default)s)")
    folder: Path = parser.parse_args().folder
    plots: dict[str, tuple[str, Callable[[list[Row]], str]]] = {
        "peers": ("peers", lambda rows: cpu(rows, "2-second jobs, polled every 2 s")),
        "saturated": ("saturated", lambda rows: cpu(rows, "Saturated, 3 requests a job")),
        "lag": ("rates", lag),
    }
    for name, (source, draw) in plots.items():
        path, rows = folder / f"{name}.svg", read(folder / f"{source}.jsonl")
        if not rows:
            print(f"{path.name}: skipped, there is no {source}.jsonl")
            continue
        path.write_text(draw(rows), "utf-8")
        print(f"{path.name}: {len(rows)} lines")


if __name__ == "__main__":
    main()
