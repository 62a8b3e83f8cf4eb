"""What it costs to upload a large file: time, and memory beyond that of a small one.

``python benchmarks/upload_memory.py [MEGABYTES] [URL]`` uploads a sparse file (1,024 MB unless
told otherwise) to a Kiosk, a simulated one of its own without a URL, and prints a line of JSON.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402  after the patch, as in a Locust process
import resource  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402

from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk  # noqa: E402
from kiosk_locust.client.body import FileForm  # noqa: E402
from kiosk_locust.client.kiosk import Kiosk  # noqa: E402
from kiosk_locust.client.transport import Transport  # noqa: E402
from kiosk_locust.clock import SystemClock  # noqa: E402

MB = 1 << 20


def peak_bytes() -> int:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def upload(kiosk: Kiosk, path: Path, size: int) -> tuple[str, float]:
    """Its name in the bucket, and seconds."""
    with path.open("wb") as file:
        file.truncate(size)
    began_at = time.monotonic()
    name, _ = kiosk.upload(FileForm(path, path.name, size))
    return name, time.monotonic() - began_at


def measure(url: str, megabytes: int) -> dict[str, object]:
    """Upload a small file and a large one, and look at the difference."""
    transport = Transport(url, pool_size=4, request_timeout_s=30, clock=SystemClock())
    kiosk = Kiosk(transport)
    stalls = [0.0]

    def watch() -> None:  # how long other greenlets had to wait
        while True:
            before = time.monotonic()
            gevent.sleep(0.01)
            stalls[0] = max(stalls[0], time.monotonic() - before - 0.01)

    with tempfile.TemporaryDirectory() as folder:
        upload(kiosk, Path(folder, "small.tif"), 4 * MB)
        before = peak_bytes()
        watcher = gevent.spawn(watch)
        name, seconds = upload(kiosk, Path(folder, "large.tif"), megabytes * MB)
        watcher.kill()
    return {
        "megabytes": megabytes,
        "seconds": round(seconds, 2),
        "megabytes_per_s": round(megabytes / seconds, 1),
        "extra_memory_mb": round((peak_bytes() - before) / MB, 1),
        "longest_stall_ms": round(stalls[0] * 1000, 1),
        "name": name,
    }


def main(words: list[str]) -> None:
    """Print the figures."""
    megabytes = int(words[0]) if words else 1024
    if len(words) > 1:
        print(json.dumps(measure(words[1], megabytes)))
    else:
        with EmbeddedKiosk() as url:
            print(json.dumps(measure(url, megabytes)))


if __name__ == "__main__":
    main(sys.argv[1:])
