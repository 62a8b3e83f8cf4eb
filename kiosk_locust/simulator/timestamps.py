"""Times and numbers in the format of the Kiosk's hashes."""

from __future__ import annotations

from datetime import UTC, datetime


def frontend_time(when: float) -> str:
    """The frontend's (JavaScript) format: ``2026-11-22T15:40:11.562Z``."""
    moment = datetime.fromtimestamp(when, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def consumer_time(when: float) -> str:
    """A consumer's (Python) format: ``2026-11-22T15:40:11.579218+00:00``."""
    return datetime.fromtimestamp(when, UTC).isoformat()


def seconds(amount: float) -> str:
    """A consumer's format of a duration, with microseconds."""
    return str(round(amount, 6))
