"""Excerpts of foreign text for messages."""

from __future__ import annotations

import re

EXCERPT_CHARS = 200
#: Replacement for the middle of a text that is too long.
LEFT_OUT = "[… {:,} characters left out …]"
_UNESCAPED = frozenset("\n\t\u00a0")  # a no-break space is shown as it is
_BREAKS = str.maketrans("", "", "\n\t")

#: Message of a gRPC error, on its own line; the text's last line is a bracket.
_DETAILS = re.compile(r'^\s*details = "(.+)"\s*$', re.MULTILINE)


def gist(reason: str) -> str:
    """Most informative line of a reason: of a traceback, the exception.

    That is the last line that is not indented and has letters or digits; empty if no line has any.
    """
    lines = [line for line in reason.splitlines() if any(map(str.isalnum, line))]
    message = next((line for line in reversed(lines) if not line[0].isspace()), "")
    message = message or (lines[-1] if lines else "")
    details = _DETAILS.search(reason)
    return (f"{message} {details[1]}" if details else message).strip()


def excerpt(text: str) -> str:
    """At most 200 characters of ``text`` on one line, without control characters."""
    one_line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return shortened(one_line, EXCERPT_CHARS)


def shortened(text: str, most: int) -> str:
    """``text``, cut to ``most`` characters; an ellipsis marks the cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def without_middle(text: str, most: int) -> str:
    """``text``, or its start and its end, which tells what happened, in ``most`` characters."""
    if len(text) <= most:
        return text
    room = most - len(LEFT_OUT.format(len(text))) - 2
    if room < most // 2:  # too short for both ends
        return shortened(text, most)
    end = room - room // 4
    return f"{text[: room // 4]}\n{LEFT_OUT.format(len(text) - room)}\n{text[-end:]}"


def plain_lines(text: str) -> str:
    """``text`` with its newlines and tabs, and other unprintable characters as escapes."""
    if text.translate(_BREAKS).isprintable():  # the common case
        return text
    return "".join(c if c.isprintable() or c in _UNESCAPED else escaped(c) for c in text)


def escaped(text: str) -> str:
    """``text`` on one line, with unprintable characters as backslash escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable(text: str, encoding: str = "utf-8") -> str:
    """``text`` with control characters, and characters that ``encoding`` lacks, as escapes."""
    return escaped(text).encode(encoding, "backslashreplace").decode(encoding)
