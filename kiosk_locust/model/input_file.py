"""One file that a run is to upload."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from kiosk_locust.consumer.arrays import Array, ArrayReader
from kiosk_locust.consumer.forms import CALIBAN


class Kind(StrEnum):
    """What a file is, by its content."""

    PNG = "PNG"
    JPEG = "JPEG"
    TIFF = "TIFF"
    ZIP = "ZIP"
    TRACK = "TRACK"  # cells that were tracked before: .trk, .trks
    GIF = "GIF"
    BMP = "BMP"
    WEBP = "WEBP"
    JPEG2000 = "JPEG 2000"
    PNM = "PNM"


_SUFFIX = {
    Kind.PNG: ".png", Kind.JPEG: ".jpg", Kind.TIFF: ".tif", Kind.ZIP: ".zip", Kind.TRACK: ".trk",
    Kind.GIF: ".gif", Kind.BMP: ".bmp", Kind.WEBP: ".webp", Kind.JPEG2000: ".jp2", Kind.PNM: ".pnm",
}  # fmt: skip
#: What a file is by the end of its name alone, in lower case, where nobody looks into it.
BY_NAME = {
    **{suffix: kind for kind, suffix in _SUFFIX.items()},
    ".jpeg": Kind.JPEG, ".jpe": Kind.JPEG, ".jfif": Kind.JPEG, ".tiff": Kind.TIFF,
    ".trks": Kind.TRACK, ".j2k": Kind.JPEG2000, ".pgm": Kind.PNM, ".ppm": Kind.PNM,
}  # fmt: skip
#: What the Kiosk tells by the end of a name: its frontend ZIPs, its consumers (``get_image`` of
#: kiosk-redis-consumer's ``utils.py``) TIFFs; all else they open as whatever it is.
_TOLD_BY_NAME = {".zip": Kind.ZIP, ".tif": Kind.TIFF, ".tiff": Kind.TIFF}

#: A file as JSON has it: path, size, kind, images and array.
AsJson = tuple[str, int, str, int, str]


def name_for(name: str, kind: Kind, reader: ArrayReader | None = None) -> str:
    """A name under which the Kiosk takes a file for what it is: its own where that does.

    ``reader`` is the consumer's library that can read it; None: the kind's.
    """
    told = _TOLD_BY_NAME.get(PurePosixPath(name).suffix.lower())
    content = kind if kind in _TOLD_BY_NAME.values() else None
    if kind is Kind.TIFF and reader is ArrayReader.PILLOW:
        content = None
    return name if told is content else name + _SUFFIX[kind]


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that is an image or a ZIP of images; ``path`` is below the plan's root."""

    path: str
    size: int  # bytes
    kind: Kind
    images: int  # 1, or the jobs that the Kiosk makes of a ZIP; 0: nobody looked into it
    array: Array | None = None  # that consumers get from it (from a ZIP's images); None: not known

    @property
    def image_name(self) -> str:
        """The file's own name, which the Kiosk is told.

        The Kiosk tells ZIPs and TIFFs by the end of their names; so where the library that would
        read it by its name cannot, the right ending is added.
        """
        reader = self.array.reader if self.array and self.kind is not Kind.ZIP else None
        return name_for(PurePosixPath(self.path).name, self.kind, reader)

    def image_name_for(self, job_type: str) -> str:
        """The same for a job type: caliban takes endings in lower case alone."""
        name = self.image_name
        if job_type != CALIBAN:
            return name
        suffix = PurePosixPath(name).suffix
        if self.kind is Kind.TIFF and suffix.lower() not in (".tif", ".tiff"):
            return name + _SUFFIX[self.kind]
        return name.removesuffix(suffix) + suffix.lower()

    def as_json(self) -> AsJson:
        """The same as plain values."""
        return self.path, self.size, self.kind.value, self.images, str(self.array or "")

    @classmethod
    def from_json(cls, values: AsJson) -> InputFile:
        """What ``as_json`` made."""
        path, size, kind, images, array = values
        return cls(path, size, Kind(kind), images, Array.parse(array))
