"""Locustfiles that come with the package, for ``locust -f`` where there is no clone of the project.

Nothing here is imported by the rest: a locustfile attaches the plugin to Locust when it is read.
"""

from __future__ import annotations

import sys
from pathlib import Path

COMMAND = "locustfile"
USAGE = f"""usage: python -m kiosk_locust {COMMAND}
  prints where the locustfile is that comes with the package:
  locust -f "$(python -m kiosk_locust {COMMAND})" --headless -u 100
"""
KIOSK = Path(__file__).parent / "kiosk.py"


def main(arguments: list[str]) -> int:
    """Print the path of the locustfile; returns the exit code."""
    if arguments:
        sys.stderr.write(USAGE)
        return 2
    sys.stdout.write(f"{KIOSK}\n")
    return 0
