"""Reading of a file as a consumer does it, under the name that the consumer sees.

After ``get_image`` in ``utils.py`` of kiosk-redis-consumer 0.17.2: tifffile reads names that end
in ``.tif`` or ``.tiff``, Pillow all others. A ZIP's member keeps its name, so its reader depends on
that name and not on the content.
"""

from __future__ import annotations

from typing import BinaryIO

from kiosk_locust.consumer.arrays import (
    JPEG,
    PNG,
    TIFFS,
    Array,
    array_of,
    inspect_tiff,
    is_for_tifffile,
)
from kiosk_locust.consumer.jpeg import jpeg_verdict
from kiosk_locust.consumer.others import (
    GIFS,
    JPEG2000S,
    bmp_verdict,
    is_bmp,
    is_pnm,
    is_webp,
    webp_verdict,
)
from kiosk_locust.consumer.png import png_verdict
from kiosk_locust.consumer.tracks import TRACKS, is_track_file, track_verdict
from kiosk_locust.consumer.verdict import WHOLE, FileVerdict

#: Bytes that identify an image format.
BEGIN_BYTES = 18
NO_IMAGE = FileVerdict("is no image")
NO_TIFF = FileVerdict("is no TIFF, as which the Kiosk reads it by its name")


def is_image(begin: bytes) -> bool:
    """Tell if a file with these first BEGIN_BYTES bytes is a known image."""
    magics = (PNG, JPEG, *TIFFS, *GIFS, *JPEG2000S)
    return begin.startswith(magics) or is_webp(begin) or is_bmp(begin) or is_pnm(begin)


def read(file: BinaryIO, size: int, name: str) -> tuple[Array | None, FileVerdict]:
    """Array of a file of ``size`` bytes, and the verdict on it for its reader.

    The array is None if unknown; ``file`` must be seekable.
    """
    file.seek(0)
    begin = file.read(BEGIN_BYTES)
    if name.lower().endswith(TRACKS):
        is_track = is_track_file(file)
        return None, track_verdict(file, size) if is_track else FileVerdict("is no track file")
    if begin.startswith(TIFFS):
        return inspect_tiff(file, size, name)
    if is_for_tifffile(name):
        return None, NO_TIFF if is_image(begin) else NO_IMAGE
    if begin.startswith(JPEG):
        verdict = jpeg_verdict(file, size)
    elif begin.startswith(PNG):
        verdict = png_verdict(file, size)
    elif is_bmp(begin):
        verdict = bmp_verdict(file, size)
    elif is_webp(begin):
        verdict = webp_verdict(file, size)
    else:
        verdict = WHOLE if is_image(begin) else NO_IMAGE
    return array_of(file, size, name), verdict
