"""What processes have used so far, as Linux counts it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_MIB_KIB = 1024


@dataclass(frozen=True)
class Usage:
    """Sums over some processes, since each began."""

    cpu_s: float = 0.0  # in user and system mode
    waited_s: float = 0.0  # ready to run, while other processes had the cores
    peak_mib: float = 0.0  # resident memory; processes at their own peaks

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu_s + other.cpu_s,
            self.waited_s + other.waited_s,
            self.peak_mib + other.peak_mib,
        )


def usage_of(roots: Iterable[int]) -> Usage:
    """Of these processes and all that descend from them; one that is gone counts as nothing."""
    total = Usage()
    for pid in family(roots):
        with suppress(OSError):
            total += _usage(Path("/proc", str(pid)))
    return total


def family(roots: Iterable[int]) -> set[int]:
    """The process ids of ``roots`` and all that descend from them."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                parent = parent_of((entry / "stat").read_text("utf-8", "replace"))
                children.setdefault(parent, []).append(int(entry.name))
    found, open_ones = set(roots), list(roots)
    while open_ones:
        for child in children.get(open_ones.pop(), []):
            if child not in found:
                found.add(child)
                open_ones.append(child)
    return found


def parent_of(stat: str) -> int:
    """The parent's id in ``/proc/PID/stat``; a name may hold spaces and brackets."""
    return int(stat.rpartition(")")[2].split()[1])


def cpu_in(stat: str) -> float:
    """Seconds of user and system time in ``/proc/PID/stat``, of all threads."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_in(status: str) -> float:
    """MiB of resident memory at its peak in ``/proc/PID/status``; a zombie has none."""
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) / _MIB_KIB


def _usage(process: Path) -> Usage:
    waited_ns = 0
    for thread in (process / "task").iterdir():
        with suppress(OSError, ValueError, IndexError):
            waited_ns += int((thread / "schedstat").read_text("ascii").split()[1])
    return Usage(
        cpu_in((process / "stat").read_text("utf-8", "replace")),
        waited_ns / 1e9,
        peak_in((process / "status").read_text("utf-8", "replace")),
    )


def own_peak_mib(pid: int) -> float:
    """MiB of resident memory at the peak of one process without its children; 0: it is gone."""
    try:
        return peak_in(Path("/proc", str(pid), "status").read_text("utf-8", "replace"))
    except OSError:
        return 0.0
