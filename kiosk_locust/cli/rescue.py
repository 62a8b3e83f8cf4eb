"""``python -m kiosk_locust rescue``: writes into a ledger what a full disk prevented."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.rescue import restore

USAGE = "usage: python -m kiosk_locust rescue RESCUE_FILE LEDGER\n"


def main(arguments: list[str]) -> int:
    """Write a rescue file into its ledger; returns the exit code."""
    if len(arguments) != 2:
        sys.stderr.write(USAGE)
        return 2
    rescue, ledger = map(Path, arguments)
    try:
        count = restore(rescue, ledger)
    except (OSError, ValueError, TypeError, sqlite3.Error, LedgerError) as error:
        sys.stderr.write(f"{rescue} was not written into {ledger}: {error}\n")
        return 2
    sys.stderr.write(f"{count} statements written into {ledger}; {rescue} can be deleted\n")
    return 0
