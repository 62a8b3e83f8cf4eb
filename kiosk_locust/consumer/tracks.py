"""Track files of caliban jobs, by the rules of ``load_track_file``, kiosk-redis-consumer 0.17.2."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from typing import BinaryIO

from kiosk_locust.consumer.verdict import WHOLE, FileVerdict

#: Extensions, in lower case.
TRACKS = (".trk", ".trks")
_NEEDED = ("raw.npy", "tracked.npy")
#: Offset of a tar's magic; the consumer opens compressed tars as well.
_TAR, _TAR_AT = b"ustar", 257
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")


def is_track_file(file: BinaryIO) -> bool:
    """Tell if a file starts like a tar, compressed or not."""
    file.seek(0)
    head = file.read(_TAR_AT + len(_TAR))
    return head.startswith(_COMPRESSED) or head[_TAR_AT:] == _TAR


def track_verdict(file: BinaryIO, size: int) -> FileVerdict:
    """Verdict on a track file of ``size`` bytes; compressed ones are not checked."""
    file.seek(0)
    if file.read(8).startswith(_COMPRESSED):
        return WHOLE
    file.seek(0)
    names = set()
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                if member.isreg() and member.offset_data + member.size > size:
                    return FileVerdict("is a track file that was cut off")
                names.add(member.name)
    except (tarfile.TarError, ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
        return FileVerdict(f"is a track file that was cut off or is damaged ({error})")
    missing = [name for name in _NEEDED if name not in names]
    if not missing:
        return WHOLE
    return FileVerdict(
        doubt=f"is a track file without {' and '.join(missing)}, which caliban reads"
    )
