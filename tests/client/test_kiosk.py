"""The Kiosk's API as typed calls: what is sent, what is read, and which errors come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from kiosk_locust.client.kiosk import Kiosk, predict_body
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import SystemClock
from kiosk_locust.errors import (
    BadAnswer,
    Busy,
    KioskError,
    NoAnswer,
    Redirected,
    Refused,
    ServerFault,
    Unreachable,
)
from kiosk_locust.model.job_hash import FIELDS
from kiosk_locust.model.record import JobRequest
from tests.helpers.servers import (
    Behaviour,
    RawServer,
    answering,
    closing_after,
    html_answer,
    json_answer,
    raw_answer,
    refusing_url,
    resetting_after_request,
)

PLAIN = JobRequest("segmentation", "a.png", "uploads/a.png")
FULL = JobRequest(
    job_type="segmentation",
    image_name="a.png",
    uploaded_name="uploads/a.png",
    model_name="NuclearSegmentation",
    model_version="0",
    preprocess="normalize",
    postprocess="deep_watershed",
    scale="1",
    label="0",
    dimension_order="XYB",
    channels="0,,",
    segmentation_type="nuclear",
)
JOB_ID = "segmentation:a.png:e9e8e391-4872-4555-aa90-e9a39090eae0"


@contextmanager
def kiosk_at(url: str) -> Iterator[Kiosk]:
    transport = Transport(url, pool_size=2, request_timeout_s=5.0, clock=SystemClock())
    yield Kiosk(transport)
    transport.close()


@contextmanager
def kiosk_answering(*answers: bytes) -> Iterator[tuple[Kiosk, RawServer]]:
    with RawServer(answering(*answers)) as server, kiosk_at(server.url) as kiosk:
        yield kiosk, server


def values(**fields: str | None) -> dict[str, Any]:
    """The answer to a read, by field."""
    return {"value": [fields.get(name) for name in FIELDS]}


# -- against an ordinary server


def test_a_whole_job_over_an_ordinary_server(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/predict", "POST", json=predict_body(FULL)).respond_with_json(
        {"hash": JOB_ID}
    )
    httpserver.expect_request(
        "/api/redis", "POST", json={"hash": JOB_ID, "key": list(FIELDS)}
    ).respond_with_json(values(status="done", total_time="2.0"))
    httpserver.expect_request(
        "/api/redis/expire", "POST", json={"hash": JOB_ID, "expireIn": 3600}
    ).respond_with_json({"value": 1})
    with kiosk_at(httpserver.url_for("").rstrip("/")) as kiosk:
        submission = kiosk.predict(FULL)
        reading = kiosk.read(submission.job_id)
        known = kiosk.expire(submission.job_id, 3600)
    assert submission.job_id == JOB_ID
    assert reading.snapshot.fields == {"status": "done", "total_time": "2.0"}
    assert known
    httpserver.check_assertions()


# -- predict


def test_every_setting_of_a_job_is_sent() -> None:
    with kiosk_answering(json_answer({"hash": JOB_ID})) as (kiosk, server):
        kiosk.predict(FULL)
    assert server.requests[0].json == {
        "jobType": "segmentation",
        "imageName": "a.png",
        "uploadedName": "uploads/a.png",
        "modelName": "NuclearSegmentation",
        "modelVersion": "0",
        "preprocessFunction": "normalize",
        "postprocessFunction": "deep_watershed",
        "dataRescale": 1,
        "dataLabel": "0",
        "jobForm": {
            "dimensionOrder": "XYB",
            "selectedChannels": "0,,",
            "scale": 1,
            "segmentationType": "nuclear",
        },
    }


def test_what_is_empty_is_left_to_the_kiosk() -> None:
    assert predict_body(PLAIN) == {
        "jobType": "segmentation",
        "imageName": "a.png",
        "uploadedName": "uploads/a.png",
    }


@pytest.mark.parametrize(
    ("given", "sent"), [("1", 1), ("0.65", 0.65), ("2.0", 2), ("auto", "auto"), ("nan", "nan")]
)
def test_a_scale_is_sent_as_a_number_if_it_is_one(given: str, sent: object) -> None:
    body = json.loads(json.dumps(predict_body(replace(PLAIN, scale=given))))
    assert body["dataRescale"] == sent
    assert body["jobForm"] == {"scale": sent}


def test_names_of_any_script_arrive_as_they_are() -> None:
    request = replace(PLAIN, image_name='Zellen-µ 細胞 "a".png')
    with kiosk_answering(json_answer({"hash": JOB_ID})) as (kiosk, server):
        kiosk.predict(request)
    assert server.requests[0].json["imageName"] == 'Zellen-µ 細胞 "a".png'


def test_a_submission_has_the_times_of_its_request() -> None:
    with kiosk_answering(json_answer({"hash": JOB_ID})) as (kiosk, _):
        exchange = kiosk.predict(PLAIN).exchange
    times = (exchange.asked_at, exchange.socket_at, exchange.sent_at, exchange.received_at)
    assert times == tuple(sorted(times))


@pytest.mark.parametrize(
    "answer",
    [
        json_answer({}),
        json_answer({"hash": None}),
        json_answer({"hash": ""}),
        json_answer({"hash": 12}),
        json_answer({"hash": ["x"]}),
        json_answer([]),
        raw_answer(200, b'{"hash": "\\ud800"}'),
        raw_answer(200, b'{"hash": "x"'),
        raw_answer(200, b'{"hash": "\xff"}'),
        raw_answer(204),
        html_answer(),
    ],
)
def test_an_acceptance_without_a_jobs_hash_is_a_bad_answer(answer: bytes) -> None:
    with kiosk_answering(answer) as (kiosk, _), pytest.raises(BadAnswer):
        kiosk.predict(PLAIN)


def test_the_kiosks_reason_for_a_refusal_is_told() -> None:
    refusal = json_answer({"message": "Invalid Job Type: nope."}, 400)
    with kiosk_answering(refusal) as (kiosk, server), pytest.raises(Refused) as caught:
        kiosk.predict(PLAIN)
    assert caught.value.status == 400
    assert f"POST {server.url}/api/predict answered 400" in str(caught.value)
    assert "Invalid Job Type: nope." in str(caught.value)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (answering(html_answer(404)), Refused),
        (answering(json_answer({}, 429, Retry_After="3")), Busy),
        (answering(html_answer(503)), Busy),
        (answering(json_answer({"message": "Redis"}, 500)), ServerFault),
        (answering(html_answer(502, "502 Bad Gateway")), ServerFault),
        (answering(html_answer(504)), ServerFault),
        (answering(raw_answer(308, Location="https://127.0.0.1/api/predict")), Redirected),
        (resetting_after_request, NoAnswer),
        (closing_after(json_answer({"hash": JOB_ID})[:-3]), NoAnswer),
    ],
)
def test_a_submission_that_fails_is_never_sent_twice(
    behaviour: Behaviour, kind: type[KioskError]
) -> None:
    with RawServer(behaviour) as server, kiosk_at(server.url) as kiosk:
        with pytest.raises(kind) as caught:
            kiosk.predict(PLAIN)
        assert len(server.requests) == 1
    assert caught.value.timing is not None
    assert caught.value.timing.sent_at is not None


def test_a_host_that_refuses_is_unreachable() -> None:
    with refusing_url() as url, kiosk_at(url) as kiosk, pytest.raises(Unreachable):
        kiosk.predict(PLAIN)


def test_a_redirect_to_another_host_carries_nothing_there() -> None:
    with RawServer(answering(json_answer({"hash": JOB_ID}))) as elsewhere:
        answer = raw_answer(307, Location=elsewhere.url + "/api/predict")
        with kiosk_answering(answer) as (kiosk, _), pytest.raises(Redirected) as caught:
            kiosk.predict(PLAIN)
        assert elsewhere.connections == 0
    assert caught.value.location == elsewhere.url + "/api/predict"


# -- read


def test_one_request_reads_every_field() -> None:
    with kiosk_answering(json_answer(values(status="started", total_jobs="3"))) as (kiosk, server):
        reading = kiosk.read(JOB_ID)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/redis")
    assert request.json == {"hash": JOB_ID, "key": list(FIELDS)}
    assert reading.snapshot.fields == {"status": "started", "total_jobs": "3"}
    assert "progress" not in request.json["key"]  # inflated, and not monotonic: nothing may use it


def test_an_unknown_job_has_no_fields() -> None:
    with kiosk_answering(json_answer(values())) as (kiosk, _):
        assert not kiosk.read("missing").snapshot.exists


def test_halves_of_characters_are_replaced_so_that_the_rest_can_be_kept() -> None:
    body = json.dumps(values(status="failed", reason="bad \ud800 name µ")).encode()
    with kiosk_answering(raw_answer(200, body)) as (kiosk, _):
        assert kiosk.read(JOB_ID).snapshot.fields["reason"] == "bad ? name µ"


@pytest.mark.parametrize(
    "answer",
    [
        json_answer({}),
        json_answer({"value": None}),
        json_answer({"value": "done"}),
        json_answer({"value": {"status": "done"}}),
        json_answer({"value": ["done"]}),
        json_answer({"value": [None] * (len(FIELDS) + 1)}),
        json_answer({"value": [1.5] * len(FIELDS)}),
        json_answer({"value": [["done"]] * len(FIELDS)}),
        json_answer("done"),
        raw_answer(200, b"\xff\xfe"),
        raw_answer(200, b"1" * 5_000),
        raw_answer(200, b'{"value": ' + b"[" * 100_000),
        raw_answer(200),
        html_answer(),
    ],
)
def test_a_reading_of_another_shape_is_a_bad_answer(answer: bytes) -> None:
    with kiosk_answering(answer) as (kiosk, _), pytest.raises(BadAnswer) as caught:
        kiosk.read(JOB_ID)
    assert len(str(caught.value)) < 500


def test_after_a_fault_the_next_reading_is_as_good_as_any() -> None:
    good = json_answer(values(status="done"))
    with kiosk_answering(html_answer(502), good) as (kiosk, _):
        with pytest.raises(ServerFault, match="502"):
            kiosk.read(JOB_ID)
        assert kiosk.read(JOB_ID).snapshot.status == "done"


# -- expire


def test_an_expiry_is_sent_as_a_whole_number() -> None:
    with kiosk_answering(json_answer({"value": 1})) as (kiosk, server):
        assert kiosk.expire(JOB_ID, 3600) is True
    assert server.requests[0].body == json.dumps({"hash": JOB_ID, "expireIn": 3600}).encode()


def test_an_unknown_hash_cannot_expire_and_that_is_no_error() -> None:
    with kiosk_answering(json_answer({"value": 0}, 404)) as (kiosk, _):
        assert kiosk.expire("missing", 3600) is False


def test_a_404_of_somebody_else_is_an_error() -> None:
    for answer in (json_answer({}, 404), html_answer(404), json_answer([0], 404)):
        with kiosk_answering(answer) as (kiosk, _), pytest.raises(Refused):
            kiosk.expire(JOB_ID, 3600)


def test_a_zero_with_another_status_is_an_error() -> None:
    with kiosk_answering(json_answer({"value": 0}, 500)) as (kiosk, _), pytest.raises(ServerFault):
        kiosk.expire(JOB_ID, 3600)


def test_an_expiry_without_a_verdict_is_a_bad_answer() -> None:
    for answer in (json_answer({}), json_answer({"value": "OK"}), html_answer()):
        with kiosk_answering(answer) as (kiosk, _), pytest.raises(BadAnswer):
            kiosk.expire(JOB_ID, 3600)


@pytest.mark.parametrize("seconds", [0, -1, 0.5, 1.5])
def test_an_expiry_that_redis_would_refuse_is_not_sent(seconds: float) -> None:
    with kiosk_answering(json_answer({"value": 1})) as (kiosk, server):
        with pytest.raises(ValueError, match="whole number"):
            kiosk.expire(JOB_ID, seconds)  # type: ignore[arg-type]  # that is the point
        assert server.connections == 0


# -- what the Kiosk knows


def test_job_types_are_listed() -> None:
    with kiosk_answering(json_answer({"jobTypes": ["segmentation", "mesmer"]})) as (kiosk, server):
        assert kiosk.job_types() == ("segmentation", "mesmer")
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/api/jobtypes")


def test_models_are_listed_with_their_versions_as_text() -> None:
    answer = json_answer({"models": {"Nuclear": ["0", 1], "Empty": []}})
    with kiosk_answering(answer) as (kiosk, server):
        assert kiosk.models() == {"Nuclear": ("0", "1"), "Empty": ()}
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/api/models")


def test_health_is_asked_for() -> None:
    with kiosk_answering(json_answer({"message": "OK"})) as (kiosk, server):
        kiosk.health()
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/api/health-check")


@pytest.mark.parametrize("call", ["job_types", "models", "health"])
@pytest.mark.parametrize(
    "answer",
    [
        json_answer({}),
        json_answer({"jobTypes": "x", "models": "x", "message": 1}),
        json_answer({"jobTypes": [1], "models": {"a": "0"}, "message": None}),
        json_answer({"jobTypes": {}, "models": {"a": [None]}, "message": []}),
        html_answer(),
    ],
)
def test_lists_of_another_shape_are_bad_answers(call: str, answer: bytes) -> None:
    with kiosk_answering(answer) as (kiosk, _), pytest.raises(BadAnswer):
        getattr(kiosk, call)()
