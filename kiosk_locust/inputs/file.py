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

        The Kiosk takes a job for a ZIP by the end of its name; so where name and content
        disagree on that, the right ending is added.
        """
        name = PurePosixPath(self.path).name
        says_zip = name.lower().endswith(".zip")
        return name if says_zip is (self.kind is Kind.ZIP) else name + _SUFFIX[self.kind]

    def as_json(self) -> AsJson:
        """The same as plain values."""
        return self.path, self.size, self.kind.value, self.images

    @classmethod
    def from_json(cls, values: AsJson) -> InputFile:
        """What ``as_json`` made."""
        path, size, kind, images = values
        return cls(path, size, Kind(kind), images)
