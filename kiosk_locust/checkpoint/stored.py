"""The object in the bucket that a run's checkpoints are written over."""

from __future__ import annotations

import uuid
from pathlib import Path

import gevent

from kiosk_locust.checkpoint.snapshot import check_room, unpack
from kiosk_locust.errors import BucketError, LedgerError, NameTaken
from kiosk_locust.ledger.reader import opened
from kiosk_locust.ledger.recovery import mark_of
from kiosk_locust.native_thread import in_thread
from kiosk_locust.storage.bucket import Bucket


class StoredCheckpoint:
    """The checkpoint ``name`` in ``bucket``, as this process wrote it last.

    ``generation`` is that of the checkpoint which the run goes on from, 0 where there is none.
    ``process`` is a number drawn at random that stands in the marks of this process.
    """

    def __init__(self, bucket: Bucket, name: str, generation: int) -> None:
        self.url = bucket.url
        self.process = uuid.uuid4().hex
        self._bucket = bucket
        self._name = name
        self._generation = generation

    def replace(self, packed: Path) -> None:
        """Write ``packed`` over it; raises BucketError, NameTaken where somebody else wrote it."""
        try:
            self._generation = self._bucket.replace(packed, self._name, self._generation)
        except NameTaken:
            # Perhaps one that was sent before is there, and its answer was lost.
            generation = self._bucket.generation(self._name)
            if generation and not self._is_own(packed.with_suffix(".found")):
                raise
            self._generation = self._bucket.replace(packed, self._name, generation)

    def has_changed(self, within_s: float) -> bool:
        """Tell if another checkpoint is there than the last one that this process wrote.

        Replacing it tells whose it is. Where nobody can be asked there is none to see, and a
        bucket that does not answer within ``within_s`` does not keep the next one waiting.
        """
        try:
            with gevent.Timeout(within_s, exception=False):
                return self._bucket.generation(self._name) != self._generation
        except (BucketError, OSError):
            return False
        return False

    def _is_own(self, packed: Path) -> bool:
        """Get it as ``packed``, and look who wrote it."""
        copy = packed.with_name(f"{packed.name}.db")
        try:
            check_room(packed.parent, self._bucket.size(self._name))
            self._bucket.get(self._name, packed)
            in_thread(lambda: unpack(packed, copy, "the checkpoint"))
            with opened(copy) as db:
                mark = mark_of(db)
        except LedgerError:
            return False  # of another version, or damaged: this process wrote no such thing
        finally:
            for left in (packed, packed.with_name(f"{packed.name}.part"), copy):
                left.unlink(missing_ok=True)
        return mark is not None and mark.process == self.process
