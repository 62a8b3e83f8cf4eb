"""A run of one ticket in time that does not pass: the package's own client, job and downloads.

Only the sockets are played: what the transport makes of them is what `test_transport` shows with
real ones.
"""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from gevent.event import Event
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import ReadTimeoutError

from kiosk_locust.assembly import preflight
from kiosk_locust.client.body import Body
from kiosk_locust.client.exchange import Exchange
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.errors import NoAnswer, PreflightError, Timing, Withdrawn
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.job import Job, JobServices
from kiosk_locust.model.input_file import InputFile, Kind
from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.options import TransferOptions
from kiosk_locust.model.ports import ALREADY_DURABLE, AlreadyDurable
from kiosk_locust.model.record import Attempt, Download, Record, StatusChange, Ticket, Upload
from kiosk_locust.storage.transfers import downloads
from kiosk_locust.storage.transfers.reach import Reach
from kiosk_locust.storage.transfers.uploading import FrontendUploader
from kiosk_locust.verdict.exit_code import exit_code
from tests.helpers.clocks import ManualClock
from tests.helpers.scenarios import make_options, make_record
from tests.hostile.came import Came
from tests.hostile.kiosk import LASTS_S, OneJob, Spell, call_of
from tests.hostile.table import DOWNLOAD, NO_START, UPLOAD, Cell

BASE_URL = "http://kiosk.test"
REQUEST_S = 0.01
REQUEST_TIMEOUT_S = 30.0
DRIPPING_S = 94.0  # after which a download gives it up


class Wire:
    """What the transport does, without sockets: a request, and what goes wrong with it."""

    base_url = BASE_URL

    def __init__(self, cell: Cell, clock: ManualClock, rng: random.Random) -> None:
        self.clock = clock
        self.kiosk = OneJob(BASE_URL)
        self._fault = cell.fault
        self._spell = Spell(cell.call, LASTS_S[cell.spell])
        self._rng = rng

    def close(self) -> None:
        """Nothing is open."""

    def strikes(self, path: str) -> bool:
        """Whether a request goes wrong."""
        return self._spell.strikes(call_of(path), self.clock.now())

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Body | None = None,
        *,
        wanted: Callable[[], bool] | None = None,
        most_bytes: int | None = None,
    ) -> Exchange:
        """As `Transport.request`."""
        if wanted is not None and not wanted():
            raise Withdrawn("not wanted")
        sent_at = self.clock.now()
        fault = self._fault if self.strikes(path) else None
        self.clock.sleep(REQUEST_TIMEOUT_S if fault and fault.waits else REQUEST_S)
        now = self.clock.now()
        content = body if isinstance(body, bytes) else b"".join(body.pieces()) if body else b""
        true = b""
        if call_of(path) == "submission" and not (fault and fault.at_once):
            self.kiosk.submissions += 1
        if fault is None or fault.arrives:
            true = self.kiosk.answer(path, content)
        if fault is None:
            return Exchange(method, path, 200, {}, true, sent_at, sent_at, sent_at, now)
        if fault.answer is None:
            raise self._broken(method, path, Timing(sent_at, sent_at, sent_at, None))
        answer = fault.answer
        headers = {"content-type": answer.content_type}
        for name, value in answer.headers_at(now, path).items():
            headers[name.lower()] = value
        said = true if answer.body is None else answer.body
        return Exchange(method, path, answer.status, headers, said, sent_at, sent_at, sent_at, now)

    def _broken(self, method: str, path: str, timing: Timing) -> Exception:
        kind = self._rng.choice(self._fault.errors)
        words = {
            "Unreachable": "was not sent: connection refused",
            "NoAnswer": "was sent and may have been processed, but no whole answer came",
            "BadAnswer": "answered 200 with too much",
            "TooLarge": "answered 200 with too much",
        }[kind.__name__]
        said = f"{method} {BASE_URL}{path} {words}"
        error = kind(said, status=200) if words.startswith("answered") else kind(said)  # type: ignore[call-arg]  # Answered's
        error.timing = timing
        if isinstance(error, NoAnswer):
            error.sent_whole = self._fault.arrives
        return error


class Files(BaseAdapter):
    """The same for downloads, which have a client of their own."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]  # all named
        """Answer, or break off."""
        wire = self._wire
        path = "/results/masks.zip"
        fault = wire._fault if wire.strikes(path) else None
        wire.clock.sleep(REQUEST_TIMEOUT_S if fault and fault.waits else REQUEST_S)
        true = wire.kiosk.answer(path, b"")
        if fault is None:
            return _response(request, 200, true, {})
        if fault.name == "100 MB body":
            return _response(request, 200, b"\0" * 2**20, {})
        if fault.name == "gzip bomb":
            return _response(request, 200, b"packed", {"Content-Encoding": "gzip"})
        if fault.name == "slow drip":
            raise requests.ConnectionError("it dripped")
        if fault.waits:
            raise requests.ReadTimeout(ReadTimeoutError(None, path, "read timed out"))  # type: ignore[arg-type]  # no pool
        if fault.answer is None:
            raise requests.ConnectionError("connection broke")
        answer = fault.answer
        said = true if answer.body is None else answer.body
        headers = {"Content-Type": answer.content_type} | answer.headers_at(0.0, path)
        return _response(request, answer.status, said, headers)

    def close(self) -> None:
        """Nothing is open."""


def _response(
    request: requests.PreparedRequest, status: int, body: bytes, headers: Mapping[str, str]
) -> requests.Response:
    raw = HTTPResponse(
        body=io.BytesIO(body),
        status=status,
        headers={"Content-Length": str(len(body)), **headers},
        preload_content=False,
    )
    return HTTPAdapter().build_response(request, raw)


class Log:
    """A log, and a gate, that has all at once."""

    def lease(self, record: Record) -> AlreadyDurable:
        """Kept elsewhere."""
        return ALREADY_DURABLE

    def uploaded(self, record: Record, upload: Upload) -> None:
        """Kept elsewhere."""

    def is_reused(self, record: Record, upload: Upload) -> bool:
        """Whether its ticket's upload has an earlier one's name; there is one ticket."""
        return False

    def attempt(self, record: Record, attempt: Attempt) -> None:
        """Kept on the record."""

    def submit(self, record: Record) -> None:
        """Kept on the record."""

    def change(self, record: Record, change: StatusChange) -> None:
        """Kept on the record."""

    def close_ticket(self, record: Record, measures: Measures) -> None:
        """Kept on the record."""

    def downloaded(self, record: Record, download: Download) -> None:
        """Kept elsewhere."""

    def expire_failed(self, record: Record) -> None:
        """Kept on the record."""

    def settle(self) -> None:
        """It is durable."""

    def may_submit(self, ticket: Ticket) -> bool:
        """The run goes on."""
        return True

    def may_send(self, record: Record) -> bool:
        """It may; the server's log has it."""
        return True

    def wait_open(self) -> None:
        """It is."""


def play(cell: Cell, folder: Path, patch: pytest.MonkeyPatch, seed: int) -> Came:
    """Play one cell."""
    clock, rng = ManualClock(), random.Random(seed)
    wire = Wire(cell, clock, rng)
    patch.setattr(preflight, "Transport", lambda *_, **__: wire)
    kiosk = Kiosk(wire)  # type: ignore[arg-type]  # it has the calls that a Kiosk makes
    try:
        preflight.find_base_url(BASE_URL, clock=clock, rng=rng)
        preflight.check_kiosk(kiosk, "segmentation", rng=rng)
    except PreflightError as error:
        return Came(NO_START, 2, wire.kiosk.submissions, len(wire.kiosk.jobs), False, str(error))
    record = make_record()
    log = Log()
    services = JobServices(
        kiosk=kiosk,
        log=log,
        bus=JobBus(),
        gate=log,
        options=make_options(retry_budget_s=600.0),
        clock=clock,
        rng=rng,
        rest=clock.wait,
        uploader=_uploader(kiosk, folder) if cell.call == UPLOAD else None,
    )
    Job(record, services).run()
    words = record.reason or record.expire_error
    if cell.call == DOWNLOAD:
        words = _downloaded(record, wire, folder, patch, rng).error
    assert record.outcome is not None
    verdict = exit_code(Counter([record.outcome]), finished=record.outcome.is_the_kiosks)
    submissions, jobs = wire.kiosk.submissions, len(wire.kiosk.jobs)
    return Came(record.outcome, verdict.code, submissions, jobs, record.ambiguous, words)


def _uploader(kiosk: Kiosk, folder: Path) -> FrontendUploader:
    file = folder / "image.png"
    file.write_bytes(b"png")
    options = TransferOptions(
        mode="benchmark",
        upload=True,
        upload_via="frontend",
        download=False,
        concurrent_downloads=1,
        root=str(folder),
        inputs=(InputFile("image.png", 3, Kind.PNG, 1),),
    )
    return FrontendUploader(kiosk, options)


def _downloaded(
    record: Record, wire: Wire, folder: Path, patch: pytest.MonkeyPatch, rng: random.Random
) -> Download:
    """Fetch what the job made, as the package does."""
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", Files(wire))
    patch.setattr(downloads, "session", lambda *_: made)
    told: list[Download] = []

    def tell(_record: Record, download: Download) -> None:
        told.append(download)

    fetching = downloads.Downloads(
        folder, at_once=1, timeout_s=30.0, reach=Reach(BASE_URL), clock=wire.clock, rng=rng
    )
    fetching.begin(record, tell)
    fetching.finish(60.0, Event())
    (download,) = told
    assert bool(download.error) is (not list(folder.glob("*.zip")))
    return download
