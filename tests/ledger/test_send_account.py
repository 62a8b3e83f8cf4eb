"""The account of what a process sends: whatever is left of it, no request that was sent is denied.

Processes that really die are in tests/runs/test_kills.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk_locust.errors import Busy, LedgerError
from kiosk_locust.ledger import send_account
from kiosk_locust.ledger.send_account import SendAccount, Statement
from kiosk_locust.model.record import Attempt, AttemptResult, Record
from tests.execution import test_job
from tests.helpers.scenarios import make_record

ROOT = Path(__file__).parents[2]
TOKEN = "0123456789abcdef" * 2
RESULTS = list(AttemptResult)


# -- stores that stop anywhere


class Store(bytearray):
    """Memory that remembers every store."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.stores: list[tuple[int, bytes]] = []

    def __setitem__(self, at: Any, value: Any) -> None:
        start = at.start if isinstance(at, slice) else at
        data = value if isinstance(at, slice) else bytes([value])
        self.stores.append((start, bytes(data)))
        super().__setitem__(at, value)


@dataclass
class Request:
    """One request, and between which stores it was sent and not yet safe elsewhere."""

    ticket_id: int
    number: int
    job_id: str = ""
    sent_from: int = 0  # so many stores had been made when its first byte left
    safe_from: int | None = None  # as many when the ledger had it, or it was surely not processed
    told_at: int | None = None  # the position of its news


@dataclass
class Life:
    """A process that sends, and keeps an account in three slots."""

    said: int = 0
    durable: int = 0
    records: dict[int, Record] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(send_account.bytes_of(3))
        self.account = SendAccount(self.store, 3, lambda: self.durable, token=TOKEN)

    @property
    def stores(self) -> int:
        return len(self.store.stores)

    def send(self, ticket_id: int) -> None:
        """Send the next attempt of a ticket; one that is on its way is waited for."""
        record = self.records.setdefault(ticket_id, make_record(ticket_id))
        number = len(record.attempts) + 1
        if any((r.ticket_id, r.number) == (ticket_id, number) for r in self.requests):
            return
        self.account.about_to_send(record, f"about {ticket_id}".encode())
        self.requests.append(Request(ticket_id, number, sent_from=self.stores))

    def end(self, ticket_id: int, result: AttemptResult) -> None:
        """The ticket's request on its way ends so."""
        record = self.records.get(ticket_id)
        if record is None or record.job_id:
            return
        number = len(record.attempts) + 1
        request = next((r for r in self.requests if (r.ticket_id, r.number) == (ticket_id, number)), None)  # fmt: skip  # noqa: E501
        if request is None:
            return
        if result is AttemptResult.ACCEPTED:
            request.job_id = record.job_id = f"job:{ticket_id}:{number}"
        if result in (AttemptResult.REFUSED, AttemptResult.NOT_SENT):
            request.safe_from = self.stores
        attempt = Attempt(number, 1.0, 2.0, None, result, 200, job_id=request.job_id)
        record.attempts.append(attempt)
        self.account.ended(record, attempt)
        self.said += 1
        if result in (AttemptResult.ACCEPTED, AttemptResult.MAYBE):
            self.account.told(record, number, self.said)
            request.told_at = self.said

    def write(self) -> None:
        """The ledger is written."""
        self.durable = self.said
        for request in self.requests:
            if request.told_at is not None and request.safe_from is None:
                request.safe_from = self.stores


def left_by(life: Life, stores: int, torn: int) -> bytearray:
    """The memory after so many stores; of the next one, the bytes whose bits are set in torn."""
    memory = bytearray(len(life.store))
    for at, data in life.store.stores[:stores]:
        memory[at : at + len(data)] = data
    if torn and stores < life.stores:
        at, data = life.store.stores[stores]
        for offset, byte in enumerate(data):
            if torn >> (offset % 64) & 1:
                memory[at + offset] = byte
    return memory


STEPS = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 4)),
    st.tuples(st.just("end"), st.integers(0, 4), st.sampled_from(RESULTS)),
    st.tuples(st.just("write")),
)


@settings(max_examples=150)
@given(steps=st.lists(STEPS, max_size=25), torn=st.integers(0, 2**64 - 1))
def test_wherever_a_process_dies_no_request_that_it_sent_is_denied(
    steps: list[tuple[Any, ...]], torn: int
) -> None:
    life = Life()
    for name, *arguments in steps:
        getattr(life, name)(*arguments)
    for stores in range(life.stores + 1):
        for bits in {0, torn}:
            statement = send_account.parse(left_by(life, stores, bits), TOKEN)
            listed = {(sent.ticket_id, sent.number): sent for sent in statement.sent}
            for request in life.requests:
                is_over = request.safe_from is not None and (
                    stores > request.safe_from or (stores == request.safe_from and bits)
                )
                if request.sent_from <= stores and not is_over and statement.is_complete:
                    assert (request.ticket_id, request.number) in listed
            begun = {(r.ticket_id, r.number): r for r in life.requests}
            for key, sent in listed.items():
                assert sent.about == f"about {key[0]}".encode()
                assert sent.answer is None or sent.answer.job_id == begun[key].job_id


@settings(max_examples=100)
@given(steps=st.lists(STEPS, max_size=25), torn=st.integers(0, 2**64 - 1))
def test_a_death_between_stores_leaves_an_account_that_can_be_read(
    steps: list[tuple[Any, ...]], torn: int
) -> None:
    life = Life()
    for name, *arguments in steps:
        getattr(life, name)(*arguments)
    for stores in range(life.stores + 1):
        statement = send_account.parse(left_by(life, stores, torn), TOKEN)
        assert statement.is_complete or "full" in statement.why


@settings(max_examples=200)
@given(at=st.integers(0, 2 * 2048 - 1), byte=st.integers(0, 255))
def test_a_damaged_slot_denies_nothing_and_invents_no_job(at: int, byte: int) -> None:
    life = Life()
    life.send(0)
    life.send(1)
    life.end(1, AttemptResult.ACCEPTED)
    memory = bytearray(life.store)
    first = send_account.bytes_of(0)
    memory[first + at] = byte
    statement = send_account.parse(memory, TOKEN)
    answers = {sent.answer.job_id for sent in statement.sent if sent.answer}
    assert answers <= {"job:1:1"}
    is_freed = byte == 0 and at % 2048 == 0  # damage that reads as a slot which was given back
    if statement.is_complete and not is_freed:
        assert {sent.ticket_id for sent in statement.sent} == {0, 1}


# -- what is written


def test_a_request_stands_there_until_the_ledger_has_what_became_of_it() -> None:
    life = Life()
    life.send(7)
    life.end(7, AttemptResult.ACCEPTED)
    life.send(8)
    (answered, unanswered) = send_account.parse(life.store, TOKEN).sent
    assert answered.answer is not None
    assert (answered.answer.job_id, answered.answer.sent_at) == ("job:7:1", 2.0)
    assert (unanswered.ticket_id, unanswered.answer) == (8, None)
    assert not life.account.is_settled
    life.write()
    life.end(8, AttemptResult.NOT_SENT)
    assert life.account.is_settled
    assert send_account.parse(life.store, TOKEN) == Statement((), is_complete=True, why="")


def test_a_request_without_a_slot_makes_the_account_incomplete_for_good() -> None:
    life = Life()
    for ticket_id in range(4):
        life.send(ticket_id)
    statement = send_account.parse(life.store, TOKEN)
    assert {sent.ticket_id for sent in statement.sent} == {0, 1, 2}
    assert not statement.is_complete
    assert "was full" in statement.why


def test_a_job_id_that_is_too_long_for_its_slot_counts_as_not_answered() -> None:
    life = Life()
    life.send(0)
    record = life.records[0]
    job_id = f"segmentation:{'ü' * 500}.png:1"
    life.account.ended(record, Attempt(1, 1.0, 2.0, 3.0, AttemptResult.ACCEPTED, 200, "", job_id))
    (sent,) = send_account.parse(life.store, TOKEN).sent
    assert sent.answer is None


# -- files


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "run.db"
    path.write_bytes(b"a ledger")
    return path


@pytest.fixture
def kept(ledger: Path) -> SendAccount:
    """An account with one request on its way, whose process then closed it."""
    account = kept_at(ledger)
    account.about_to_send(make_record(3))
    account.close()
    return account


def kept_at(ledger: Path) -> SendAccount:
    account = send_account.keep(ledger, lambda: 0, pool_size=8)
    assert account is not None
    return account


def read(ledger: Path, account: SendAccount, **alive: float) -> Statement:
    return send_account.read(send_account.path_of(ledger), account.token, **alive)


def test_what_was_not_settled_stays_in_the_file_and_is_read(
    ledger: Path, kept: SendAccount
) -> None:
    statement = read(ledger, kept)
    assert statement.is_complete
    assert [(sent.ticket_id, sent.number) for sent in statement.sent] == [(3, 1)]


def test_an_account_that_is_settled_goes_when_it_is_closed(ledger: Path) -> None:
    kept_at(ledger).close()
    assert list(ledger.parent.iterdir()) == [ledger]


def test_nothing_is_sent_without_its_account(kept: SendAccount) -> None:
    with pytest.raises(LedgerError, match="closed"):
        kept.about_to_send(make_record(4))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda path: path.unlink(), "is gone"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (lambda path: path.write_bytes(os.urandom(path.stat().st_size)), "is damaged"),
        (lambda path: os.truncate(path, 9000), "is damaged"),
        (lambda path: (path.unlink(), path.mkdir()), "is damaged"),
        (lambda path: (path.rename(f"{path}2"), path.symlink_to(f"{path}2")), "is gone"),
        (lambda path: (shutil.copy(path, f"{path}2"), Path(f"{path}2").rename(path)), "is a copy"),
    ],
)
def test_a_file_that_is_not_the_one_that_was_written_says_nothing(
    ledger: Path, kept: SendAccount, change: Any, why: str
) -> None:
    change(send_account.path_of(ledger))
    statement = read(ledger, kept)
    assert (statement.sent, statement.is_complete) == ((), False)
    assert why in statement.why


def test_another_boot_of_the_machine_makes_it_worthless(
    ledger: Path, kept: SendAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("01234567-89ab-cdef-0123-456789abcdef\n")
    monkeypatch.setattr(send_account, "BOOT_ID", boot)
    assert read(ledger, kept) == Statement(why="the machine was started anew since")


def test_another_session_s_token_makes_it_worthless(ledger: Path, kept: SendAccount) -> None:
    statement = send_account.read(send_account.path_of(ledger), "0" * 32)
    assert statement == Statement(why="the account of what was sent is of another session")


def test_a_ledger_that_is_older_than_the_account_is_not_explained_by_it(ledger: Path) -> None:
    account = kept_at(ledger)
    account.about_to_send(make_record(3))
    account.ledger_is_alive(100.5)
    account.close()
    assert read(ledger, account, ledger_alive_at=100.5).is_complete
    assert read(ledger, account, ledger_alive_at=100.4).sent == ()


def test_of_a_process_that_lives_nobody_concludes_from_a_silence(ledger: Path) -> None:
    code = """
import sys, pathlib
from kiosk_locust.ledger import send_account
from tests.helpers.scenarios import make_record
account = send_account.keep(pathlib.Path(sys.argv[1]), lambda: 0, pool_size=8)
account.about_to_send(make_record(3))
print(account.token, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(ledger)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        token = process.stdout.readline().strip()
        alive = send_account.read(send_account.path_of(ledger), token)
        process.kill()
        process.wait()
        dead = send_account.read(send_account.path_of(ledger), token)
    assert [sent.ticket_id for sent in alive.sent] == [sent.ticket_id for sent in dead.sent] == [3]
    assert (alive.is_complete, dead.is_complete) == (False, True)
    assert "still alive" in alive.why


# -- where none can be kept


@pytest.mark.parametrize("kind", ["nfs4", "fuse.sshfs", "btrfs", "zfs"])
def test_none_is_kept_where_a_mapping_cannot_be_relied_on(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("kiosk_locust.ledger.lock.file_system_type", lambda *_: kind)
    monkeypatch.setattr(send_account, "file_system_type", lambda *_: kind)
    assert send_account.keep(ledger, lambda: 0, pool_size=8) is None
    assert list(ledger.parent.iterdir()) == [ledger]


def test_none_is_kept_on_a_full_disk_and_an_old_one_goes(
    ledger: Path, kept: SendAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert send_account.keep(ledger, lambda: 0, pool_size=8) is None
    assert list(ledger.parent.iterdir()) == [ledger]


def test_none_is_kept_where_the_boot_cannot_be_told(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(send_account, "BOOT_ID", tmp_path / "none")
    assert send_account.keep(ledger, lambda: 0, pool_size=8) is None


# -- workers


def test_a_worker_that_sees_its_masters_ledger_keeps_one_beside_it(ledger: Path) -> None:
    place = send_account.place_of(ledger)
    account = send_account.keep_at_worker(place, lambda: 0, pool_size=8)
    assert account is not None
    account.about_to_send(make_record(3))
    account.close()
    path = send_account.path_of(ledger, account.token)
    assert path == account.path
    assert send_account.read(path, account.token).is_complete


@pytest.mark.parametrize("where", ["nowhere", "another file", "another boot", "no JSON", ""])
def test_a_worker_that_does_not_see_it_keeps_none(
    ledger: Path, where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = {"no JSON": "[", "": ""}.get(where, send_account.place_of(ledger))
    if where == "nowhere":
        ledger.unlink()
    elif where == "another file":
        shutil.copy(ledger, tmp_path / "2")
        (tmp_path / "2").rename(ledger)
    elif where == "another boot":
        (tmp_path / "boot_id").write_text("01234567-89ab-cdef-0123-456789abcdef\n")
        monkeypatch.setattr(send_account, "BOOT_ID", tmp_path / "boot_id")
    assert send_account.keep_at_worker(place, lambda: 0, pool_size=8) is None


def test_what_dead_workers_left_is_swept_and_nothing_else(ledger: Path) -> None:
    def of_worker() -> SendAccount:
        place = send_account.place_of(ledger)
        account = send_account.keep_at_worker(place, lambda: 0, pool_size=8)
        assert account is not None
        account.about_to_send(make_record(3))
        return account

    dead, alive = of_worker(), of_worker()
    dead.close()
    ledger.with_name(f"{ledger.name}.{TOKEN}.account.new").touch()
    other = ledger.with_name(f"other.db.{TOKEN}.account")
    other.touch()
    send_account.sweep(ledger)
    left = {ledger, send_account.path_of(ledger, alive.token), other}
    assert set(ledger.parent.iterdir()) == left
    alive.remove()


# -- when a job calls it


def test_a_job_says_that_it_is_about_to_send_once_a_request_right_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = test_job.Scene()
    scene.kiosk.predicts = [Busy("busy", status=503, retry_after_s=None), test_job.KEY]
    monkeypatch.setattr(test_job.Log, "about_to_send", told_to(scene.log))
    scene.live()
    assert scene.log[:5] == ["settle 7", "about 1", "predict", "attempt refused", "about 2"]


def test_a_job_that_is_not_wanted_does_not_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = test_job.Scene()
    scene.stopping.set()
    monkeypatch.setattr(test_job.Log, "about_to_send", told_to(scene.log))
    scene.live()
    assert scene.log == ["settle 7", "written unfinished"]


def told_to(log: list[str]) -> Callable[[test_job.Log, Record], None]:
    return lambda _book, record: log.append(f"about {len(record.attempts) + 1}")
