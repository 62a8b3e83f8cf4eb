"""JPEGs as Pillow, with libjpeg, reads them: segments by ITU-T T.81, annex B.

libjpeg needs the end marker (EOI) after the last scan. It is searched segment by segment, since
thumbnails have end markers of their own, and cameras append data after it.
"""

from __future__ import annotations

import math
import re
import struct
from typing import BinaryIO, NamedTuple

from kiosk_locust.consumer.verdict import WHOLE, FileVerdict

END = b"\xff\xd9"
_END, _SCAN, _RESTART_INTERVAL, _ALONE = 0xD9, 0xDA, 0xDD, 0x01
_RESTARTS = range(0xD0, 0xD8)
#: SOF0 to SOF15, except three codes with other meanings.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BASELINE = (0xC0, 0xC1)
#: Frames that libjpeg decodes: baseline, extended, progressive; and these with arithmetic coding.
#: Lossless coding is decoded since libjpeg-turbo 3.0, part of Pillow's wheels since 2023.
_ARITHMETIC, _LOSSLESS = (0xC9, 0xCA), 0xC3
_DECODED = {0xC0, 0xC1, 0xC2, *_ARITHMETIC, _LOSSLESS}
#: Lossless in stages, or with arithmetic coding.
_UNREAD_LOSSLESS = (0xC7, 0xCB, 0xCF)
#: Numbers of components that Pillow opens: grey, colour, four inks.
SAMPLES = (1, 3, 4)
_PIECE_BYTES = 1024 * 1024
#: Marker within a scan's data: neither a stuffed FF nor a fill byte.
_MARK = re.compile(rb"\xff[^\x00\xff]")


class Frame(NamedTuple):
    """First frame header of a JPEG."""

    code: int
    bits: int
    width: int
    height: int
    samples: int
    units: int  # in one scan of all components: MCUs; 0: unknown


class _Head(NamedTuple):
    """Content before the first scan's data."""

    frame: Frame | None
    restart_interval: int  # MCUs; 0: none
    has_scan: bool


def first_frame(file: BinaryIO) -> Frame | None:
    """Frame header; None if there is none before the first scan or the end.

    Raises:
        struct.error: The file ends before.

    """
    return _head(file).frame


def jpeg_verdict(file: BinaryIO, size: int) -> FileVerdict:
    """Verdict on a file of ``size`` bytes that starts like a JPEG."""
    try:
        head = _head(file)
    except struct.error:
        return FileVerdict("is a JPEG that was cut off")
    if head.frame is None:
        return FileVerdict("begins like a JPEG and is none")
    if fault := _unsupported(head.frame):
        return FileVerdict(fault)
    if not head.has_scan:
        return FileVerdict("is a JPEG that was cut off")
    after = file.tell()
    file.seek(max(after, size - len(END)))
    restarts = 0
    if file.read() != END:
        file.seek(after)
        has_end, restarts = _find_end(file)
        if not has_end:
            return _without_end(head, restarts)
    if head.frame.code in _ARITHMETIC:
        return FileVerdict(
            doubt="is a JPEG with arithmetic coding, which not every Pillow reads (save it as PNG)"
        )
    if head.frame.code == _LOSSLESS:
        return FileVerdict(
            doubt="is a lossless JPEG, which not every Pillow reads (save it as PNG)"
        )
    return WHOLE


def _unsupported(frame: Frame) -> str:
    """Reason why Pillow does not read an intact JPEG; empty if it does."""
    if frame.code in _UNREAD_LOSSLESS:
        return "is a lossless JPEG, which the Kiosk cannot read (save it as PNG or TIFF)"
    if frame.code not in _DECODED:
        return "is a hierarchical JPEG, which the Kiosk cannot read (save it as PNG or TIFF)"
    if frame.bits != 8:
        return f"is a JPEG of {frame.bits} bits, of which the Kiosk reads 8 (save it as TIFF)"
    if frame.samples not in SAMPLES:
        return f"is a JPEG of {frame.samples} components, which the Kiosk cannot read"
    return "" if frame.width and frame.height else "is a JPEG that does not say its size"


def _without_end(head: _Head, restarts: int) -> FileVerdict:
    """Verdict on a JPEG without an end marker.

    libjpeg decodes it if the last part of a scan has started with a restart marker.
    """
    frame, interval = head.frame, head.restart_interval
    if frame and interval and frame.units and frame.code in _BASELINE:
        parts = math.ceil(frame.units / interval)
        if restarts >= parts - 1:
            return FileVerdict(
                doubt="is a JPEG without an end mark, so its last lines may be cut off"
            )
    return FileVerdict("is a JPEG that was cut off")


def _head(file: BinaryIO) -> _Head:
    """Content before the first scan's data; ``file`` is positioned there afterwards.

    Raises:
        struct.error: The file is cut off.

    """
    file.seek(2)
    frame, interval = None, 0
    while True:
        code = _next_code(file)
        if code == _END:
            return _Head(frame, interval, has_scan=False)
        if code in _RESTARTS or code == _ALONE:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        at = file.tell()
        if code in _FRAMES and frame is None:
            frame = _frame(code, file.read(max(0, length - 2)))
        elif code == _RESTART_INTERVAL:
            (interval,) = struct.unpack(">H", file.read(2))
        file.seek(at + max(0, length - 2))
        if code == _SCAN:
            return _Head(frame, interval, has_scan=True)


def _next_code(file: BinaryIO) -> int:
    """Second byte of the next marker; like Pillow, it skips bytes between segments."""
    while True:
        (mark,) = struct.unpack("B", file.read(1))
        while mark == 0xFF:
            (code,) = struct.unpack("B", file.read(1))
            if code not in (0x00, 0xFF):
                return int(code)
            mark = code


def _frame(code: int, data: bytes) -> Frame:
    bits, height, width, samples = struct.unpack_from(">BHHB", data)
    factors = [data[at] for at in range(7, min(len(data), 6 + 3 * samples), 3)]
    across = max((factor >> 4 for factor in factors), default=0)
    down = max((factor & 15 for factor in factors), default=0)
    if samples == 1:
        across = down = 1
    units = 0
    if across and down:
        units = math.ceil(width / (8 * across)) * math.ceil(height / (8 * down))
    return Frame(code, bits, width, height, samples, units)


def _find_end(file: BinaryIO) -> tuple[bool, int]:
    """Search for an end marker from within a scan's data.

    Returns:
        True if there is one, and the number of restart markers before it.

    """
    restarts = 0
    while True:
        at = file.tell()
        piece = file.read(_PIECE_BYTES)
        for mark in _MARK.finditer(piece):
            code = piece[mark.end() - 1]
            if code == _END:
                return True, restarts
            if code in _RESTARTS:
                restarts += 1
            elif code != _ALONE:  # a segment between two scans
                file.seek(at + mark.end())
                length = file.read(2)
                if len(length) < 2:
                    return False, restarts
                file.seek(at + mark.end() + max(2, int.from_bytes(length, "big")))
                break
        else:
            if len(piece) < _PIECE_BYTES:
                return False, restarts
            if piece.endswith(b"\xff"):  # its second byte is in the next piece
                file.seek(-1, 1)
