"""The distance of a worker's clock from its master's, by the four time stamps of a hello."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk_locust.distributed.messages import Welcome


@dataclass(frozen=True, slots=True)
class Skew:
    """The master's clock less the worker's, in seconds, right within ``bound_s``."""

    seconds: float
    bound_s: float


def measure(welcome: Welcome, arrived_at: float) -> Skew:
    """By the way of NTP: the way there and back may be uneven, and that is the bound."""
    there = welcome.received_at - welcome.asked_at
    back = welcome.answered_at - arrived_at
    return Skew((there + back) / 2, abs(there - back) / 2)
