"""A ZIP's images, as the Kiosk's consumers would read them: bounded looks at its members.

So much is unpacked of each ZIP, that folders of many are still looked through in a while: the first
``MOST_ARRAYS`` images whatever their sizes (``MOST_UNPACKED_BYTES`` each), further ones up to
``MOST_CHECKED`` and ``MOST_BYTES`` together; and of members that are not called like images, the
first bytes of ``MOST_CHECKED``.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kiosk_locust.consumer import reading
from kiosk_locust.consumer.archive import child_name
from kiosk_locust.consumer.arrays import Array
from kiosk_locust.storage.inputs.packing import shown_name

MOST_ARRAYS, MOST_CHECKED = 8, 100
#: Of one member, and of those beyond the first MOST_ARRAYS together.
MOST_UNPACKED_BYTES, MOST_BYTES = 64 * 1024 * 1024, 64 * 1024 * 1024


class Members(NamedTuple):
    """What a look at a ZIP's members came to."""

    array: Array | None = None  # the first image's; None: the axes differ, or nobody knows
    doubts: tuple[str, ...] = ()  # as in “x.zip is a ZIP …”, without its beginning


def look_at_members(
    archive: zipfile.ZipFile,
    images: Sequence[zipfile.ZipInfo],
    others: Sequence[zipfile.ZipInfo],
) -> Members:
    """Read ``images``, which are called so, and the beginnings of ``others``, up to the bounds.

    Raises what zipfile raises for members that cannot be unpacked.
    """
    by_axes: dict[str, tuple[str, Array]] = {}
    failing: list[tuple[str, str]] = []
    doubtful: list[tuple[str, str]] = []
    for member in _affordable(images):
        name = child_name(member)
        # A skeleton is read here and there, and packed data from their beginning only.
        content = io.BytesIO(archive.read(member))
        array, verdict = reading.read(content, member.file_size, name)
        if verdict.fault:
            failing.append((name, verdict.fault))
            continue
        if verdict.doubt:
            doubtful.append((name, verdict.doubt))
        if array is not None:
            by_axes.setdefault(array.axes, (name, array))
    failing += _no_images(archive, others[:MOST_CHECKED])
    arrays = [array for _, array in by_axes.values()]
    doubts = [_differing(by_axes), _some(failing, "would fail"), _some(doubtful, "may fail")]
    return Members(arrays[0] if len(arrays) == 1 else None, tuple(filter(None, doubts)))


def _affordable(images: Iterable[zipfile.ZipInfo]) -> Iterable[zipfile.ZipInfo]:
    """Those that are read whole."""
    budget = MOST_BYTES
    for number, member in enumerate(images):
        if number >= MOST_CHECKED:
            return
        if member.file_size > MOST_UNPACKED_BYTES:
            continue
        if number >= MOST_ARRAYS:
            budget -= member.file_size
            if budget < 0:
                return
        yield member


def _no_images(
    archive: zipfile.ZipFile, others: Iterable[zipfile.ZipInfo]
) -> Iterable[tuple[str, str]]:
    for member in others:
        with archive.open(member) as content:
            if not reading.is_image(content.read(reading.BEGIN_BYTES)):
                yield child_name(member), reading.NO_IMAGE.fault


def _differing(by_axes: dict[str, tuple[str, Array]]) -> str:
    """That its images have different axes; empty: as far as is known they have not."""
    if len(by_axes) < 2:
        return ""
    kinds = ", ".join(f"{axes} of {shown_name(name)}" for axes, (name, _) in by_axes.items())
    return (
        f"has images with different axes ({kinds}): one DIMENSION_ORDER is sent for all, so some"
        " of them fail where it counts; put those of a kind into a ZIP of their own"
    )


def _some(members: Sequence[tuple[str, str]], what: str) -> str:
    if not members:
        return ""
    name, why = members[0]
    which = "1 of whose files" if len(members) == 1 else f"{len(members):,} of whose files"
    return f"is a ZIP {which} {what} (such as {shown_name(name)}, which {why})"
