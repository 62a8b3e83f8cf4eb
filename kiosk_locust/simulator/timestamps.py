"""Times and numbers as the Kiosk writes them into a hash."""

from __future__ import annotations

from datetime import UTC, datetime


def frontend_time(when: float) -> str:
    """As the frontend (JavaScript) writes it: ``2026-11-22T15:40:11.562Z``."""
    moment = datetime.fromtimestamp(when, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def consumer_time(when: float) -> str:
    """As a consumer (Python) writes it: ``2026-11-22T15:40:11.579218+00:00``."""
    return datetime.fromtimestamp(when, UTC).isoformat()


def seconds(amount: float) -> str:
    """A duration as a consumer writes it, with microseconds."""
    return str(round(amount, 6))
