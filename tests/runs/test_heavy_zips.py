"""ZIPs of thousands of images that failed: their reasons weigh as much as an answer may."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import msgpack  # type: ignore[import-untyped]
import pytest

from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import SystemClock
from kiosk_locust.codec import decode, encode
from kiosk_locust.distributed.worker_run import RemoteJobLog, granted
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.model import image_failures
from kiosk_locust.model.image_failures import FailedImage, failed_images, lighter, main_reason
from kiosk_locust.model.job_hash import FIELDS, UNREAD, Snapshot
from kiosk_locust.model.job_metrics import failed_children, images_of_zip, measure
from kiosk_locust.model.record import Outcome
from kiosk_locust.model.ticket_events import Closed, Entry
from tests.helpers.records import close_in, record
from tests.helpers.servers import Connection, RawServer, json_answer
from tests.model.test_image_failures import TRACEBACK, zip_fields

JOB = "segmentation-zip:a.zip:0"


def stored(folder: Path, fields: Mapping[str, str], outcome: Outcome) -> dict[str, Any]:
    """A job's row as its ledger has it."""
    path = folder / "run.db"
    path.unlink(missing_ok=True)
    ledger = Ledger.create(path, {})
    job = record(outcome=outcome, fields=fields, file="a.zip")
    job.closed_at = 110.0
    ledger.lease(job)
    close_in(ledger, job)
    ledger.close()
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        return dict(db.execute("SELECT * FROM tickets").fetchone())


KEYS = [f"segmentation:{number}.png:{number:032x}" for number in range(150)]
REASONS = [(key, (TRACEBACK * 8, "boom", "")[number % 3]) for number, key in enumerate(KEYS)]
LISTED = {
    "no lists": {},
    "lists": {"children": ",".join(KEYS), "children:done": "", "children:failed": ",".join(KEYS)},
    "not ended": {"children": ",".join(KEYS), "children:done": "", "children:failed": ""},
}
#: What may stand behind the entries: some are said twice, or cut off.
ENDS = ["", "&" + urlencode(REASONS[:3]), "&&=&cut"]


@pytest.mark.parametrize("outcome", [Outcome.PARTIAL, Outcome.FAILED])
@pytest.mark.parametrize("end", ENDS, ids=["whole", "twice", "cut"])
@pytest.mark.parametrize("listed", LISTED)
def test_a_ledger_has_the_same_of_what_a_worker_made_lighter(
    tmp_path: Path, listed: str, end: str, outcome: Outcome
) -> None:
    fields = {"status": "done", "total_jobs": "160", "failures": urlencode(REASONS) + end}
    fields |= LISTED[listed]
    light = lighter(fields)
    assert len(light["failures"]) < len(fields["failures"]) / 4
    assert stored(tmp_path, light, outcome) == stored(tmp_path, fields, outcome)
    assert failed_children(Snapshot(light)) == failed_children(Snapshot(fields)) >= 150


@pytest.mark.parametrize("has_lists", [True, False])
def test_a_worker_tells_of_4000_failed_images_in_a_small_message(has_lists: bool) -> None:
    fields = zip_fields(4_000, children__done="") | {"total_jobs": "4000"}
    if not has_lists:  # as older consumers
        fields = {name: text for name, text in fields.items() if "children" not in name}
    said: list[Entry] = []
    end = SimpleNamespace(session=1, say=lambda entry, now: said.append(entry))
    log = RemoteJobLog(cast("Any", end), lambda: 0.0)
    job = record(outcome=Outcome.PARTIAL, fields=fields, file="a.zip")
    job.ticket = granted(job.ticket, 1)
    close_in(log, job)
    (entry,) = said
    sent = msgpack.dumps(encode(entry))
    assert len(fields["failures"]) > 10_000_000
    assert len(sent) < 1_000_000
    closed = decode(Entry, msgpack.loads(sent)).event
    assert isinstance(closed, Closed)
    assert closed.fields is not None
    snapshot = Snapshot(closed.fields)
    assert images_of_zip(snapshot, JOB) == (0, 4_000)
    assert len(list(failed_images(snapshot.fields["failures"]))) == image_failures.MOST_KEPT


def test_a_reason_of_the_first_hundred_images_says_at_least() -> None:
    snapshot = Snapshot(zip_fields(4_000))
    assert main_reason(snapshot, 4_000) == (
        "at least 100 of them: ValueError: 50% of a,b & c=d are bad"
    )
    assert main_reason(Snapshot(zip_fields(100)), 100) == "ValueError: 50% of a,b & c=d are bad"


def hash_of(fields: Mapping[str, str]) -> Any:
    """A Kiosk whose jobs all have that hash."""

    def behave(connection: Connection) -> None:
        while request := connection.read_request():
            keys = json.loads(request.body)["key"]
            connection.send(json_answer({"value": [fields.get(key) for key in keys]}))

    return behave


def test_a_hash_that_is_too_large_is_read_without_its_reasons(tmp_path: Path) -> None:
    fields = zip_fields(300)
    with RawServer(hash_of(fields)) as server:
        transport = Transport(
            server.url, pool_size=1, request_timeout_s=5.0, clock=SystemClock(),
            max_answer_bytes=100_000,
        )  # fmt: skip
        snapshot = Kiosk(transport).read(JOB).snapshot
        transport.close()
    asked = [json.loads(request.body)["key"] for request in server.requests]
    assert asked == [list(FIELDS), [name for name in FIELDS if name != "failures"]]
    assert images_of_zip(snapshot, JOB) == (0, 300)
    assert main_reason(snapshot, 300) == image_failures.NOT_READ
    row = stored(tmp_path, snapshot.fields, Outcome.PARTIAL)
    kept = json.loads(row["fields"])
    assert row["images_failed"] == 300
    assert next(failed_images(kept["failures"])) == FailedImage("0.png", image_failures.NOT_READ)
    assert not [name for name in kept if name.startswith("failures:")]


def test_of_a_hash_without_lists_that_is_too_large_one_image_failed_at_least() -> None:
    fields = {"status": "done", UNREAD: "true", "total_jobs": "7", "total_time": "1,2,3"}
    job = record(outcome=Outcome.PARTIAL, fields=fields, file="a.zip")
    assert measure(job).images_failed >= 1
