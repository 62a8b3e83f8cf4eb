"""Whether the container's main process is a living Locust; exit code 0 if so, else 1 with a line.

A run that waits for the Kiosk does nothing for minutes and is well. So this asks the kernel what
state process 1 is in, and, where it serves Locust's page, whether that answers. Nothing of the
run is touched, and only the standard library is used, so that the check costs next to nothing.
"""

from __future__ import annotations

import http.client
import os
import sys
from pathlib import Path

#: Of /proc/PID/stat: stopped, traced, zombie, dead.
DEAD_STATES = {"T": "stopped", "t": "traced", "Z": "a zombie", "X": "dead"}
TIMEOUT_S = 3.0


def trouble_of_process(folder: Path) -> str:
    """What is wrong with the process of a folder in /proc; empty if nothing is."""
    try:
        words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        state = (folder / "stat").read_text("ascii").rpartition(")")[2].split()[0]
    except OSError as error:
        return f"{folder} cannot be read ({error.strerror})"
    if state in DEAD_STATES:
        return f"process {folder.name} is {DEAD_STATES[state]}"
    if not any(Path(word).name == "locust" for word in words):
        return f"process {folder.name} is no Locust: {' '.join(words).strip()!r}"
    return ""


def serves_page(folder: Path) -> bool:
    """Whether it was started with Locust's page: neither without a head nor as a worker."""
    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    return not {"--headless", "--worker"} & set(words)


def trouble_of_page(port: int) -> str:
    """What is wrong with Locust's page at a loopback port; empty if it answers at all."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("HEAD", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return f"Locust's page at port {port} does not answer ({error})"
    finally:
        connection.close()
    return ""


def main(folder: Path = Path("/proc/1"), port: int | None = None) -> int:
    """Look at the process, then at its page."""
    trouble = trouble_of_process(folder)
    if not trouble and serves_page(folder):
        trouble = trouble_of_page(port or int(os.environ.get("LOCUST_WEB_PORT") or 8089))
    if trouble:
        sys.stdout.write(f"{trouble}\n")
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
