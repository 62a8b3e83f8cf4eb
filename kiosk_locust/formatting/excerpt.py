"""What others wrote, fit for a message."""

from __future__ import annotations

import re

EXCERPT_CHARS = 200
#: What stands for the middle of a text that is too long.
LEFT_OUT = "[… {:,} characters left out …]"
_KEPT = frozenset("\n\t\u00a0")  # a space that is not broken is shown as one
_BREAKS = str.maketrans("", "", "\n\t")

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


def without_middle(text: str, most: int) -> str:
    """``text``, or its begin and its end, which says what happened, in ``most`` characters."""
    if len(text) <= most:
        return text
    room = most - len(LEFT_OUT.format(len(text))) - 2
    if room < most // 2:  # a name, that nobody reads for its end
        return shortened(text, most)
    end = room - room // 4
    return f"{text[: room // 4]}\n{LEFT_OUT.format(len(text) - room)}\n{text[-end:]}"


def plain_lines(text: str) -> str:
    """``text`` with its lines and tabs, and all else that is no letter or sign as escapes."""
    if text.translate(_BREAKS).isprintable():  # most are
        return text
    return "".join(c if c.isprintable() or c in _KEPT else escaped(c) for c in text)


def escaped(text: str) -> str:
    """``text`` on one line, with what is no letter, sign or space as backslash escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable(text: str, encoding: str = "utf-8") -> str:
    """``text`` with control characters, and what ``encoding`` lacks, as backslash escapes."""
    return escaped(text).encode(encoding, "backslashreplace").decode(encoding)
