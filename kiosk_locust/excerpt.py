"""What others wrote, fit for a message."""

from __future__ import annotations

EXCERPT_CHARS = 200


def excerpt(text: str) -> str:
    """At most 200 characters of ``text`` on one line, and nothing that a terminal would obey."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return shortened(shown, EXCERPT_CHARS)


def shortened(text: str, most: int) -> str:
    """``text``, or as much of it as fits in ``most`` characters, the last of which says so."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def escaped(text: str) -> str:
    """``text`` on one line, with what is no letter, sign or space as backslash escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable(text: str, encoding: str = "utf-8") -> str:
    """``text`` with control characters, and what ``encoding`` lacks, as backslash escapes."""
    return escaped(text).encode(encoding, "backslashreplace").decode(encoding)
