"""Children of a ZIP: the members from which ``ZipFileConsumer`` makes jobs.

``iter_image_archive`` in ``utils.py`` of kiosk-redis-consumer 0.17.2 extracts every member and
yields the files whose path has an extension and no ``__MACOSX`` in it.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator

#: Separator of children's keys, which no key may contain: ``children``, ``children:done``.
SEPARATOR = ","
_NO_PLACES = ("", os.curdir, os.pardir)


def child_name(member: zipfile.ZipInfo) -> str:
    """Path of a member below the extraction folder, as zipfile makes it.

    A backslash is an ordinary character: consumers run on Linux.
    """
    return "/".join(part for part in member.filename.split("/") if part not in _NO_PLACES)


def is_child(member: zipfile.ZipInfo) -> bool:
    """Tell if the consumer makes a job of a member."""
    name = child_name(member)
    is_file = not member.filename.endswith("/")  # as zipfile extracts it on Linux
    return is_file and os.path.splitext(name)[1] != "" and "__MACOSX" not in name


def children(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """Members that become jobs, in the ZIP's order; members of one name are counted separately."""
    return (member for member in archive.infolist() if is_child(member))
