"""ZIP compression that the Kiosk supports: its consumer extracts members with Python's zipfile."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable

from kiosk_locust.formatting.excerpt import escaped, shortened

#: Methods of zipfile in a consumer's Python (before 3.14).
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_NAMES = {
    1: "Shrink", 6: "Implode", 9: "Deflate64", 93: "Zstandard", 95: "XZ", 97: "WavPack",
    98: "PPMd", 99: "AES encryption",
}  # fmt: skip
_ENCRYPTED, _PATCHED, _STRONG = 0x1, 0x20, 0x40
_AES = 99
#: Characters of a member's name in a message.
_NAME_CHARS = 60


def unpack_fault(members: Iterable[zipfile.ZipInfo]) -> str:
    """Reason why the consumer cannot extract some members, with advice; empty if it can.

    One such member fails the whole job, whether it is an image or not.
    """
    locked: list[zipfile.ZipInfo] = []
    by_method: dict[str, list[zipfile.ZipInfo]] = {}
    number = 0
    for member in members:
        if member.is_dir():
            continue
        number += 1
        if member.flag_bits & (_ENCRYPTED | _STRONG) or member.compress_type == _AES:
            locked.append(member)
        elif member.compress_type not in _METHODS or member.flag_bits & _PATCHED:
            method = member.compress_type
            name = "patches" if member.flag_bits & _PATCHED else _NAMES.get(method, "")
            by_method.setdefault(f"{name} (method {method})".strip(), []).append(member)
    reasons = []
    if locked:
        reasons.append(f"{_count_text(locked, number)} a password: pack it again without one")
    for packing, packed in by_method.items():
        reasons.append(
            f"{_count_text(packed, number, 'is', 'are')} packed by {packing}: pack it again with"
            " Deflate, or without compression"
        )
    return f"is a ZIP that the Kiosk cannot unpack ({'; '.join(reasons)})" if reasons else ""


def shown_name(name: str) -> str:
    """A member's name for a message: quoted, on one line, shortened."""
    return repr(shortened(escaped(name), _NAME_CHARS))


def _count_text(
    members: list[zipfile.ZipInfo], number: int, singular: str = "has", plural: str = "have"
) -> str:
    verb = singular if len(members) == 1 else plural
    example = shown_name(members[0].filename)
    return f"{len(members):,} of {number:,} files in it, such as {example}, {verb}"
