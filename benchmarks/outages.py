"""What a run loses when what it stands on goes away for as long as it does to people.

Real processes on loopback (and, for the network, in a name space of their own), struck in mid-run.
The oracle of benchmarks/faults.py compares the server's log with the ledger. From the root of the
repository, as root for the network and the full disk:

    python -m benchmarks.outages                         # all of them: about ten minutes
    python -m benchmarks.outages "network cut, 90 s"     # these alone
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.outages import ends, plays
from tests.outages.network import NotPermitted
from tests.outages.plays import Seen

OUTAGES: dict[str, Callable[[Path], Seen]] = {
    "frontend away, 60 s": partial(plays.frontend_away, seconds=60.0),
    "its name not found, 60 s": partial(plays.dns_down, seconds=60.0),
    "Redis emptied": partial(plays.redis_emptied, seconds=10.0),
    "clock put back by an hour": partial(plays.clock_back, seconds=20.0),
    "Grafana and bucket away at the end": ends.backends_away,
    "disk full": ends.disk_full,
    "network cut from both workers, 10 s": partial(
        plays.network_cut, seconds=10.0, workers=2, cut=2
    ),
    "network cut from one of two workers, 90 s": partial(
        plays.network_cut, seconds=90.0, workers=2, cut=1
    ),
    "network cut from both workers, 90 s": partial(
        plays.network_cut, seconds=90.0, workers=2, cut=2
    ),
}
HEADS = (
    *("outage", "tickets", "lost", "silent duplicates", "ambiguous", "of these made twice"),
    *("outcomes", "exit codes", "whole run"),
)


def row(name: str, seen: Seen, took_s: float) -> tuple[str, ...]:
    """A line of the table."""
    found = seen.judgement
    numbers = (found.tickets, found.lost, found.silent_duplicates, found.ambiguous, found.twins)
    outcomes = ", ".join(f"{number:,} {outcome}" for outcome, number in seen.outcomes.items())
    codes = ", then ".join(map(str, seen.codes))
    return (name, *(f"{number:,}" for number in numbers), outcomes, codes, f"{took_s:.0f} s")


def main() -> int:
    """Play them one after the other, and print the table; 1 if anything was amiss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("outage", nargs="*", help=f"of {', '.join(OUTAGES)}; all by default")
    asked = parser.parse_args()
    rows, amiss = [HEADS, ("---",) * len(HEADS)], False
    for name, play in OUTAGES.items():
        if asked.outage and name not in asked.outage:
            continue
        folder = Path(tempfile.mkdtemp(prefix="kiosk_locust_outage_"))
        begun = time.monotonic()
        try:
            seen = play(folder)
        except NotPermitted as error:
            print(f"{name}: not played: {error}", flush=True)
            continue
        rows.append(row(name, seen, time.monotonic() - begun))
        if seen.judgement.complaints:
            amiss = True
            print(f"{name} IS AMISS: {seen.judgement.complaints[:3]}; kept: {folder}")
        else:
            shutil.rmtree(folder)
        print("| " + " | ".join(rows[-1]) + " |", flush=True)
    print("\n" + "\n".join("| " + " | ".join(each) + " |" for each in rows))
    return amiss


if __name__ == "__main__":
    sys.exit(main())
