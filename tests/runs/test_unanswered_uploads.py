"""Uploads that are sent whole and not answered: few, counted, with a cause; and their time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk
from kiosk_locust.client.body import FileForm
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import SystemClock
from kiosk_locust.errors import KioskLocustError, NoAnswer, ServerFault, Unreachable
from kiosk_locust.model.record import Outcome
from kiosk_locust.storage.upload_stage import MOST_UNANSWERED
from tests.helpers.servers import (
    Connection,
    RawServer,
    hanging,
    json_answer,
    resetting_after_request,
)
from tests.simulator.clients import Client
from tests.storage.test_upload_stage import live

SIZE = 3_000_000
NAMED = json_answer({"uploadedName": "uploads/1.tif"})
WHOLE = NoAnswer("no whole answer came", sent_whole=True)
NOT_WHOLE = NoAnswer("the connection broke in mid-upload")
GATEWAY = ServerFault("answered 504", status=504)


@pytest.mark.parametrize("fault", [WHOLE, GATEWAY])
def test_three_that_are_not_answered_close_the_job_with_the_cause_and_the_copies(
    fault: KioskLocustError,
) -> None:
    scene, record = live(fault, on_ambiguous="resubmit")
    assert scene.log.count("upload") == MOST_UNANSWERED == 3
    assert "predict" not in scene.log
    assert record.outcome is Outcome.ERROR
    for part in ("sent whole 3 times", "up to 3 copies", "uniform", "UPLOAD_VIA=bucket"):
        assert part in record.reason
    assert str(fault) in record.reason


def test_they_lie_so_far_apart_that_a_frontend_has_time_to_restart() -> None:
    scene, _ = live(WHOLE)
    assert 22.5 <= sum(scene.clock.slept) <= 45


@pytest.mark.parametrize("fault", [NOT_WHOLE, Unreachable("refused")])
def test_what_was_surely_not_stored_is_sent_until_the_budget_is_over(
    fault: KioskLocustError,
) -> None:
    scene, record = live(fault, retry_budget_s=600.0)
    assert scene.log.count("upload") > 10
    assert record.outcome is Outcome.ERROR
    assert "cop" not in record.reason


def test_copies_are_told_whatever_ends_the_job() -> None:
    _, record = live(WHOLE, Unreachable("refused"), retry_budget_s=60.0)
    assert record.outcome is Outcome.ERROR
    assert "not uploaded: refused; up to 1 copy of it may be left" in record.reason


def test_an_upload_that_succeeds_after_two_such_tries_is_submitted() -> None:
    scene, record = live(WHOLE, WHOLE, "uploads/1.png")
    assert record.outcome is Outcome.DONE
    assert scene.log.count("predict") == 1


# -- over the wire


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.tif"
    path.write_bytes(bytes(SIZE))
    return path


def upload(url: str, file: Path, timeout_s: float) -> str:
    transport = Transport(url, pool_size=1, request_timeout_s=timeout_s, clock=SystemClock())
    return Kiosk(transport).upload(FileForm(file, file.name, file.stat().st_size))[0]


def reset_in_the_midst(connection: Connection) -> None:
    """Take some of a request and break off, as a proxy does that restarts."""
    connection.sock.recv(65536)
    connection.reset()


@pytest.mark.parametrize(
    ("behaviour", "is_whole"),
    [(hanging, True), (resetting_after_request, True), (reset_in_the_midst, False)],
)
def test_the_error_says_whether_the_file_was_sent_whole(
    behaviour: Callable[[Connection], None], is_whole: bool, tmp_path: Path
) -> None:
    large = tmp_path / "large.tif"  # more than fits the buffers of both sides, where it breaks off
    large.write_bytes(bytes(100_000 if is_whole else 40_000_000))
    with RawServer(behaviour) as server, pytest.raises(NoAnswer) as raised:
        upload(server.url, large, timeout_s=0.3)
    assert raised.value.sent_whole is is_whole


def answering_late(after_s: float) -> Callable[[Connection], None]:
    def behave(connection: Connection) -> None:
        while connection.read_request():
            time.sleep(after_s)
            connection.send(NAMED)

    return behave


def test_the_answer_to_a_large_file_has_more_time_than_request_timeout(file: Path) -> None:
    """3 MB at half a megabyte a second: 6 s more."""
    with RawServer(answering_late(1.5)) as server:
        assert upload(server.url, file, timeout_s=0.3) == "uploads/1.tif"
        assert len(server.requests) == 1


def test_the_answer_to_a_small_file_has_not(tmp_path: Path) -> None:
    small = tmp_path / "a.tif"
    small.write_bytes(b"x")
    with RawServer(answering_late(3.0)) as server, pytest.raises(NoAnswer, match=r"0\.5 MB/s"):
        upload(server.url, small, timeout_s=0.3)


def test_a_frontend_slower_than_request_timeout_gets_one_whole_upload(file: Path) -> None:
    """As one that needs 40 s for 40 MB; the simulated Kiosk's own log is the witness."""
    with EmbeddedKiosk("--upload-mb-per-s", "2") as url:
        began_at = time.monotonic()
        upload(url, file, timeout_s=0.5)
        assert time.monotonic() - began_at >= 1.5
        client = Client(url)
        (stored,) = client.get("/simulator/uploads").json
        client.close()
    assert stored["size"] == SIZE


def test_a_bucket_with_uniform_access_has_the_file_and_its_sender_no_answer(file: Path) -> None:
    with EmbeddedKiosk("--uniform-access") as url:
        small = file.with_name("b.tif")
        small.write_bytes(b"x" * 10)
        with pytest.raises(NoAnswer) as raised:
            upload(url, small, timeout_s=1.0)
        client = Client(url)
        (stored,) = client.get("/simulator/uploads").json
        client.close()
    assert raised.value.sent_whole
    assert stored["size"] == 10
