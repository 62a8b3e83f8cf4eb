"""Every call of a run with every fault: it is on screen within 15 s, and gone when it heals.

The calls are real requests to a server in this process; time is a clock that the test moves on by
a second at a time, between which requests have some hundredths of a second.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from kiosk_locust.checkpoint.scheduler import Checkpoints
from kiosk_locust.client.body import FileForm
from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.client.call_trouble import TroubleKind
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.client.transport import Transport
from kiosk_locust.errors import KioskLocustError
from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.model.job_hash import FIELDS
from kiosk_locust.monitoring.call_alerts import HERE, Alerts
from kiosk_locust.storage import transfer_progress
from kiosk_locust.storage.bucket import gcs
from kiosk_locust.storage.transfers.fetching import Fetch, session
from kiosk_locust.storage.transfers.reach import Reach
from tests.helpers.clocks import ManualClock
from tests.helpers.scenarios import make_record
from tests.helpers.servers import Connection, RawServer, Received, json_answer, raw_answer

FAULTS = ("refused", "reset", "hang", "500", "502", "503", "late")
CONTENT = b"an image"
#: What the client says of the content that it uploads, which the bucket says of what it has.
CRC = re.compile(rb'"crc32c": *"([^"]+)"')
STEP_S = 0.02
#: A late answer comes after the client's patience; a client whose server hangs never loses it.
PATIENCE_S, LATE_S, FOR_EVER_S = 0.2, 0.5, 300.0
ANSWERS = {
    "/api/predict": json_answer({"hash": "segmentation:a.png:1"}),
    "/api/redis": json_answer({"value": [None] * len(FIELDS)}),
    "/api/redis/expire": json_answer({"value": 1}),
    "/api/upload": json_answer({"uploadedName": "uploads/1.png"}),
    "/output": raw_answer(body=CONTENT, content_type="image/png"),
}


class Server:
    """A Kiosk's frontend and its bucket in one, with a fault or without."""

    def __init__(self) -> None:
        self.fault = ""
        self.failed = 0  # requests that it met with a fault
        self._raw = RawServer(self._behave).__enter__()
        self.port = self._raw.port
        self.url = self._raw.url

    def _behave(self, connection: Connection) -> None:
        while request := connection.read_request():
            fault = self.fault
            self.failed += bool(fault)
            if fault == "reset":
                connection.reset()
                return
            if fault == "hang":
                self._raw.stopping.wait(FOR_EVER_S)
                return
            if fault == "late":
                gevent.sleep(LATE_S)
            if fault.isdigit():
                connection.send(raw_answer(int(fault), b"<html>", "text/html"))
                continue
            connection.send(self._answer(request))

    def _answer(self, request: Received) -> bytes:
        if request.path.startswith("/upload/"):
            (crc32c,) = CRC.findall(request.body)
            return json_answer({"crc32c": crc32c.decode(), "generation": "1"})
        return ANSWERS.get(request.path) or json_answer({}, 404)

    def begin(self, fault: str) -> None:
        self.fault = fault
        if fault == "refused":
            self._raw.stop_listening()
            self._raw.close_connections()

    def heal(self) -> None:
        if self.fault == "refused":
            self._raw = RawServer(self._behave, port=self.port).__enter__()
        self.fault = ""
        self._raw.close_connections()

    def close(self) -> None:
        self._raw.__exit__(None, None, None)


class Scene:
    """Calls of one kind, again and again, and what people see of them."""

    def __init__(self, kind: TroubleKind, fault: str, folder: Path) -> None:
        self.kind, self.fault, self.folder = kind, fault, folder
        self.server = Server()
        self.clock = ManualClock()
        self.failures = CallFailures(self.clock)
        self.alerts = Alerts(lambda: {HERE: self.failures.look()}, self.clock)
        self.timeout_s = FOR_EVER_S if fault == "hang" else PATIENCE_S
        transport = Transport(
            self.server.url, pool_size=4, request_timeout_s=self.timeout_s, clock=self.clock
        )
        self.kiosk = Kiosk(transport, self.failures)
        self.failed = 0
        self.file = folder / "image.png"
        self.file.write_bytes(CONTENT)
        self._call: gevent.Greenlet | None = None
        self._ledger: Ledger | None = None
        self._checkpoints: Checkpoints | None = None

    def call(self) -> None:
        try:
            self._calls()[self.kind]()
        except KioskLocustError:
            self.failed += 1

    def _calls(self) -> dict[TroubleKind, Callable[[], object]]:
        form = FileForm(self.file, "image.png", len(CONTENT))
        return {
            TroubleKind.SUBMISSION: lambda: self.kiosk.predict(make_record().request),
            TroubleKind.POLL: lambda: self.kiosk.read("key"),
            TroubleKind.UPLOAD: lambda: self.kiosk.upload(form),
            TroubleKind.EXPIRY: lambda: self.kiosk.expire("key", 60),
            TroubleKind.DOWNLOAD: self._download,
            TroubleKind.BUCKET: self._put,
            TroubleKind.CHECKPOINT: self._checkpoint,
        }

    def _download(self) -> None:
        fetch = Fetch(
            session(4, Reach(self.server.url)),
            f"{self.server.url}/output",
            self.folder / "output.png",
            timeout_s=self.timeout_s,
        )
        with (
            self.failures.trying(TroubleKind.DOWNLOAD) as pending,
            transfer_progress.watched(pending),
        ):
            fetch()

    def _put(self) -> None:
        bucket = gcs.GoogleBucket("bucket", patience_s=0.1)
        with (
            self.failures.trying(TroubleKind.BUCKET) as pending,
            transfer_progress.watched(pending),
        ):
            bucket.put(self.file, "image.png")

    def wait(self) -> None:
        """Let the call that is under way end, however busy the machine is."""
        if self._call is not None:
            self._call.join()

    def _checkpoint(self) -> None:
        if self._checkpoints is None:
            bucket = gcs.GoogleBucket("bucket", patience_s=0.1)
            self._ledger = Ledger.create(self.folder / "run.db", {})
            self._checkpoints = Checkpoints(
                bucket, "checkpoint.db.gz", self._ledger, Tickets(lambda *_: iter(())), self.clock,
                every_s=60, on_overtaken=lambda _: None, calls=self.failures,
            )  # fmt: skip
        self._checkpoints.first(insist=False)

    def second(self) -> None:
        """Let a second pass; a call that has ended is followed by another."""
        if self._call is None or self._call.dead:
            self._call = gevent.spawn(self.call)
        gevent.sleep(STEP_S)
        if self.kind is TroubleKind.CHECKPOINT:  # no time passes while it is copied and compressed
            while not self._call.dead and not self.failures._pending:
                gevent.sleep(STEP_S / 4)
        self.clock.time += 1
        self.alerts.look()

    def close(self) -> None:
        self.server.close()
        gevent.killall([self._call])
        if self._ledger:
            self._ledger.close()


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def point_at(url: str) -> None:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        os.environ.pop("GOOGLE_APPLICATION_CREDENTIALS", None)

    return point_at


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", TroubleKind)
def test_what_fails_is_said_within_15_s_and_no_longer_than_it_fails(
    kind: TroubleKind,
    fault: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    emulated: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    scene = Scene(kind, fault, tmp_path)
    if fault == "late":
        monkeypatch.setattr(gcs, "_TIMEOUT_S", (5.0, PATIENCE_S))
    emulated(scene.server.url)
    try:
        for _ in range(20):  # all is well
            scene.second()
        while scene.failures.look() or scene.failed:  # but for a machine that was too busy
            scene.failed = 0
            scene.second()
        assert not scene.alerts.lines
        scene.wait()
        caplog.clear()
        scene.server.begin(fault)
        begun_at = scene.clock.now()
        while not scene.alerts.lines:
            assert scene.clock.now() - begun_at < 15, "nothing was said within 15 s"
            scene.second()
        assert scene.clock.now() - begun_at >= 9
        (line,), (text,) = scene.alerts.lines, scene.alerts.texts
        assert kind.plural in line
        assert "Likely cause:" in text
        (record,) = (each for each in caplog.records if each.name.endswith("alerts"))
        assert record.getMessage() == text
        scene.server.heal()
        for _ in range(600):
            scene.second()
            if not scene.alerts.lines:
                break
        assert not scene.alerts.lines
        assert not scene.alerts.texts
        assert "again after" in caplog.messages[-1]
        if kind not in (
            TroubleKind.BUCKET,
            TroubleKind.CHECKPOINT,
        ):  # whose client tries by itself, too
            (tries,) = re.findall(r": (\d+) tr(?:y|ies) failed", caplog.messages[-1])
            assert int(tries) == scene.failed
    finally:
        scene.close()
