"""Text from elsewhere, made safe to print: job ids and reasons can hold anything."""

from __future__ import annotations

from kiosk_locust.excerpt import escaped


def printable(text: str, encoding: str = "utf-8") -> str:
    """``text`` with control characters, and what ``encoding`` lacks, as backslash escapes."""
    return escaped(text).encode(encoding, "backslashreplace").decode(encoding)
