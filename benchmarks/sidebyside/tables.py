"""Medians, ratios and tables of what several runs showed, and lines of JSON for plots."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median of some values, and between which they lie."""
    middle = f"{statistics.median(values):,.{digits}f}"
    least, most = f"{min(values):,.{digits}f}", f"{max(values):,.{digits}f}"
    return middle if least == most else f"{middle} ({least} to {most})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of theirs over ours, run by run: what disturbed a round disturbed both."""
    return statistics.median(other / own for own, other in zip(ours, theirs, strict=False))


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> str:
    """What figures were measured on, and how busy it was with other things."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        model = next(names, model)
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores ({model}), load {load:.1f} at the start,"
        f" Python {platform.python_version()}, {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}"
    )


def append(path: Path | None, program: str, facts: Mapping[str, Any]) -> None:
    """Add one line of JSON to a file, if there is to be one."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    line = {"program": program, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **facts}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
