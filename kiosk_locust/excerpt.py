"""What others wrote, fit for a message."""

from __future__ import annotations

import re

EXCERPT_CHARS = 200

#: What a gRPC error says of itself on a line of its own; its last line is a bracket.
_DETAILS = re.compile(r'^\s*details = "(.+)"\s*$', re.MULTILINE)


def gist(reason: str) -> str:
    """The line of a reason that says most: of a traceback the exception; empty where none does.

    That is the last one that is not indented and has letters or digits.
    """
    lines = [line for line in reason.splitlines() if any(map(str.isalnum, line))]
    said = next((line for line in reversed(lines) if not line[0].isspace()), "")
    said = said or (lines[-1] if lines else "")
    details = _DETAILS.search(reason)
    return (f"{said} {details[1]}" if details else said).strip()


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
