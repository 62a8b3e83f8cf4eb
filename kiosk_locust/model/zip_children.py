"""A ZIP's children as its hash lists them, and a ZIP that the Kiosk will never end.

The ZIP consumer keeps its children's keys, ``<queue>:<name>:<32 hex digits>``, in lists joined by
commas. It looks at each entry's hash until all have ended, so a name with a comma makes entries
that are pieces of a key, whose hashes do not exist: it then waits for ever, and renews updated_at
each time (kiosk-redis-consumer 0.17.2, ZipFileConsumer).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kiosk_locust.formatting.excerpt import shortened
from kiosk_locust.model.job_hash import Snapshot

#: So many polls must see a ZIP's hash unchanged.
POLLS = 3
#: While the results of a ZIP are packed, its consumer renews updated_at with each of them; then it
#: uploads the whole, for which nothing changes. That is to take less than so long, in seconds.
PACKING_S = 120.0
#: The phases of a ZIP, in their order, as `phase_of` reads them in its hash.
QUEUE, UNPACKING, CHILDREN, PACKING = PHASES = ("queue", "unpacking", "children", "packing")
_ID = re.compile(r":[0-9a-f]{32}\Z")
_SHOWN = 60  # characters of an entry
_LISTS = ("children", "children:done", "children:failed")
_STAMPS = ("updated_at", "updated_by")


@dataclass(frozen=True, slots=True)
class Children:
    """What the lists of one hash say.

    ``pieces`` are entries that are no whole key. ``count`` is the number of children: each has one
    key, however many pieces that makes; where ids have another form, it is at least that number.
    """

    keys: frozenset[str]
    pieces: tuple[str, ...]
    count: int
    done: frozenset[str]
    failed: frozenset[str]

    @property
    def have_ended(self) -> bool:
        """Whether every child that is listed under its whole key has ended; there are some."""
        return self.count > 0 and self.keys <= self.done | self.failed


def children_of(snapshot: Snapshot, job_id: str) -> Children:
    """The children in a reading of the hash of ``job_id``."""
    entries = _entries(snapshot, "children")
    queue = job_id.partition(":")[0].removesuffix("-zip")
    is_key = _form(entries, f"{queue}:")
    keys = frozenset(entry for entry in entries if is_key(entry))
    pieces = tuple(entry for entry in entries if entry not in keys)
    ends = sum(1 for entry in entries if _ID.search(entry))
    count = ends or len(keys) + bool(pieces)
    done, failed = _entries(snapshot, "children:done"), _entries(snapshot, "children:failed")
    return Children(keys, pieces, count, frozenset(done), frozenset(failed))


def phase_of(snapshot: Snapshot) -> str:
    """The last of PHASES that a ZIP's hash shows to have begun; `progress` is not trusted.

    Consumers write ``updated_by`` when they take a ZIP, ``children`` once all of them are there,
    and, before they pack, lists of those that ended in which each child is.
    """
    if snapshot.fields.get("children"):
        return PACKING if _is_each_listed(snapshot) else CHILDREN
    if "children" in snapshot.fields or snapshot.status == "waiting":
        return CHILDREN
    return UNPACKING if snapshot.fields.get("updated_by") else QUEUE


def is_later(phase: str, before: str) -> bool:
    """Whether a phase comes after another one; ``before`` is empty where none was seen."""
    return not before or PHASES.index(phase) > PHASES.index(before)


def _is_each_listed(snapshot: Snapshot) -> bool:
    """Tells whether each entry of the list of children is in one of the other two."""
    total, done, failed = (snapshot.fields.get(name, "").count(",") for name in _LISTS)
    if done + failed + 1 < total:  # mostly so; the lists of thousands need not be taken apart
        return False
    ended = {*_entries(snapshot, "children:done"), *_entries(snapshot, "children:failed")}
    return ended.issuperset(_entries(snapshot, "children"))


class Stall:
    """Looks at each poll of a ZIP, and tells when it will not end."""

    __slots__ = (
        "_children",
        "_lists",
        "_lists_since",
        "_same",
        "_same_stamps",
        "_stamps",
        "_stamps_since",
    )

    def __init__(self) -> None:
        self._lists: tuple[str, ...] = ()
        self._stamps: tuple[str, ...] = ()
        self._children: Children | None = None  # those in the lists, once they were looked at
        self._lists_since = self._stamps_since = 0.0
        self._same = self._same_stamps = 0  # polls that saw those of the one before

    def look(self, snapshot: Snapshot, job_id: str, now: float) -> str:
        """Why the ZIP will not end, by its hash at ``now`` (epoch s); empty while it may.

        All children must have ended, and the hash be unchanged for POLLS polls. Where each child
        has a whole key, updated_at counts as well, and it must be so for PACKING_S.
        """
        if snapshot.status != "waiting" or not snapshot.fields.get("children"):
            self._lists = ()
            return ""
        lists = tuple(snapshot.fields.get(name, "") for name in _LISTS)
        stamps = tuple(snapshot.fields.get(name, "") for name in _STAMPS)
        if lists != self._lists:
            self._lists, self._stamps, self._children = lists, stamps, None
            self._lists_since = self._stamps_since = now
            self._same = self._same_stamps = 0
            return ""
        self._same += 1
        if stamps != self._stamps:
            self._stamps, self._stamps_since, self._same_stamps = stamps, now, 0
        else:
            self._same_stamps += 1
        if self._same < POLLS:  # the lists of thousands of children are taken apart no sooner
            return ""
        if self._children is None:
            self._children = children_of(snapshot, job_id)
        return self._why(self._children, now)

    def _why(self, children: Children, now: float) -> str:
        if not children.have_ended:
            return ""
        if children.pieces:
            return _reason(children, self._same, now - self._lists_since)
        for_s = now - self._stamps_since
        if self._same_stamps < POLLS or for_s < PACKING_S:
            return ""
        return _reason(children, self._same_stamps, for_s)


def _reason(children: Children, polls: int, for_s: float) -> str:
    done, failed = len(children.done), len(children.failed)
    ended = f"{done} of {children.count} images of the ZIP are done, {failed} failed"
    still = f"its hash has not changed for {polls} polls ({for_s:.0f} s)"
    if children.pieces:
        shown = shortened(children.pieces[0], _SHOWN)
        return (
            f"the Kiosk waits for ever: {ended}, and the rest have names with a comma, which its"
            f" comma-joined lists break into pieces ({shown!r}); {still}. Rename the ZIP's members"
        )
    return (
        f"the Kiosk does not end it: {ended}, and {still}; its ZIP consumer may have died while it"
        " packed the results, look at its log"
    )


def _form(entries: list[str], prefix: str) -> _Form:
    """What a whole key looks like here, as far as the entries tell."""
    has_ids = any(_ID.search(entry) for entry in entries)
    has_prefix = any(entry.startswith(prefix) for entry in entries)
    is_opaque = not has_ids and not any(entry.count(":") >= 2 for entry in entries)
    return _Form(prefix if has_prefix else "", has_ids=has_ids, is_opaque=is_opaque)


@dataclass(frozen=True, slots=True)
class _Form:
    """Of whole keys; ``is_opaque``: these are none of a Kiosk's, and each entry counts as one."""

    prefix: str
    has_ids: bool
    is_opaque: bool

    def __call__(self, entry: str) -> bool:
        if self.is_opaque:
            return True
        has_id = bool(_ID.search(entry)) if self.has_ids else True
        return has_id and entry.count(":") >= 2 and entry.startswith(self.prefix)


def _entries(snapshot: Snapshot, name: str) -> list[str]:
    return [entry for entry in snapshot.fields.get(name, "").split(",") if entry]
