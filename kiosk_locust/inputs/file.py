"""One file that a run is to upload."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath


class Kind(StrEnum):
    """What a file is, by its content."""

    PNG = "PNG"
    JPEG = "JPEG"
    TIFF = "TIFF"
    ZIP = "ZIP"


_SUFFIX = {Kind.PNG: ".png", Kind.JPEG: ".jpg", Kind.TIFF: ".tif", Kind.ZIP: ".zip"}
#: What the Kiosk tells by the end of a name: its frontend ZIPs, its consumers (``get_image`` of
#: kiosk-redis-consumer's ``utils.py``) TIFFs; all else they open as whatever it is.
_TOLD_BY_NAME = {".zip": Kind.ZIP, ".tif": Kind.TIFF, ".tiff": Kind.TIFF}

#: A file as JSON has it: path, size, kind and images.
AsJson = tuple[str, int, str, int]


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that is an image or a ZIP of images; ``path`` is below the plan's root."""

    path: str
    size: int  # bytes
    kind: Kind
    images: int  # 1, or the files in a ZIP

    @property
    def image_name(self) -> str:
        """The file's own name, which the Kiosk is told.

        The Kiosk tells ZIPs and TIFFs by the end of their names; so where name and content
        disagree on that, the right ending is added.
        """
        name = PurePosixPath(self.path).name
        told = _TOLD_BY_NAME.get(PurePosixPath(name).suffix.lower())
        content = self.kind if self.kind in _TOLD_BY_NAME.values() else None
        return name if told is content else name + _SUFFIX[self.kind]

    def as_json(self) -> AsJson:
        """The same as plain values."""
        return self.path, self.size, self.kind.value, self.images

    @classmethod
    def from_json(cls, values: AsJson) -> InputFile:
        """What ``as_json`` made."""
        path, size, kind, images = values
        return cls(path, size, Kind(kind), images)
