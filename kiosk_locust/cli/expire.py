"""``python -m kiosk_locust expire``: sets EXPIRE_TIME on the hashes that a run left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import SystemClock
from kiosk_locust.errors import KioskError, KioskLocustError, LedgerError
from kiosk_locust.ledger.absent import why_absent
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.ledger.reader import RunFacts, facts, opened
from kiosk_locust.ledger.resume_state import jobs_left_in_the_kiosk
from kiosk_locust.ledger.validate import look_over
from kiosk_locust.verdict import stored_facts

USAGE = "usage: python -m kiosk_locust expire LEDGER\n"


def main(arguments: list[str]) -> int:
    """Set the expiry on each hash; returns the exit code, 2 if one failed."""
    if len(arguments) != 1:
        sys.stderr.write(USAGE)
        return 2
    try:
        expired, unknown = expire(Path(arguments[0]))
    except KioskLocustError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.write(f"{expired} hashes were told to expire, {unknown} were gone already\n")
    return 0


def expire(path: Path) -> tuple[int, int]:
    """Set the expiry on the hashes that the run of ``path`` left; they cannot be resumed then.

    Returns:
        Number of hashes that expire, and number of unknown hashes.

    Raises:
        LedgerError: The ledger cannot be used, or has nothing to expire.
        KioskError: The Kiosk cannot be reached.

    """
    try:
        lock = Lock(path)
    except OSError as error:
        reason = why_absent(path) or error.strerror
        raise LedgerError(f"the ledger {path} cannot be opened: {reason}") from error
    try:
        look_over(path, stored_facts.check)
        with opened(path) as db:
            return _expire_all(facts(db), jobs_left_in_the_kiosk(db))
    finally:
        lock.release()


def _expire_all(run: RunFacts, job_ids: Iterator[str]) -> tuple[int, int]:
    seconds = int(run.options["expire_s"])
    if run.embedded or not seconds:
        reason = "EXPIRE_TIME is 0" if run.options["host"] else "its simulated Kiosk is gone"
        raise LedgerError(f"there is nothing to expire for {run.run_name}: {reason}")
    transport = Transport(
        run.host,
        pool_size=1,
        request_timeout_s=float(run.options["request_timeout_s"]),
        clock=SystemClock(),
    )
    expired = unknown = 0
    try:
        for job_id in job_ids:
            is_set = Kiosk(transport).expire(job_id, seconds)
            expired += is_set
            unknown += not is_set
    except KioskError as error:
        raise LedgerError(f"{expired} hashes were told to expire, and then: {error}") from error
    finally:
        transport.close()
    return expired, unknown
