"""A run's files in the bucket, under ``output/``: results as they are, the ledger compressed."""

from __future__ import annotations

import contextlib
import gzip
import logging
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.client.call_trouble import TroubleKind
from kiosk_locust.clock import SystemClock
from kiosk_locust.errors import (
    BucketError,
    BucketUnreachable,
    KioskLocustError,
    NameTaken,
    NotPermitted,
)
from kiosk_locust.filesystem.symlinks import open_part
from kiosk_locust.ledger import copies
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.model import file_names as names
from kiosk_locust.native_thread import in_thread
from kiosk_locust.storage import transfer_progress
from kiosk_locust.storage.atomic_files import part_path
from kiosk_locust.storage.bucket import Address, Bucket

logger = logging.getLogger(__name__)

#: Names tried for a file: its own, and the same with a number.
NAMES_TRIED = 20
_COMPRESSED = ".gz"
_SPEED = 6  # of gzip; a ledger shrinks to a sixth


@dataclass
class Archived:
    """What was kept, by its address, and what was not, with the reason."""

    urls: list[str] = field(default_factory=list)
    missed: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """Why the first that was missed was; empty if none was."""
        return self.missed[0][1] if self.missed else ""


class Archive:
    """Keeps files in ``bucket``; ``address`` says below which prefix.

    ``public`` lets everybody read them, where the bucket allows that. ``calls`` hears of what the
    bucket is asked. ``holds_locks``: this process has the locks of the ledgers that it gives.
    """

    def __init__(
        self,
        bucket: Bucket,
        address: Address,
        *,
        public: bool = False,
        calls: CallFailures | None = None,
        holds_locks: bool = False,
    ) -> None:
        self._bucket = bucket
        self._address = address
        self._public = public
        self._calls = calls or CallFailures(SystemClock())
        self._holds_locks = holds_locks

    @property
    def url(self) -> str:
        """The bucket's address."""
        return self._bucket.url

    @property
    def unheard_s(self) -> float:
        """For how many seconds the bucket has given no sign of life; 0.0: it is not asked."""
        return self._calls.unheard_s(TroubleKind.BUCKET)

    def keep(self, files: Iterable[Path]) -> Archived:
        """Upload each file unless it is there already; what fails keeps none of the others away.

        Nothing is overwritten but the same run's results, which have its id in their names: any
        other name that something else has gets a number. Once the bucket cannot be used at all,
        the rest is not tried.
        """
        done = Archived()
        lost = ""
        for path in files:
            if lost:
                done.missed.append((path, lost))
                continue
            try:
                done.urls.append(self._keep(path))
            except NameTaken as error:
                done.missed.append((path, str(error)))
            except BucketError as error:
                lost = str(error)
                done.missed.append((path, lost))
            except (KioskLocustError, OSError, sqlite3.Error) as error:
                done.missed.append((path, f"{path}: {error}"))
        return done

    def _keep(self, path: Path) -> str:
        if path.suffix != ".db":
            return self._put(path, path.stem, path.suffix)
        with _compressed(path, is_locked=self._holds_locks) as packed:
            return self._put(packed, path.stem, path.suffix + _COMPRESSED)

    def _put(self, path: Path, stem: str, suffix: str) -> str:
        """Upload under the first name that is free, or holds this very file already."""
        for number in count(1):
            name = self._address.results(
                f"{stem}{suffix}" if number == 1 else f"{stem}_{number}{suffix}"
            )
            try:
                with self._asking():
                    return self._bucket.put(path, name, public=self._public)
            except NameTaken:
                if self._is_replaced(path, name):
                    return self._bucket.url_of(name)
                if number == NAMES_TRIED:
                    raise
        raise AssertionError("count() has no end")

    def _is_replaced(self, path: Path, name: str) -> bool:
        """Upload over what an earlier end of the same run left; False where that may not be."""
        found = names.RUN_ID_IN_NAME.search(path.name)
        if not found or not names.is_result_of(path.name, found[1]):
            return False
        try:
            with self._asking():
                generation = self._bucket.generation(name)
                self._bucket.replace(path, name, generation, public=self._public)
        except (NotPermitted, NameTaken) as error:
            logger.warning("%s stays beside the new one: %s", self._bucket.url_of(name), error)
            return False
        return True

    def drop(self, file_names: Iterable[str]) -> None:
        """Delete results that the run had before it was resumed; what cannot be is a warning."""
        lost: BucketUnreachable | None = None
        for file_name in file_names:
            name = self._address.results(file_name)
            try:
                if lost:
                    raise lost
                if self._remove(name):
                    logger.info("%s is gone: its run was resumed", self._bucket.url_of(name))
            except BucketError as error:
                lost = error if isinstance(error, BucketUnreachable) else None
                logger.warning(
                    "%s holds results from before the run was resumed, and cannot be deleted: %s;"
                    " delete it, or it is read as a second run",
                    *(self._bucket.url_of(name), error),
                )

    def _remove(self, name: str) -> bool:
        """Delete an object; False where there is none."""
        with self._asking():
            generation = self._bucket.generation(name)
            if generation:
                self._bucket.remove(name, generation)
        return generation != 0

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        with self._calls.trying(TroubleKind.BUCKET) as pending, transfer_progress.watched(pending):
            yield


@contextlib.contextmanager
def _compressed(ledger: Path, *, is_locked: bool) -> Iterator[Path]:
    """The ledger, compressed, in a file beside it that is gone afterwards.

    A ledger that says the same makes the same bytes, whoever opened it in between and wherever it
    was restored; one of an older version does while its file is the same. It is packed in a real
    thread: that is work for seconds or minutes, and others go on. Raises LedgerError where it is
    in use, OSError and sqlite3.Error.
    """
    packed = part_path(ledger.with_name(ledger.name + _COMPRESSED))
    copy = packed.with_name(f"{packed.name}.db")
    try:
        in_thread(lambda: _pack(ledger, packed, copy, is_locked=is_locked))
        yield packed
    finally:
        packed.unlink(missing_ok=True)
        copies.remove(copy)


def _pack(ledger: Path, packed: Path, copy: Path, *, is_locked: bool) -> None:
    lock = None if is_locked else Lock(ledger)
    try:
        copies.take_in_log(ledger)
        plain = copy if copies.make_alike(ledger, copy) else ledger
        with (
            plain.open("rb") as source,
            open_part(packed) as target,
            gzip.GzipFile("", "wb", _SPEED, target, mtime=0) as stream,
        ):
            shutil.copyfileobj(source, stream, 1 << 20)
    finally:
        if lock:
            lock.release()
