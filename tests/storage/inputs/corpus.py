"""Valid files by several writers, each as bytes; the readers of the tests read all of them."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from tests.storage.inputs.rare_jpegs import RARE_JPEGS

_RNG = np.random.default_rng(11)


def noise(*shape: int, kind: Any = np.uint8) -> Any:
    return _RNG.integers(0, 255, shape).astype(kind)


def smooth(*shape: int) -> Any:
    return (np.indices(shape).sum(axis=0) % 251).astype(np.uint8)


def by_tifffile(data: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, data, **options)
    return file.getvalue()


def by_pillow(data: Any, form: str, mode: str | None = None, **options: Any) -> bytes:
    file, image = io.BytesIO(), Image.fromarray(data)
    (image.convert(mode) if mode else image).save(file, form, **options)
    return file.getvalue()


def pages_by_pillow(compression: str | None) -> bytes:
    first, *others = (Image.fromarray(smooth(20, 30)) for _ in range(4))
    file = io.BytesIO()
    first.save(file, "TIFF", save_all=True, append_images=others, compression=compression)
    return file.getvalue()


def series(*shapes: tuple[int, ...], **options: Any) -> bytes:
    """Several series in one file."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, **options) as writer:
        for shape in shapes:
            writer.write(noise(*shape), metadata=None)
    return file.getvalue()


def by_hand(
    data: bytes,
    width: int,
    length: int,
    *,
    offsets: Sequence[int],
    counts: Sequence[int] | None,
    rows: int,
    description: str = "",
    more: int = 0,
) -> bytes:
    """A grey 8-bit TIFF whose directory says of its strips what it is told.

    ``offsets`` count from the first byte of ``data``, which ends the file; ``more`` is the address
    of a further directory.
    """
    text = description.encode() + b"\0" if description else b""
    number = 8 + bool(counts) + bool(text)
    body = 8 + 2 + 12 * number + 4
    at = {"text": body, "offsets": body + len(text)}
    at["counts"] = at["offsets"] + 4 * len(offsets)
    at["data"] = at["counts"] + 4 * len(counts or ())

    def longs(values: Sequence[int], where: int) -> int:
        return values[0] if len(values) == 1 else where

    fields = [(256, 4, 1, width), (257, 4, 1, length), (258, 3, 1, 8), (259, 3, 1, 1)]
    fields.append((262, 3, 1, 1))
    if text:
        fields.append((270, 2, len(text), at["text"]))
    real = [at["data"] + offset for offset in offsets]
    fields.append((273, 4, len(real), longs(real, at["offsets"])))
    fields += [(277, 3, 1, 1), (278, 4, 1, rows)]
    if counts:
        fields.append((279, 4, len(counts), longs(counts, at["counts"])))
    directory = b"".join(struct.pack("<HHII", *field) for field in fields)
    head = b"II*\0" + struct.pack("<IH", 8, len(fields)) + directory + struct.pack("<I", more)
    lists = struct.pack(f"<{len(real)}I", *real) + struct.pack(
        f"<{len(counts or ())}I", *(counts or ())
    )
    return head + text + lists + data


def stack_of_imagej(planes: int, *, words: str) -> bytes:
    """ImageJ's own way with large stacks: one directory, and the planes one after the other."""
    return by_hand(
        noise(planes, 20, 30).tobytes(), 30, 20, offsets=[0], counts=[600], rows=20,
        description=f"ImageJ=1.53t\nimages={planes}\n{words}={planes}\n",
    )  # fmt: skip


def jpeg_with_thumbnail() -> bytes:
    """A JPEG with a whole JPEG, end mark included, in an APP1 segment, and more behind its end."""
    small = by_pillow(noise(8, 8, 3), "JPEG")
    large = by_pillow(noise(60, 70, 3), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(small) + 8) + b"Thumb\0" + small
    return large[:2] + segment + large[2:]


def _lengths(rows: int, length: int, row_bytes: int, *, last_is_full: bool) -> list[int]:
    """Bytes of each strip."""
    number = -(-length // rows)
    last = rows if last_is_full else length - (number - 1) * rows
    return [rows * row_bytes] * (number - 1) + [last * row_bytes]


def strips(rows: int, length: int = 20, *, last_is_full: bool = False) -> bytes:
    return by_hand(
        noise(length, 30).tobytes(), 30, length, rows=rows,
        offsets=[at * 30 for at in range(0, length, rows)],
        counts=_lengths(rows, length, 30, last_is_full=last_is_full),
    )  # fmt: skip


PLAIN: dict[str, Any] = {"metadata": None, "photometric": "minisblack"}
#: TIFFs that both tifffile and, under another name, perhaps Pillow read.
TIFFS: dict[str, Callable[[], bytes]] = {
    "plain": lambda: by_tifffile(noise(20, 30), **PLAIN),
    "shaped": lambda: by_tifffile(noise(20, 30)),
    "16 bits": lambda: by_tifffile(noise(20, 30, kind=np.uint16), **PLAIN),
    "double, big endian": lambda: by_tifffile(
        noise(20, 30, kind=np.float64), byteorder=">", **PLAIN
    ),
    "bilevel": lambda: by_tifffile(noise(20, 30) > 127, metadata=None),
    "complex": lambda: by_tifffile(noise(20, 30, kind=np.complex64), **PLAIN),
    "rgb": lambda: by_tifffile(noise(20, 30, 3), photometric="rgb", metadata=None),
    "planar": lambda: by_tifffile(
        noise(3, 20, 30), photometric="rgb", planarconfig="separate", metadata=None
    ),
    "volume": lambda: by_tifffile(noise(4, 32, 32), volumetric=True, tile=(2, 16, 16), **PLAIN),
    "BigTIFF": lambda: by_tifffile(noise(20, 30), bigtiff=True, **PLAIN),
    "BigTIFF pages": lambda: by_tifffile(noise(9, 20, 30), bigtiff=True, **PLAIN),
    "strips of 6": lambda: by_tifffile(noise(20, 30), rowsperstrip=6, **PLAIN),
    "strips of 1": lambda: strips(1),
    "strips of 6 by hand": lambda: strips(6),
    "last strip counted as full": lambda: strips(6, last_is_full=True),
    "one strip counted as more": lambda: by_hand(
        noise(20, 30).tobytes(), 30, 20, offsets=[0], counts=[4096], rows=64
    ),
    "strips out of order": lambda: by_hand(
        noise(20, 30).tobytes(), 30, 20, offsets=[300, 0], counts=[300, 300], rows=10
    ),
    "no byte counts": lambda: by_hand(
        noise(20, 30).tobytes(), 30, 20, offsets=[0], counts=None, rows=20
    ),
    "bytes behind the pixels": lambda: by_hand(
        noise(20, 30).tobytes() + bytes(50), 30, 20, offsets=[0], counts=[600], rows=20
    ),
    "tiled": lambda: by_tifffile(noise(64, 64), tile=(16, 16), **PLAIN),
    "tiled, odd size": lambda: by_tifffile(noise(50, 70), tile=(32, 32), **PLAIN),
    "tiled and deflated": lambda: by_tifffile(
        noise(50, 70), tile=(32, 32), compression="zlib", **PLAIN
    ),
    "deflated": lambda: by_tifffile(noise(20, 30), compression="zlib", **PLAIN),
    "deflated strips": lambda: by_tifffile(
        noise(20, 30), compression="zlib", rowsperstrip=6, **PLAIN
    ),
    "packbits": lambda: by_pillow(smooth(20, 30), "TIFF", compression="packbits"),
    "pages": lambda: by_tifffile(noise(3, 20, 30), **PLAIN),
    "pages, shaped": lambda: by_tifffile(noise(7, 20, 30), photometric="minisblack"),
    "many pages": lambda: by_tifffile(noise(12, 20, 30), **PLAIN),
    "pages, deflated": lambda: by_tifffile(noise(9, 20, 30), compression="zlib", **PLAIN),
    "pages, deflated and shaped": lambda: by_tifffile(
        noise(5, 20, 30), compression="zlib", photometric="minisblack"
    ),
    "contiguous series, one directory": lambda: by_tifffile(
        noise(9, 20, 30), photometric="minisblack", metadata={"truncated": True}
    ),
    "ImageJ": lambda: by_tifffile(noise(3, 20, 30), imagej=True),
    "ImageJ hyperstack": lambda: by_tifffile(
        noise(2, 3, 2, 20, 30), imagej=True, metadata={"axes": "TZCYX"}
    ),
    "ImageJ's one directory": lambda: stack_of_imagej(25, words="slices"),
    "ImageJ's one directory of frames": lambda: stack_of_imagej(9, words="frames"),
    "OME": lambda: by_tifffile(noise(2, 20, 30), ome=True),
    "OME hyperstack": lambda: by_tifffile(
        noise(2, 2, 3, 20, 30), ome=True, photometric="minisblack", metadata={"axes": "TCZYX"}
    ),
    "two series": lambda: series((3, 20, 30), (2, 24, 32), ome=False),
    "Pillow": lambda: by_pillow(noise(20, 30), "TIFF"),
    "Pillow, rgb": lambda: by_pillow(noise(20, 30, 3), "TIFF"),
    "Pillow, deflated": lambda: by_pillow(noise(20, 30, 3), "TIFF", compression="tiff_deflate"),
    "Pillow, pages": lambda: pages_by_pillow(None),
    "Pillow, pages, packbits": lambda: pages_by_pillow("packbits"),
}
#: What only imagecodecs decodes for tifffile, and Pillow by itself.
LZW: dict[str, Callable[[], bytes]] = {
    "LZW": lambda: by_pillow(noise(20, 30, 3), "TIFF", compression="tiff_lzw"),
    "LZW, smooth": lambda: by_pillow(smooth(90, 90), "TIFF", compression="tiff_lzw"),
    "LZW, long": lambda: by_pillow(noise(100, 120), "TIFF", compression="tiff_lzw"),
    "LZW, pages": lambda: pages_by_pillow("tiff_lzw"),
}
#: What Pillow reads.
PICTURES: dict[str, Callable[[], bytes]] = {
    "png": lambda: by_pillow(noise(20, 30), "PNG"),
    "png, rgb": lambda: by_pillow(noise(20, 30, 3), "PNG"),
    "png, palette": lambda: by_pillow(noise(20, 30, 3), "PNG", "P"),
    "png, bilevel": lambda: by_pillow(noise(20, 30), "PNG", "1"),
    "png, several pieces": lambda: by_pillow(noise(200, 400), "PNG"),
    "jpeg": lambda: by_pillow(noise(40, 50, 3), "JPEG"),
    "jpeg, grey": lambda: by_pillow(noise(40, 50), "JPEG"),
    "jpeg, four inks": lambda: by_pillow(noise(40, 50, 3), "JPEG", "CMYK"),
    "jpeg, progressive": lambda: by_pillow(noise(40, 50, 3), "JPEG", progressive=True),
    "jpeg, restarts": lambda: by_pillow(noise(40, 50, 3), "JPEG", restart_marker_blocks=2),
    "jpeg, restart rows": lambda: by_pillow(noise(90, 50, 3), "JPEG", restart_marker_rows=1),
    "jpeg, thumbnail": jpeg_with_thumbnail,
    "jpeg, bytes behind its end": lambda: by_pillow(noise(40, 50, 3), "JPEG") + bytes(400),
    "jpeg, a second one behind its end": lambda: (
        by_pillow(noise(40, 50, 3), "JPEG") + by_pillow(noise(9, 9, 3), "JPEG")
    ),
    **{
        f"jpeg, {name}": lambda name=name: RARE_JPEGS[name]  # type: ignore[misc]
        for name in RARE_JPEGS
        if "bits" not in name
    },
    "bmp": lambda: by_pillow(noise(20, 31, 3), "BMP"),
    "webp": lambda: by_pillow(noise(20, 30, 3), "WEBP"),
}


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of these members, all by one method."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()
