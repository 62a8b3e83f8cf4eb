"""``python -m kiosk_locust expire LEDGER``: tidy up what an interrupted run left in the Kiosk."""

from __future__ import annotations

import sys

from kiosk_locust import expire

if __name__ == "__main__":
    command, *arguments = sys.argv[1:] or [""]
    if command != "expire":
        sys.stderr.write(expire.USAGE)
        sys.exit(2)
    sys.exit(expire.main(arguments))
