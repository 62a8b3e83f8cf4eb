"""A process's account of the submissions that it sends: a mapped file that outlives the process.

The pages of a shared mapping belong to the kernel. What a process stores in them stays when it is
killed, without a system call for each job; it does not survive the machine. So an account is
trusted only on the boot that it was written in (``boot_id``), and it never has to be synced.

One slot holds one request to submit a job: its ticket and attempt before the first byte is sent,
and the job's id once it was answered. The slot is free again when the request was surely not
processed, or when the ledger has the news on the disk. Each change is written beside what counts
and takes effect by the store of one byte, the slot's state, so that a process may die between any
two stores. What nevertheless cannot be read makes the account incomplete, and with an incomplete
one nobody may conclude that a ticket was not sent.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import math
import mmap
import os
import re
import stat
import struct
import uuid
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.lock import file_system_type, network_type
from kiosk_locust.model.record import Attempt, AttemptResult, Record

logger = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SUFFIX = ".account"
#: Under this key of a ledger's ``meta`` stands the token of the account that its process keeps;
#: of a worker's, under this with a colon and the worker's name: empty if it keeps none.
KEY = "send_account"
#: Under this key of the facts that workers are told stands where the ledger is: `place_of`.
PLACE = "ledger_place"
#: Room for requests that were answered and are not on the disk yet, beside those on their way: a
#: second of 2,000 jobs. A ledger that is slower than half a second stops submissions anyway.
SLOTS = 2048
#: Bytes; an account that claims to be larger is none.
MOST_BYTES = 1 << 28
#: Room that was allocated beforehand is no promise there: a store to a mapped page may need a new
#: block, and without one the process gets SIGBUS.
COPY_ON_WRITE = frozenset({"bcachefs", "btrfs", "f2fs", "nilfs2", "zfs"})
TOKEN = re.compile(r"[0-9a-f]{32}")

_MAGIC = b"kioskacc"
_VERSION = 1
_HEADER_BYTES = 4096
_HEADER = struct.Struct("<8sIIII16s16sQQ")  # magic, version, header, slot, slots, token, boot, file
_CHECKSUM = struct.Struct("<I")
_ALIVE_AT, _OVERFLOWED_AT = 1024, 2048  # where in the header; each is stored by itself
_ALIVE = struct.Struct("<d")

_SLOT_BYTES = 2048
_FREE, _SENDING, _ANSWERED = 0, 1, 2
_INTENT_AT, _ABOUT_AT, _ANSWER_AT, _JOB_ID_AT = 8, 32, 1024, 1064
_INTENT = struct.Struct("<QIHI")  # ticket, attempt, length of what it is about, checksum
_ANSWER = struct.Struct("<dddHHI")  # asked, sent, received, status, length of the id, checksum
_MOST_ABOUT = _ANSWER_AT - _ABOUT_AT
_MOST_JOB_ID = _SLOT_BYTES - _JOB_ID_AT
_NONE = math.nan  # of a time that is not known


@dataclass(frozen=True, slots=True)
class Answer:
    """A request was answered with a job; times in epoch seconds."""

    job_id: str
    asked_at: float
    sent_at: float | None
    received_at: float | None
    http_status: int | None


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was about to be sent, or was sent; without an answer it may have arrived."""

    ticket_id: int
    number: int  # of the attempt, from 1, as its process counted them
    about: bytes  # what its process wanted to be kept with it
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Statement:
    """The content of an account. Only one that ``is_complete`` says what was *not* sent."""

    sent: tuple[Sent, ...] = ()
    is_complete: bool = False
    why: str = "no account of what was sent was kept"  # it is not complete; empty if it is


class SendAccount:
    """Writes an account into ``store``, which is as long as ``bytes_of(slots)``.

    ``durable`` says up to which position what its book was told is on the disk. The store is the
    mapping; any mutable sequence of bytes will do.
    """

    def __init__(
        self,
        store: Any,
        slots: int,
        durable: Callable[[], int],
        *,
        token: str,
        path: Path | None = None,
        descriptor: int = -1,
    ) -> None:
        self.token = token
        self.path = path
        self.is_closed = False
        self._store = store
        self._durable = durable
        self._descriptor = descriptor
        self._seed = zlib.crc32(token.encode())
        self._free = list(range(slots))[::-1]
        self._slots: dict[tuple[int, int], int] = {}  # by ticket and attempt
        self._reported: deque[tuple[int, int]] = deque()  # positions and slots, in order

    def about_to_send(self, record: Record, about: bytes = b"") -> None:
        """The next attempt of a record will be sent right after this.

        ``about`` is kept with it, unless it is too long. Raises LedgerError once it is closed.
        """
        if self.is_closed:
            raise LedgerError("the account of what is sent is closed: nothing more may be sent")
        slot = self._take()
        if slot is None:
            self._overflow()
            return
        about = about if len(about) <= _MOST_ABOUT else b""
        key = record.ticket.id, len(record.attempts) + 1
        self._slots[key] = slot
        at = _HEADER_BYTES + slot * _SLOT_BYTES
        checksum = _checksum(_INTENT.pack(*key, len(about), slot) + about, self._seed)
        self._put(at + _INTENT_AT, _INTENT.pack(*key, len(about), checksum))
        if about:
            self._put(at + _ABOUT_AT, about)
        self._store[at] = _SENDING

    def ended(self, record: Record, attempt: Attempt) -> None:
        """The attempt has ended; to be called before the ledger or the master is told.

        One that was surely not processed leaves the account. One that may have been stays as it
        is until ``told``.
        """
        key = record.ticket.id, attempt.number
        if attempt.result in (AttemptResult.REFUSED, AttemptResult.NOT_SENT):
            if (slot := self._slots.pop(key, None)) is not None:
                self._let_go(slot)
        elif attempt.result is AttemptResult.ACCEPTED and key in self._slots:
            self._answer(self._slots[key], attempt)

    def told(self, record: Record, number: int, position: int) -> None:
        """Note that the end of attempt ``number`` was told; it is durable once ``position`` is."""
        if (slot := self._slots.pop((record.ticket.id, number), None)) is not None:
            self._reported.append((position, slot))

    def ledger_is_alive(self, at: float) -> None:
        """The ledger has this sign of life (epoch seconds) on the disk."""
        if not self.is_closed:
            self._put(_ALIVE_AT, _ALIVE.pack(at))

    @property
    def is_settled(self) -> bool:
        """True if the ledger has all that this account says."""
        self._reclaim()
        return not self._slots and not self._reported

    def close(self) -> None:
        """Write no more. The file goes if the ledger has all that it says; else it stays."""
        if self.is_closed:
            return
        if self.is_settled:
            self.remove()
        else:
            self._leave()

    def remove(self) -> None:
        """Write no more, and delete the file: the ledger is whole without it."""
        if self.path is not None and not self.is_closed:
            with contextlib.suppress(OSError):
                self.path.unlink()
        self._leave()

    def _leave(self) -> None:
        self.is_closed = True
        if self._descriptor >= 0:
            self._store.close()  # it has a descriptor of its own, and with it the lock
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self) -> int | None:
        self._reclaim()
        return self._free.pop() if self._free else None

    def _reclaim(self) -> None:
        """Free the slots of what is on the disk by now."""
        reported = self._reported
        if not reported:
            return
        durable = self._durable()
        while reported and reported[0][0] <= durable:
            self._let_go(reported.popleft()[1])

    def _let_go(self, slot: int) -> None:
        if not self.is_closed:
            self._store[_HEADER_BYTES + slot * _SLOT_BYTES] = _FREE
            self._free.append(slot)

    def _overflow(self) -> None:
        """A request is sent that has no slot: from now on nobody may conclude from a silence."""
        if not self._store[_OVERFLOWED_AT]:
            self._store[_OVERFLOWED_AT] = 1
            logger.debug("the account %s is full: a resume will go by the ledger alone", self.path)

    def _answer(self, slot: int, attempt: Attempt) -> None:
        job_id = attempt.job_id.encode("utf-8", "surrogatepass")
        if len(job_id) > _MOST_JOB_ID or self.is_closed:
            return  # it stays as one that may have arrived
        at = _HEADER_BYTES + slot * _SLOT_BYTES
        times = [_NONE if t is None else t for t in (attempt.sent_at, attempt.received_at)]
        fields = (attempt.asked_at, *times, attempt.http_status or 0, len(job_id))
        intent = bytes(self._store[at + _INTENT_AT : at + _INTENT_AT + _INTENT.size])
        checksum = _checksum(intent + _ANSWER.pack(*fields, 0) + job_id, self._seed)
        self._put(at + _ANSWER_AT, _ANSWER.pack(*fields, checksum))
        self._put(at + _JOB_ID_AT, job_id)
        self._store[at] = _ANSWERED

    def _put(self, at: int, data: bytes) -> None:
        self._store[at : at + len(data)] = data


# -- files


def path_of(ledger: Path, worker: str = "") -> Path:
    """The file of the process that writes the ledger, or of the worker with that token."""
    return ledger.with_name(f"{ledger.name}.{worker}{SUFFIX}" if worker else ledger.name + SUFFIX)


def boot_id() -> str:
    """The id of the machine's boot, 32 hexadecimal digits; empty where it cannot be told."""
    try:
        text = BOOT_ID.read_text("ascii").strip().replace("-", "")
    except (OSError, UnicodeError):
        return ""
    return text if TOKEN.fullmatch(text) else ""


def keep(ledger: Path, durable: Callable[[], int], *, pool_size: int) -> SendAccount | None:
    """The account of the process that writes ``ledger``; None where none can be kept.

    ``pool_size`` is the most requests that are on their way at once. An older account of this
    ledger is replaced, and those that dead workers left are deleted: to be called once what they
    say stands in the ledger.
    """
    sweep(ledger)
    account = _make(path_of(ledger), uuid.uuid4().hex, SLOTS + pool_size, durable)
    if account is None:
        with contextlib.suppress(OSError):
            path_of(ledger).unlink()
    return account


def keep_at_worker(place: str, durable: Callable[[], int], *, pool_size: int) -> SendAccount | None:
    """The account of a worker whose master's ledger is at ``place``; see ``place_of``.

    None where the ledger is on another machine, cannot be seen, or no account can be kept.
    """
    try:
        fields = json.loads(place)
        ledger, here = Path(fields["ledger"]), Path(fields["ledger"]).stat()
        is_same = [here.st_dev, here.st_ino] == fields["file"] and fields["boot_id"] == boot_id()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not is_same:
        return None
    token = uuid.uuid4().hex
    return _make(path_of(ledger, token), token, SLOTS + pool_size, durable)


def place_of(ledger: Path) -> str:
    """The place of a ledger, as workers are told: its path, file and the machine's boot."""
    try:
        here = ledger.stat()
    except OSError:
        return ""
    path, file = str(ledger.absolute()), [here.st_dev, here.st_ino]
    return json.dumps({"ledger": path, "file": file, "boot_id": boot_id()})


def sweep(ledger: Path) -> None:
    """Delete the accounts that dead workers left beside a ledger."""
    name = re.compile(re.escape(ledger.name) + rf"\.{TOKEN.pattern}\{SUFFIX}(\.new)?")
    try:
        paths = [path for path in ledger.parent.iterdir() if name.fullmatch(path.name)]
    except OSError:
        return
    for path in paths:
        forget(path)


def forget(account: Path) -> None:
    """Delete an account, unless a process that is on has it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(account, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            account.unlink()
        finally:
            os.close(descriptor)


def _make(path: Path, token: str, slots: int, durable: Callable[[], int]) -> SendAccount | None:
    """A new file in the place of any other, locked and mapped; None where that cannot be."""
    boot = boot_id()
    kind = file_system_type(path.parent)
    if not boot or network_type(path.parent) or kind in COPY_ON_WRITE:
        logger.debug("no account of what is sent is kept at %s (%s)", path, kind or "no boot id")
        return None
    new = path.with_name(path.name + ".new")
    descriptor = -1
    try:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(new, flags, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = bytes_of(slots)
        os.posix_fallocate(descriptor, 0, size)  # else a full disk would end the process
        os.pwrite(descriptor, header(token, boot, slots, os.fstat(descriptor)), 0)
        store = mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        new.replace(path)
    except (OSError, ValueError) as error:
        logger.debug("no account of what is sent is kept at %s: %s", path, error)
        if descriptor >= 0:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                new.unlink()
        return None
    return SendAccount(store, slots, durable, token=token, path=path, descriptor=descriptor)


# -- reading


def read(path: Path, token: str, *, ledger_alive_at: float | None = None) -> Statement:
    """Read the account at ``path``, if it is the one with ``token`` and of this boot.

    ``ledger_alive_at`` is the last sign of life in its ledger: an account that knows of a later
    one is not of that state of the ledger. Never raises.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return Statement(why="the account of what was sent is gone")
    try:
        is_dead = _is_dead(descriptor)
        file = os.fstat(descriptor)
        if not stat.S_ISREG(file.st_mode) or not _HEADER_BYTES < file.st_size <= MOST_BYTES:
            return Statement(why="the account of what was sent is damaged")
        data = os.pread(descriptor, file.st_size, 0)
    except OSError as error:
        return Statement(why=f"the account of what was sent cannot be read ({error.strerror})")
    finally:
        os.close(descriptor)
    if why := _foreign(data, token, file):
        return Statement(why=why)
    statement = parse(data, token)
    if not is_dead:
        why = "a process that sends jobs of this run is still alive"
    elif ledger_alive_at is not None and _ALIVE.unpack_from(data, _ALIVE_AT)[0] > ledger_alive_at:
        return Statement(why="the ledger is older than the account of what was sent")
    return replace(statement, is_complete=False, why=why) if why else statement


def parse(data: bytes | bytearray, token: str) -> Statement:
    """Read the slots of an account's bytes; its header is not looked at."""
    seed = zlib.crc32(token.encode())
    sent: list[Sent] = []
    why = "the account of what was sent was full for a time" if data[_OVERFLOWED_AT] else ""
    for slot, at in enumerate(range(_HEADER_BYTES, len(data) - _SLOT_BYTES + 1, _SLOT_BYTES)):
        if data[at] == _FREE:
            continue
        request = _request(data[at : at + _SLOT_BYTES], slot, seed)
        if request is None:
            why = "a part of the account of what was sent cannot be read"
        else:
            sent.append(request)
    return Statement(tuple(sent), not why, why)


def bytes_of(slots: int) -> int:
    """The length of an account."""
    return _HEADER_BYTES + slots * _SLOT_BYTES


def header(token: str, boot: str, slots: int, file: os.stat_result) -> bytes:
    """The beginning of an account: whose it is, of which boot, and in which file (no copy)."""
    ids = bytes.fromhex(token), bytes.fromhex(boot), file.st_dev, file.st_ino
    fields = _HEADER.pack(_MAGIC, _VERSION, _HEADER_BYTES, _SLOT_BYTES, slots, *ids)
    return fields + _CHECKSUM.pack(zlib.crc32(fields))


def _foreign(data: bytes, token: str, file: os.stat_result) -> str:
    """Why an account's bytes are not those of ``token``'s, of this boot and in this file."""
    boot = boot_id()
    if not boot or not TOKEN.fullmatch(token):
        return "the account of what was sent is of another session"
    begins = data[: _HEADER.size + _CHECKSUM.size]
    fields = begins[: _HEADER.size]
    _, _, _, _, slots, written_token, written_boot, *_ = _HEADER.unpack(fields)
    if begins[_HEADER.size :] != _CHECKSUM.pack(zlib.crc32(fields)) or len(data) != bytes_of(slots):
        return "the account of what was sent is damaged"
    if begins == header(token, boot, slots, file):
        return ""
    if written_token.hex() != token:
        return "the account of what was sent is of another session"
    if written_boot.hex() != boot:
        return "the machine was started anew since"
    return "the account of what was sent is a copy"


def _is_dead(descriptor: int) -> bool:
    """True if the process that wrote the account is gone: its lock went with it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _request(slot: bytes | bytearray, index: int, seed: int) -> Sent | None:
    """The request in a slot that is not free; None where it cannot be read."""
    ticket_id, number, length, checksum = _INTENT.unpack_from(slot, _INTENT_AT)
    about = bytes(slot[_ABOUT_AT : _ABOUT_AT + min(length, _MOST_ABOUT)])
    intent = _INTENT.pack(ticket_id, number, length, index)
    if slot[0] not in (_SENDING, _ANSWERED) or checksum != _checksum(intent + about, seed):
        return None
    answer = _answer(slot, seed) if slot[0] == _ANSWERED else None
    return Sent(ticket_id, number, about, answer)


def _answer(slot: bytes | bytearray, seed: int) -> Answer | None:
    """The answer in a slot; None where it cannot be read: it then counts as not answered."""
    *fields, checksum = _ANSWER.unpack_from(slot, _ANSWER_AT)
    asked_at, sent_at, received_at, status, length = fields
    job_id = bytes(slot[_JOB_ID_AT : _JOB_ID_AT + length])
    intent = bytes(slot[_INTENT_AT : _INTENT_AT + _INTENT.size])
    if checksum != _checksum(intent + _ANSWER.pack(*fields, 0) + job_id, seed) or not job_id:
        return None
    try:
        text = job_id.decode("utf-8", "surrogatepass")
    except UnicodeError:
        return None
    return Answer(text, asked_at, _time(sent_at), _time(received_at), status or None)


def _time(value: float) -> float | None:
    return None if math.isnan(value) else value


def _checksum(data: bytes, seed: int) -> int:
    return zlib.crc32(data, seed)
