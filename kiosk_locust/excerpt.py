"""What others wrote, fit for a message."""

from __future__ import annotations

EXCERPT_CHARS = 200


def excerpt(text: str) -> str:
    """At most 200 characters of ``text`` on one line, and nothing that a terminal would obey."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return shown if len(shown) <= EXCERPT_CHARS else shown[: EXCERPT_CHARS - 1] + "…"


def escaped(text: str) -> str:
    """``text`` on one line, with what is no letter, sign or space as backslash escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable(text: str, encoding: str = "utf-8") -> str:
    """``text`` with control characters, and what ``encoding`` lacks, as backslash escapes."""
    return escaped(text).encode(encoding, "backslashreplace").decode(encoding)
