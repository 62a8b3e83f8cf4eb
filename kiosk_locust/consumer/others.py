"""Further image formats that Pillow opens under any name: GIF, BMP, WebP, JPEG 2000, PNM.

Only their first bytes and lengths are checked; Pillow may still reject one.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from kiosk_locust.consumer.verdict import WHOLE, FileVerdict

GIFS, BMP, RIFF, WEBP = (b"GIF87a", b"GIF89a"), b"BM", b"RIFF", b"WEBP"
JPEG2000S = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
#: Binary portable maps; the text variants (P1 to P3) start like many texts.
_PNM = re.compile(rb"P[4-6]\s+(#|[0-9])")


def is_webp(begin: bytes) -> bool:
    """Tell if a file's first 12 bytes are those of a WebP."""
    return begin.startswith(RIFF) and begin[8:12] == WEBP


def is_bmp(begin: bytes) -> bool:
    """Tell if a file's first 18 bytes are those of a bitmap with a known header size."""
    return begin.startswith(BMP) and begin[14:18] in {
        size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)
    }


def is_pnm(begin: bytes) -> bool:
    """Tell if a file's first bytes are those of a portable map."""
    return _PNM.match(begin) is not None


def webp_verdict(file: BinaryIO, size: int) -> FileVerdict:
    """Verdict on a WebP, by the length in its header."""
    file.seek(4)
    (length,) = struct.unpack("<I", file.read(4))
    return WHOLE if length + 8 <= size else FileVerdict("is a WEBP that was cut off")


def bmp_verdict(file: BinaryIO, size: int) -> FileVerdict:
    """Verdict on a bitmap; the last row's padding may be missing."""
    cut = FileVerdict("is a BMP that was cut off")
    try:
        file.seek(10)
        at, header = struct.unpack("<II", file.read(8))
        form = "<HHHH" if header == 12 else "<iiHHI"
        data = file.read(struct.calcsize(form))
        width, height, _, bits, *rest = struct.unpack(form, data)
    except struct.error:
        return cut
    if rest and rest[0] not in (0, 3):  # compressed: its length cannot be computed
        return WHOLE if at < size else cut
    rows, row_bytes = abs(height), (width * bits + 7) // 8
    stride = (row_bytes + 3) // 4 * 4
    return WHOLE if at + max(0, rows - 1) * stride + row_bytes <= size else cut
