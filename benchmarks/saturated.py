"""As fast as each can: 20,000 jobs of 3 requests by 200 users, against nginx with fixed bodies.

    python benchmarks/saturated.py --runs 3          # about a minute a run
    python benchmarks/saturated.py --clients kiosk_locust --jobs 100000

Every job is done at its first poll; nobody waits between requests (this plugin, which always waits
for a random part of the interval, polls every 10 ms). CPU and rate are taken over the jobs from the
11th to the 90th per cent, the requests are nginx's count. The older client takes 16 requests a job
and is far from this; it is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the package, for what follows

from sidebyside.clients import BareLocust, Client, K6Script, Ours, Work
from sidebyside.servers import NGINX, NO_NGINX, nginx
from sidebyside.tables import machine
from sidebyside.turns import Column, compare, compared, make_parser, peers_of, present
from sidebyside.window import Figures, measure_share

POLL_S = 0.01
LIMIT_S = 600.0  # of one run
COLUMNS: tuple[Column, ...] = (
    ("jobs/s", lambda each: each.jobs_s, 0),
    ("requests a job", lambda each: each.requests_a_job, 2),
    ("client, % of a core", lambda each: 100 * each.client_share, 0),
    ("and waiting for one", lambda each: 100 * each.client_waited, 0),
    ("nginx, % of a core", lambda each: 100 * each.server_share, 0),
)


def main() -> None:
    """Print a line for each run, then the medians."""
    parser = make_parser(__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=20_000, help="of each run (%(default)s)")
    parser.add_argument("--users", type=int, default=200, help="jobs at once (%(default)s)")
    asked = parser.parse_args()
    peers = peers_of(asked)
    if not NGINX:
        raise SystemExit(f"skipped: {NO_NGINX}")
    print(machine())
    work = Work(asked.jobs, asked.users, POLL_S)

    def measure(client: Client) -> Figures:
        with nginx() as server:
            return measure_share(client, work, server, LIMIT_S)

    clients = [Ours(), BareLocust(), K6Script(peers)]
    found = compare("saturated", present(clients, asked.clients), asked, measure)
    print("\n" + compared(found, COLUMNS))


if __name__ == "__main__":
    main()
