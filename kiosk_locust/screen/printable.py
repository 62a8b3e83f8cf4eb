"""Text from elsewhere, made safe to print: job ids and reasons can hold anything."""

from __future__ import annotations


def printable(text: str, encoding: str = "utf-8") -> str:
    """``text`` with control characters, and what ``encoding`` lacks, as backslash escapes."""
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
    return shown.encode(encoding, "backslashreplace").decode(encoding)
