"""Whether messages quote what servers answered.

They do in a process that only its own terminal tells of. With a web UI, messages reach its pages
(Failures, Logs, the Kiosk's own), and whoever reads these could have the process ask any server
near it, by a host in the form: then statuses and kinds of answers are told, and no words of them.
"""

from __future__ import annotations

from kiosk_locust.excerpt import excerpt

#: Key of the fact that workers are told.
FACT = "quotes"
_is_on = [True]


def set_on(is_on: bool) -> None:  # noqa: FBT001  the one thing that there is to say
    """Have answers quoted from now on, or not."""
    _is_on[0] = is_on


def is_on() -> bool:
    """Whether answers are quoted in this process."""
    return _is_on[0]


def quoted(text: str) -> str:
    """At most 200 characters of what a server said, or that it is not shown."""
    return excerpt(text) if _is_on[0] else "(not shown here)"
