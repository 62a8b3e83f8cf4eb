"""Inspection of a ZIP's images as the Kiosk's consumers would read them, within limits.

The limits keep folders of many ZIPs fast: the first ``MOST_ARRAYS`` images are read
(``MOST_UNPACKED_BYTES`` each at most), further ones up to ``MOST_CHECKED`` and ``MOST_BYTES``
together; and of members without an image name, the first bytes of ``MOST_CHECKED``.
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
#: Of one member, and of all beyond the first MOST_ARRAYS together.
MOST_UNPACKED_BYTES, MOST_BYTES = 64 * 1024 * 1024, 64 * 1024 * 1024


class Members(NamedTuple):
    """Result of inspecting a ZIP's members."""

    array: Array | None = None  # the first image's; None: the axes differ, or are unknown
    doubts: tuple[str, ...] = ()  # as in “x.zip is a ZIP …”, without “x.zip”


def inspect_members(
    archive: zipfile.ZipFile,
    images: Sequence[zipfile.ZipInfo],
    other_members: Sequence[zipfile.ZipInfo],
) -> Members:
    """Read ``images`` (by name), and the first bytes of ``others``, within the limits.

    Raises what zipfile raises for members that cannot be extracted.
    """
    by_axes: dict[str, tuple[str, Array]] = {}
    failing: list[tuple[str, str]] = []
    doubtful: list[tuple[str, str]] = []
    for member in _affordable(images):
        name = child_name(member)
        # The reader seeks, and compressed data can only be read from their start.
        content = io.BytesIO(archive.read(member))
        array, verdict = reading.read(content, member.file_size, name)
        if verdict.fault:
            failing.append((name, verdict.fault))
            continue
        if verdict.doubt:
            doubtful.append((name, verdict.doubt))
        if array is not None:
            by_axes.setdefault(array.axes, (name, array))
    failing += _no_images(archive, other_members[:MOST_CHECKED])
    arrays = [array for _, array in by_axes.values()]
    doubts = [
        _differing(by_axes),
        _count_text(failing, "would fail"),
        _count_text(doubtful, "may fail"),
    ]
    return Members(arrays[0] if len(arrays) == 1 else None, tuple(filter(None, doubts)))


def _affordable(images: Iterable[zipfile.ZipInfo]) -> Iterable[zipfile.ZipInfo]:
    """Images that are read completely."""
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
    archive: zipfile.ZipFile, other_members: Iterable[zipfile.ZipInfo]
) -> Iterable[tuple[str, str]]:
    for member in other_members:
        with archive.open(member) as content:
            if not reading.is_image(content.read(reading.BEGIN_BYTES)):
                yield child_name(member), reading.NO_IMAGE.fault


def _differing(by_axes: dict[str, tuple[str, Array]]) -> str:
    """Doubt about images with different axes; empty if none is known."""
    if len(by_axes) < 2:
        return ""
    kinds = ", ".join(f"{axes} of {shown_name(name)}" for axes, (name, _) in by_axes.items())
    return (
        f"has images with different axes ({kinds}): one DIMENSION_ORDER is sent for all, so some"
        " of them fail where it counts; put those of a kind into a ZIP of their own"
    )


def _count_text(members: Sequence[tuple[str, str]], predicate: str) -> str:
    if not members:
        return ""
    name, reason = members[0]
    count_text = "1 of whose files" if len(members) == 1 else f"{len(members):,} of whose files"
    return f"is a ZIP {count_text} {predicate} (such as {shown_name(name)}, which {reason})"
