"""What the Kiosk says is cut when it is read, however large it is."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TypeVar

import pytest

from kiosk_locust.client.kiosk import MOST_ANSWER_BYTES, Kiosk
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import SystemClock
from kiosk_locust.errors import BadAnswer
from kiosk_locust.model.image_failures import last_line
from kiosk_locust.model.job_hash import FIELDS, Snapshot, kept
from kiosk_locust.model.record import JobRequest
from tests.helpers.servers import Connection, RawServer, raw_answer

T = TypeVar("T")

LARGE = 700_000  # characters: less than the longest answer
REQUEST = JobRequest("segmentation", "image.png", "uploads/image.png")
#: By hand, not from the code: the most characters of each field of an image's job.
MOST = {
    "status": 100,
    "reason": 8_192,
    "updated_by": 256,
    "identity_started": 256,
    "output_file_name": 1_024,
}
ONLY_IN_ZIPS = {
    "children": 2**21,
    "children:done": 2**21,
    "children:failed": 2**21,
    "failures": 2**20,
    "total_time": 2**19,
    "download_time": 2**19,
    "upload_time": 2**19,
    "prediction_time": 2**19,
    "postprocess_time": 2**19,
    "predict_retries": 2**19,
    "children_upload_time": 2**19,
    "cleanup_time": 2**19,
}


def answering_with(body: Callable[[str], bytes]) -> RawServer:
    """A Kiosk whose answers are what ``body`` makes of the path."""

    def answer(connection: Connection) -> None:
        while request := connection.read_request():
            connection.send(raw_answer(200, body(request.path), "application/json"))

    return RawServer(answer)


def hash_of(fields: dict[str, str]) -> Callable[[str], bytes]:
    return lambda _path: json.dumps({"value": [fields.get(name) for name in FIELDS]}).encode()


def read(fields: dict[str, str], *, zipped: bool) -> Snapshot:
    with answering_with(hash_of(fields)) as server:
        job_id = "segmentation:image.png:1"
        return asked(server, lambda kiosk: kiosk.read(job_id, zipped=zipped)).snapshot


def asked(server: RawServer, ask: Callable[[Kiosk], T]) -> T:
    """What a call of the Kiosk's client returns."""
    transport = Transport(server.url, pool_size=1, request_timeout_s=20.0, clock=SystemClock())
    try:
        return ask(Kiosk(transport))
    finally:
        transport.close()


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_of_an_image_is_kept_beyond_its_limit(name: str) -> None:
    found = read({name: "x" * LARGE}, zipped=False)
    assert len(found.fields.get(name, "")) <= MOST.get(name, 0)


@pytest.mark.parametrize("name", ONLY_IN_ZIPS)
def test_a_list_of_a_zip_is_kept_up_to_its_limit_and_counts_as_absent_beyond(name: str) -> None:
    most = ONLY_IN_ZIPS[name]
    longest, longer = "x" * most, "x" * (most + 1)
    assert kept(name, longest, zipped=True) == longest
    assert not kept(name, longer, zipped=True)
    assert kept(name, longest, zipped=False) is None


def test_reasons_of_a_zip_end_between_two_of_them() -> None:
    pair = f"segmentation%3Aa.png%3A{'0' * 32}=ValueError"
    text = "&".join([pair] * 20_000)
    found = kept("failures", text, zipped=True)
    assert found
    assert set(found.split("&")) == {pair}
    assert 2**20 - 2 * len(pair) < len(found) <= 2**20


def test_a_long_reason_keeps_its_begin_and_what_happened() -> None:
    traceback = "Traceback:\n" + "  File a.py\n" * 50_000 + "ValueError: no such channel"
    found = read({"status": "failed", "reason": traceback}, zipped=False).fields["reason"]
    assert found.startswith("Traceback:\n  File a.py")
    assert last_line(found) == "ValueError: no such channel"
    assert "[… 59" in found
    assert "characters left out …]" in found


@pytest.mark.parametrize("text", ["new", "retry-predicting - 3 - DEADLINE_EXCEEDED", "done"])
def test_statuses_of_a_real_kiosk_are_kept_as_they_are(text: str) -> None:
    assert read({"status": text}, zipped=False).status == text


def test_an_address_of_an_object_with_a_signature_is_kept_whole() -> None:
    address = f"https://storage.example/{'a' * 1_000}.zip?X-Goog-Signature={'0' * 512}"
    assert read({"output_url": address}, zipped=False).fields["output_url"] == address


def test_a_field_that_is_cut_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    fields = hash_of({"status": "s" * 5_000, "created_at": "c" * 5_000})
    with (
        caplog.at_level(logging.WARNING, "kiosk_locust.client.kiosk"),
        answering_with(fields) as server,
    ):
        asked(server, lambda kiosk: [kiosk.read("a:b:1", zipped=False) for _ in range(3)])
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "field status of job a:b:1 has 5,000 characters, and is cut" in lines[0]
    assert "field created_at of job a:b:1 has 5,000 characters, and counts as absent" in lines[1]


def test_an_answer_about_an_image_of_more_than_a_mebibyte_is_none() -> None:
    with pytest.raises(BadAnswer, match="more than 1,048,576 bytes"):
        read({"reason": "x" * (MOST_ANSWER_BYTES + 1)}, zipped=False)
    found = read({"reason": "x" * (MOST_ANSWER_BYTES + 1)}, zipped=True)
    assert len(found.fields["reason"]) <= 8_192


def test_a_job_id_beyond_what_names_can_be_is_none() -> None:
    longest = "k" * (1_024 + len("image.png"))
    assert submitted(longest) == longest
    with pytest.raises(BadAnswer, match=r"a job's hash of 1,034 characters"):
        submitted(longest + "k")


def submitted(job_id: str) -> str:
    """The id of a job whose Kiosk calls it ``job_id``."""
    body = json.dumps({"hash": job_id}).encode()
    with answering_with(lambda _path: body) as server:
        return asked(server, lambda kiosk: kiosk.predict(REQUEST)).job_id
