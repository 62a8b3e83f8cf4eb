"""The version of the figures' definitions (``docs/reference/definitions.md``)."""

from __future__ import annotations

#: Changes whenever a figure of the same name comes to mean something else.
VERSION = 1
#: The key of a ledger's fact that says by which version what it keeps was made.
KEY = "definitions_version"
#: Said beside a verdict that was made by other definitions than the figures around it.
OLDER = (
    "This verdict and its thresholds were made by an earlier version of kiosk_locust, whose"
    " durations from due ended at the poll that saw a job's end; all other figures here are"
    f" worked out anew, by version {VERSION} of the definitions."
)


def of_text(text: str | None) -> int | None:
    """The version that a ledger says; None of one from before there were versions."""
    return int(text) if text and text.isascii() and text.isdigit() else None
