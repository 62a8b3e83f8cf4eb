"""Switch for quoting the answers of servers in messages.

It is on in a process whose messages reach its own terminal alone. With a web UI, messages reach its
pages (Failures, Logs, the Kiosk's own), and whoever reads these could have the process ask any
server near it, by a host in the form: messages then have the status and kind of an answer alone.
"""

from __future__ import annotations

from kiosk_locust.formatting.excerpt import excerpt

#: Key of the fact that workers are told.
FACT = "quotes"
_is_on = [True]


def set_on(is_on: bool) -> None:  # noqa: FBT001  the one thing that there is to say
    """Quote answers from now on, or not."""
    _is_on[0] = is_on


def is_on() -> bool:
    """Tell if answers are quoted in this process."""
    return _is_on[0]


def quoted(text: str) -> str:
    """At most 200 characters of what a server said, or that it is not shown."""
    return excerpt(text) if _is_on[0] else "(not shown here)"
