"""A ZIP's children: the members that ``ZipFileConsumer`` makes jobs of.

``iter_image_archive`` in ``utils.py`` of kiosk-redis-consumer 0.17.2 extracts every member and
yields the files among them whose path has an ending and no ``__MACOSX`` in it.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator

#: What joins the keys of children, so that no key can have it: ``children``, ``children:done``.
SEPARATOR = ","
_NO_PLACES = ("", os.curdir, os.pardir)


def child_name(member: zipfile.ZipInfo) -> str:
    """The path of a member below the folder that it is extracted to, as zipfile makes it there.

    A backslash is a letter of a name: consumers run on Linux.
    """
    return "/".join(part for part in member.filename.split("/") if part not in _NO_PLACES)


def is_child(member: zipfile.ZipInfo) -> bool:
    """Whether the consumer makes a job of a member."""
    name = child_name(member)
    is_file = not member.filename.endswith("/")  # as zipfile extracts it on Linux
    return is_file and os.path.splitext(name)[1] != "" and "__MACOSX" not in name


def children(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The members that become jobs, in the ZIP's order; those of one name are several."""
    return (member for member in archive.infolist() if is_child(member))
