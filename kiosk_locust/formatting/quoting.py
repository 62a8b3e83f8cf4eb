"""Switch for quoting servers' responses in messages.

It is on in a process whose messages reach only its own terminal. With a web UI, messages reach its
pages (Failures, Logs, the Kiosk's own), and a reader of these can make the process call any server
near it through the form's host field: messages then contain only a response's status and kind.
"""

from __future__ import annotations

from kiosk_locust.formatting.excerpt import excerpt

#: Key of this switch in the facts that a master sends to workers.
FACT = "quotes"
_is_on = [True]


def set_on(is_on: bool) -> None:  # noqa: FBT001  the only argument
    """Switch quoting on or off."""
    _is_on[0] = is_on


def is_on() -> bool:
    """Tell if responses are quoted in this process."""
    return _is_on[0]


def quoted(text: str) -> str:
    """At most 200 characters of a server's text, or ``(not shown here)``."""
    return excerpt(text) if _is_on[0] else "(not shown here)"
