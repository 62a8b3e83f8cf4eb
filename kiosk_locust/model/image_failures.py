"""Images that failed, with the reasons: those of a ZIP as its hash has them, and groups of them.

A ZIP's hash has ``failures``: `key=traceback` pairs, url-encoded and joined by ``&``, where a key
is ``<queue>:<name>:<32 hex digits>`` (kiosk-redis-consumer 0.17.2, ZipFileConsumer). All of that is
foreign text: any of it may be cut off, missing or large.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote_plus, unquote_plus

from kiosk_locust.formatting import units
from kiosk_locust.formatting.excerpt import excerpt, gist
from kiosk_locust.model.job_hash import LEFT_OUT, UNREAD, Snapshot
from kiosk_locust.model.zip_children import children_of

#: So many failed images of one ZIP are kept with their names; the others are counted.
MOST_KEPT = 100
#: So many groups are told; the others come together in one.
MOST_GROUPS = 10
#: So many names of each group.
MOST_NAMES = 5
#: So many different reasons are told apart while images are grouped.
_MOST_REASONS = 1_000

NO_REASON = "the Kiosk gave no reason"
NOT_ENDED = "the Kiosk never ended it"
NOT_READ = "the reasons of this ZIP are too large for an answer of the Kiosk"
OTHERS = "other reasons"
NOT_KEPT = f"reasons not kept, beyond the first {MOST_KEPT} images of a ZIP"

#: A ``failures`` of more characters is made lighter before a worker sends it to its master.
_HEAVY = 64 * 1024

_ID = re.compile(r":[0-9a-fA-F-]{32,36}\Z")


class FailedImage(NamedTuple):
    """One image by its file name, and the last line of why it failed."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """Images that failed for one reason, in so many jobs; ``names`` are some of theirs.

    ``at_least``: there may be more, among those whose reasons were not kept.
    """

    reason: str
    images: int
    jobs: int
    names: tuple[str, ...]
    at_least: bool = False

    @property
    def text(self) -> str:
        """``3 images failed: ValueError: ... (a.png, b.png, ...)``."""
        names = [*self.names, *(["..."] if self.images > len(self.names) else [])]
        named = f" ({', '.join(names)})" if self.names else ""
        least = "at least " if self.at_least else ""
        return f"{least}{units.count(self.images, 'image')} failed: {self.reason}{named}"


def last_line(reason: str) -> str:
    """The gist of a reason, on one line of bounded length; see `excerpt.gist`."""
    return excerpt(gist(reason)) or NO_REASON


def failed_images(text: str) -> Iterator[FailedImage]:
    """The images in the text of a ``failures`` field, in its order."""
    for key, reason in _pairs(text):
        yield FailedImage(_name_of(key), last_line(reason))


def count(fields: Mapping[str, str]) -> int:
    """Number of images in the ``failures`` of a ZIP's hash, those left out included."""
    left_out = fields.get(LEFT_OUT, "")
    entries = sum(1 for part in fields.get("failures", "").split("&") if part)
    return entries + (int(left_out) if left_out.isdecimal() else 0)


def lighter(fields: Mapping[str, str]) -> dict[str, str]:
    """A ZIP's fields with MOST_KEPT last lines in place of a heavy ``failures``.

    The number of those left out stands under LEFT_OUT, so that `count` stays what it was, and
    `bounded` is the same of both.
    """
    light, text = dict(fields), fields.get("failures", "")
    if len(text) > _HEAVY:
        pairs = itertools.islice(_pairs(text), MOST_KEPT)
        light["failures"] = _encoded((key, last_line(reason)) for key, reason in pairs)
        light[LEFT_OUT] = str(count(fields) - count({"failures": light["failures"]}))
    return light


def bounded(snapshot: Snapshot, job_id: str) -> str:
    """The ``failures`` of a ZIP that ended, as its ledger keeps them: MOST_KEPT last lines.

    In the same form. Images that failed or never ended by the lists of children alone are added.
    """
    said = itertools.islice(_pairs(snapshot.fields.get("failures", "")), MOST_KEPT)
    pairs = {key: last_line(reason) for key, reason in said}
    if len(pairs) < MOST_KEPT and "children" in snapshot.fields:
        children = children_of(snapshot, job_id)
        listed = sorted(children.failed - pairs.keys())
        lost = sorted(children.keys - children.done - children.failed)
        why = NOT_READ if UNREAD in snapshot.fields else NO_REASON
        pairs |= dict.fromkeys(listed, why) | dict.fromkeys(lost, NOT_ENDED)
    return _encoded(itertools.islice(pairs.items(), MOST_KEPT))


def encoded(images: Iterable[FailedImage]) -> str:
    """Images that were read before, in the form of the field."""
    return _encoded((f":{image.name}:{'0' * 32}", image.reason) for image in images)


def grouped(jobs: Iterable[tuple[Iterable[FailedImage], int, str]]) -> list[Group]:
    """The images of jobs by their reasons, those of most images first, at most MOST_GROUPS + 1.

    Of each job: the images that are known by name, how many failed, and the reason of the others;
    where that is NOT_KEPT, it may be any of the others' reasons.
    """
    found: dict[str, _Counted] = {}
    for number, (images, failed, reason) in enumerate(jobs):
        count = 0
        for image in itertools.islice(images, failed):
            _counted(found, image.reason).add(number, 1, image.name)
            count += 1
        if failed > count:
            _counted(found, reason).add(number, failed - count, "")
    others = found.pop(OTHERS, None)
    is_cut = NOT_KEPT in found
    ordered = sorted(found.items(), key=lambda item: (-item[1].images, item[0]))
    groups = [counted.group(reason, is_cut) for reason, counted in ordered[:MOST_GROUPS]]
    rest = [counted for _, counted in ordered[MOST_GROUPS:]] + ([others] if others else [])
    if rest:
        groups.append(_together(rest).group(OTHERS, is_cut))
    return groups


def main_reason(snapshot: Snapshot, failed: int) -> str:
    """The most frequent reason of a ZIP's failed images; empty: none is told.

    Without their names, since Locust counts failures by their text. Of more images than MOST_KEPT
    the first are looked at, and it says "at least".
    """
    if UNREAD in snapshot.fields:
        return NOT_READ
    images = list(itertools.islice(failed_images(snapshot.fields.get("failures", "")), MOST_KEPT))
    others = NOT_KEPT if len(images) == MOST_KEPT else NO_REASON
    groups = [group for group in grouped([(images, failed, others)]) if group.names]
    if not groups or groups[0].reason == NO_REASON:
        return ""
    first = groups[0]
    least = "at least " if first.at_least else ""
    of_them = "" if first.images == failed else f"{least}{first.images:,} of them: "
    return f"{of_them}{first.reason}"


def of_fields(fields: Mapping[str, str]) -> list[FailedImage]:
    """At most MOST_KEPT failed images of a ZIP, by the fields that a ledger kept."""
    return list(itertools.islice(failed_images(fields.get("failures", "")), MOST_KEPT))


class _Counted:
    """What is known of one reason."""

    __slots__ = ("images", "jobs", "last", "names")

    def __init__(self) -> None:
        self.images = self.jobs = 0
        self.last = -1
        self.names: list[str] = []

    def add(self, job: int, images: int, name: str) -> None:
        self.images += images
        self.jobs += job != self.last
        self.last = job
        if name and len(self.names) < MOST_NAMES and name not in self.names:
            self.names.append(name)

    def group(self, reason: str, is_cut: bool) -> Group:  # noqa: FBT001
        at_least = is_cut and reason != NOT_KEPT
        return Group(reason, self.images, self.jobs, tuple(self.names), at_least)


def _counted(found: dict[str, _Counted], reason: str) -> _Counted:
    if reason not in found and len(found) >= _MOST_REASONS and reason != NOT_KEPT:
        reason = OTHERS
    return found.setdefault(reason, _Counted())


def _together(rest: Iterable[_Counted]) -> _Counted:
    """Several reasons as one; a job with two of them counts twice."""
    whole = _Counted()
    for counted in rest:
        whole.images += counted.images
        whole.jobs += counted.jobs
        whole.names = [*whole.names, *counted.names][:MOST_NAMES]
    return whole


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split("&"):
        key, _, reason = part.partition("=")
        if key or reason:
            told = unquote_plus(reason)
            yield unquote_plus(key), "" if told == "None" else told  # as Python encodes nothing


def _encoded(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{_quoted(key)}={_quoted(reason)}" for key, reason in pairs)


def _quoted(text: str) -> str:
    return quote_plus(text, errors="replace")  # half a pair of surrogates has no UTF-8


def _name_of(key: str) -> str:
    """The file name in a child's key; a key of another form as it is."""
    _, separator, rest = key.partition(":")
    name = _ID.sub("", rest)
    return excerpt(name if separator and name != rest else key)
