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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the package, for what follows

from sidebyside.clients import BareLocust, Client, K6Script, KioskClient, Ours, Work
from sidebyside.servers import simulated_kiosk
from sidebyside.tables import machine
from sidebyside.turns import Column, compare, compared, make_parser, peers_of, present
from sidebyside.window import Figures, measure_between

JOB_S = POLL_S = 2.0
LEAD_S = 7.0  # from the first job until as many end as begin
SLACK_S = 10.0  # nobody may come to the last job while it is measured
IN_FLIGHT_S = 5.0  # longest: a job, the rest of an interval, and a second
COLUMNS: tuple[Column, ...] = (
    ("jobs/s", lambda each: each.jobs_s, 1),
    ("requests a job", lambda each: each.requests_a_job, 2),
    ("connections", lambda each: each.connections, 0),
    ("peak MiB", lambda each: each.peak_mib, 0),
    ("client, % of a core", lambda each: 100 * each.client_share, 0),
    ("simulator, % of a core", lambda each: 100 * each.server_share, 0),
)


def work_of(client: Client, asked: argparse.Namespace) -> Work:
    """What ``client`` is to do."""
    rate: float = asked.kiosk_client_rate if isinstance(client, KioskClient) else asked.rate
    jobs = int(rate * (LEAD_S + asked.window + SLACK_S))
    return Work(jobs, int(rate * IN_FLIGHT_S), POLL_S, rate)


def main() -> None:
    """Print a line for each run, then the medians."""
    parser = make_parser(__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rate", type=float, default=100.0, help="jobs a second (%(default)s)")
    parser.add_argument(
        "--kiosk-client-rate", type=float, default=20.0, help="jobs a second (%(default)s)"
    )
    parser.add_argument("--window", type=float, default=15.0, help="seconds that are measured")
    asked = parser.parse_args()
    peers = peers_of(asked)
    print(machine())

    def measure(client: Client) -> Figures:
        with simulated_kiosk(JOB_S) as server:
            work = work_of(client, asked)
            return measure_between(client, work, server, LEAD_S, asked.window)

    clients = [Ours(), BareLocust(), K6Script(peers), KioskClient(peers)]
    found = compare("peers", present(clients, asked.clients), asked, measure)
    print("\n" + compared(found, COLUMNS))


if __name__ == "__main__":
    main()
