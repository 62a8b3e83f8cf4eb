"""Track files of caliban jobs, as ``load_track_file`` of kiosk-redis-consumer 0.17.2 reads them."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from typing import BinaryIO

from kiosk_locust.consumer.verdict import WHOLE, FileVerdict

#: Ends of names, in lower case.
TRACKS = (".trk", ".trks")
_NEEDED = ("raw.npy", "tracked.npy")
#: A tar's magic stands so far from its begin; the consumer opens compressed ones as well.
_TAR, _TAR_AT = b"ustar", 257
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")


def is_track_file(file: BinaryIO) -> bool:
    """Whether a file's beginning is that of a tar, compressed or not."""
    file.seek(0)
    begin = file.read(_TAR_AT + len(_TAR))
    return begin.startswith(_COMPRESSED) or begin[_TAR_AT:] == _TAR


def track_verdict(file: BinaryIO, size: int) -> FileVerdict:
    """What speaks against a track file of ``size`` bytes; compressed ones are taken as they are."""
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
