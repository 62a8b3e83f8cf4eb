"""The newest of what the disk and the bucket have of a run: its ledger, or its last checkpoint."""

from __future__ import annotations

import logging
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust.checkpoint.snapshot import check_room, object_name, unpack
from kiosk_locust.config import parsers
from kiosk_locust.config.sources import Layers
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.errors import BucketError, LedgerError
from kiosk_locust.formatting import units
from kiosk_locust.ledger import file, queries
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.ledger.reader import opened, texts_of
from kiosk_locust.ledger.validate import check_pages, foreign
from kiosk_locust.storage.bucket import Address, open_bucket

logger = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class _Age:
    """How far a ledger knows a run: the process that it is of, and its last sign of life."""

    sessions: int
    alive_at: float
    run_id: str = ""


def fetch_newest(given: Layers, path: Path) -> int:
    """Put the run's checkpoint in the place of the ledger at ``path`` if it is newer.

    Which is used is logged. Returns the generation of the checkpoint in the bucket: 0 where there
    is none, or nobody is to be asked for one. Raises LedgerError, and nothing is left half done.
    """
    address = _address(given)
    if address is None:
        return 0
    packed = path.with_name(f".{path.name}.{os.getpid()}.fetched")
    url = f"{address.url}/{object_name(address, path.stem)}"
    try:
        generation = _fetch(address, path, packed)
        if generation:
            _take_newer(packed, path, url)
    except BucketError as error:
        raise LedgerError(
            f"whether {address} has a checkpoint of the run {path.stem} cannot be told: {error};"
            " mend that, or say --checkpoint 0 to go by this disk alone"
        ) from error
    except OSError as error:
        raise LedgerError(
            f"the checkpoint {url} cannot be put at {path}: {error.strerror or error}; make room"
            " there, give a larger disk by OUTPUT_DIR, or say --checkpoint 0 to go by this disk"
            " alone"
        ) from error
    finally:
        for left in (packed, packed.with_name(f"{packed.name}.part")):
            left.unlink(missing_ok=True)
    return generation


def _fetch(address: Address, path: Path, packed: Path) -> int:
    """Download the checkpoint, if there is one; returns its generation.

    Raises BucketError, and OSError where there is no room for it.
    """
    name = object_name(address, path.stem)
    bucket = open_bucket(address)
    try:
        generation = bucket.generation(name)
        if generation:
            path.parent.mkdir(parents=True, exist_ok=True)
            check_room(path.parent, bucket.size(name))
            bucket.get(name, packed)
    finally:
        bucket.close()
    return generation


def _address(given: Layers) -> Address | None:
    """The bucket to ask; None where there is none, or a setting is wrong, which others tell."""
    text = given.text("storage_bucket")
    try:
        every_s = parsers.seconds(given.text("checkpoint") or SETTINGS["checkpoint"].default)
        is_simulated = parsers.boolean(given.text("simulate") or "false")
        return Address.parse(text) if text and every_s and not is_simulated else None
    except ValueError:
        return None


def _take_newer(packed: Path, path: Path, url: str) -> None:
    found = path.with_name(f".{path.name}.{os.getpid()}.restored")
    try:
        unpack(packed, found, f"the checkpoint {url}")
        there = _age(found)
        here = _age(path) if path.exists() and not file.is_blank(path) else None
        if here is not None and here.run_id != there.run_id:
            raise LedgerError(
                f"{path} and {url} are two runs of one name: move one of them away, or choose"
                " another name"
            )
        age = units.seconds(max(0.0, time.time() - there.alive_at))
        if here is not None and here >= there:
            logger.warning("the ledger on this disk is used, which is newer than %s", url)
            return
        if here is not None:
            _set_aside(path)
        file.remove(path)
        found.replace(path)
        why = "there is none on this disk" if here is None else "the one on this disk is older"
        logger.warning("the checkpoint %s is used, which is %s old: %s", url, age, why)
    finally:
        file.remove(found)


def _age(path: Path) -> _Age:
    check_pages(path)  # nobody knows who wrote it
    with opened(path) as db:
        meta = texts_of(db)
        sessions = queries.session_count(db)
    with foreign(path):
        alive_at = float(meta.get("alive_at", -math.inf))
    return _Age(sessions, alive_at, meta.get("run_id", ""))


def _set_aside(path: Path) -> None:
    """Rename a ledger that the run went on without; raises LedgerError where it is in use."""
    lock = Lock(path)
    try:
        for number in range(1, 1000):
            aside = path.with_name(f"{path.stem}_left_{number}.db")
            if not aside.exists():
                break
        for suffix in ("-wal", ""):
            old = path.with_name(path.name + suffix)
            if old.exists():
                old.rename(aside.with_name(aside.name + suffix))
    finally:
        lock.release()
    logger.warning("%s was older, and is kept as %s", path, aside)
