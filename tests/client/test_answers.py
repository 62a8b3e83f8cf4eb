"""What answers mean, and how errors are worded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.client.answers import fault, json_object, retry_after_s, words_of
from kiosk_locust.client.exchange import Exchange
from kiosk_locust.errors import (
    Answered,
    BadAnswer,
    Busy,
    Redirected,
    RedisRefused,
    Refused,
    ServerFault,
)
from kiosk_locust.formatting.excerpt import excerpt

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC).timestamp()


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> Exchange:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Exchange("GET", "/x", status, named, body, NOW - 3, NOW - 2, NOW - 1, NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Redirected),
        (308, Redirected),
        (400, Refused),
        (404, Refused),
        (408, Busy),
        (413, Refused),
        (429, Busy),
        (500, ServerFault),
        (502, ServerFault),
        (503, Busy),
        (504, ServerFault),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[Answered]) -> None:
    with pytest.raises(kind) as caught:
        json_object(answer(status), "GET http://h/x")
    assert caught.value.status == status
    assert caught.value.timing == answer().timing
    assert f"GET http://h/x answered {status}" in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b"12", b"null", b"\xff\xfe\xfa", b"[" * 100_000, b"<html>"],
)
def test_a_success_without_a_json_object_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer, match="is API_HOST the address of a Kiosk"):
        json_object(answer(200, body), "GET http://h/x")


def redis_says(path: str, body: object, took_s: float = 0.1) -> Exchange:
    raw = json.dumps({"message": body}).encode()
    return Exchange("POST", path, 500, {}, raw, NOW - 20, NOW - 20, NOW - took_s, NOW)


def command(name: str, *args: str) -> dict[str, object]:
    return {"command": {"name": name, "args": list(args)}}


def test_a_command_of_a_submission_that_redis_refused_is_no_job() -> None:
    refused = fault(redis_says("/api/predict", command("hmset", "s:a.png:x", "secret")), "POST h")
    assert isinstance(refused, RedisRefused)
    assert str(refused).startswith("POST h answered 500: Redis refused hmset (out of memory, ")
    assert "no job was made" in str(refused)
    assert "secret" not in str(refused)
    assert refused.orphan == ""


def test_a_hash_whose_key_was_not_queued_is_named_in_few_words() -> None:
    key = "segmentation:" + "a" * 5000 + ".png:x"
    refused = fault(redis_says("/api/predict", command("lpush", "segmentation", key)), "POST h")
    assert isinstance(refused, RedisRefused)
    assert refused.orphan == key
    assert "so no job runs: the hash segmentation:aaa" in str(refused)
    assert len(str(refused)) < 500


@pytest.mark.parametrize("args", [None, [], [7], "text", {}])
def test_arguments_of_another_shape_name_no_hash(args: object) -> None:
    body = {"command": {"name": "lpush", "args": args}}
    refused = fault(redis_says("/api/predict", body), "POST h")
    assert isinstance(refused, RedisRefused)
    assert refused.orphan == ""


def test_another_command_of_a_submission_may_have_come_after_the_job_was_made() -> None:
    error = fault(redis_says("/api/predict", command("publish", "x")), "POST h")
    assert type(error) is ServerFault
    assert "Redis refused publish" in str(error)


@pytest.mark.parametrize(
    ("path", "name"),
    [("/api/redis", "hmget"), ("/api/redis", "hget"), ("/api/redis/expire", "expire")],
)
def test_each_call_says_what_redis_refused(path: str, name: str) -> None:
    assert f"Redis refused {name}" in str(fault(redis_says(path, command(name, "k")), "POST h"))


@pytest.mark.parametrize("path", ["/api/predict", "/api/redis", "/api/status"])
def test_an_empty_error_is_that_of_a_redis_which_cannot_be_reached(path: str) -> None:
    error = fault(redis_says(path, {}, took_s=10.6), "POST h")
    assert type(error) is ServerFault  # it may have been processed
    assert "an empty error after 10.6 s: Redis unreachable; look at" in str(error)
    assert "(Redis unreachable?)" in str(fault(redis_says(path, {}, took_s=0.2), "POST h"))


@pytest.mark.parametrize(
    "body",
    ["boom", None, 7, [], {"command": None}, {"command": {"name": 7}}, {"command": {"name": ""}}],
)
def test_other_messages_say_nothing_of_redis(body: object) -> None:
    error = fault(redis_says("/api/predict", body), "POST h")
    assert type(error) is ServerFault
    assert "Redis" not in str(error)


def test_the_kiosks_own_message_is_quoted() -> None:
    error = fault(answer(400, b'{"message": "Invalid Job Type: X."}'), "POST http://h/x")
    assert "“Invalid Job Type: X.”" in str(error)


def test_of_html_the_title_is_quoted() -> None:
    page = b"<html><head><title>502 Bad\n Gateway &amp; co</title></head><body>nginx</body></html>"
    assert words_of(answer(502, page, content_type="text/html")) == "502 Bad Gateway & co"
    assert "(HTML) “502 Bad Gateway & co”" in str(fault(answer(502, page), "GET http://h/x"))


def test_of_html_without_a_title_the_first_words_are_quoted() -> None:
    page = b"<!doctype html><style>p {a: b}</style><script>f()</script><h1>No</h1> <p>entry</p>"
    assert words_of(answer(403, page)) == "No entry"


def test_at_most_200_characters_are_quoted() -> None:
    assert len(words_of(answer(500, b"x" * 100_000))) == 200
    assert len(words_of(answer(500, b'{"message": "' + b"x" * 900 + b'"}'))) == 200


@given(st.text())
def test_what_is_quoted_is_one_printable_line(text: str) -> None:
    shown = excerpt(text)
    assert len(shown) <= 200
    assert shown.isprintable()


@given(body=st.binary(max_size=300), status=st.integers(300, 599), html=st.booleans())
def test_no_body_breaks_the_making_of_an_error(body: bytes, status: int, html: bool) -> None:
    kind = "text/html" if html else "application/json"
    assert fault(answer(status, body, content_type=kind), "GET http://h/x").status == status


@pytest.mark.parametrize("text", ["0", "7", "120"])
def test_retry_after_in_seconds(text: str) -> None:
    assert retry_after_s(answer(429, retry_after=text)) == float(text)


def test_retry_after_as_a_date_counts_from_the_answer() -> None:
    later = format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True)
    earlier = format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True)
    assert retry_after_s(answer(503, retry_after=later)) == 90
    assert retry_after_s(answer(503, retry_after=earlier)) == 0


@pytest.mark.parametrize("text", ["", "soon", "-3", "1.5.2", "Mon, 99 Foo 2026 25:00:00", "²"])
def test_a_retry_after_that_is_none_asks_for_nothing(text: str) -> None:
    assert retry_after_s(answer(429, retry_after=text)) is None


def test_busy_tells_the_wait_asked_for() -> None:
    error = fault(answer(429, b"", retry_after="7"), "GET http://h/x")
    assert isinstance(error, Busy)
    assert error.retry_after_s == 7
    assert "asks to wait 7 s" in str(error)


def test_a_redirect_tells_where_to() -> None:
    error = fault(answer(308, b"", location="https://h/x"), "GET http://h/x")
    assert isinstance(error, Redirected)
    assert error.location == "https://h/x"
    assert "https://h/x" in str(error)
    assert "API_HOST" in str(error)


def test_a_redirect_without_a_location_is_told_as_such() -> None:
    assert "a place that is not said" in str(fault(answer(302, b""), "GET http://h/x"))
