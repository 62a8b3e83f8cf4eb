"""The short way of the HTTP face beside the long one: a client cannot tell them apart."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from tests.simulator.clients import JOB, Client, raw_exchange

#: A rule that never strikes, so that everything goes the long way.
LONG_WAY = "GET /nowhere status=500"


def call(path: str, body: bytes, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


JSON_TYPE = "Content-Type: application/json"


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/api/status", b'{"hash": "unknown"}', (JSON_TYPE,)),
        ("/api/redis", b'{"hash": "unknown", "key": ["status", "reason"]}', (JSON_TYPE,)),
        ("/api/redis", b'{"hash": "unknown", "key": []}', (JSON_TYPE,)),
        ("/api/redis/expire", b'{"hash": "unknown", "expireIn": 1}', (JSON_TYPE,)),
        ("/api/predict", b'{"jobType": "nope", "imageName": "a.png"}', (JSON_TYPE,)),
        ("/api/predict", b'{"jobType": "mesmer", "imageName": "a.png"}', ()),
        ("/api/status", b"no JSON", (JSON_TYPE,)),
        ("/api/status", b'{"x": "' + b"x" * (1 << 20) + b'"}', (JSON_TYPE,)),
    ],
)
def test_both_ways_send_the_same_head_and_body(
    client: Client, path: str, body: bytes, headers: tuple[str, ...]
) -> None:
    header = dict(line.split(": ") for line in headers)
    short = client.send("POST", path, body, header)
    client.faults(LONG_WAY)
    long = client.send("POST", path, body, header)
    assert (short.status, short.raw) == (long.status, long.raw)
    assert list(short.headers) == list(long.headers)
    assert {**short.headers, "date": ""} == {**long.headers, "date": ""}


def test_both_ways_are_counted_and_logged_alike(client: Client) -> None:
    before = client.get("/simulator/counts").json["requests"].get("POST /api/predict", 0)
    client.post("/api/predict", JOB)
    client.faults(LONG_WAY)
    client.post("/api/predict", JOB)
    assert client.get("/simulator/counts").json["requests"]["POST /api/predict"] == before + 2
    short, long = client.log()["predicts"][-2:]
    assert short["hash"] != long["hash"]
    assert {**short, "at": 0, "hash": ""} == {**long, "at": 0, "hash": ""}


def test_answers_come_in_order_when_requests_do_not_wait_for_them(url: str) -> None:
    """A page goes the long way, so the call behind it must wait for its answer."""
    got = raw_exchange(
        url,
        call("/api/nothing", b"", method="GET")
        + call("/api/health-check", b"", method="GET")
        + call("/api/status", b'{"hash": "unknown"}', JSON_TYPE)
        + call("/api/models", b"", method="GET")
        + call("/api/health-check", b"", "Connection: close", method="GET"),
    )
    answers = (b"{}", b'{"message":"OK"}', b'{"status":null}', b'{"models":{}}')
    places = [got.index(body) for body in answers]
    assert places == sorted(places)
    assert got.endswith(b'{"message":"OK"}')
    assert got.count(b"HTTP/1.1 ") == 5


def test_a_kept_connection_is_closed_when_it_is_idle(url: str) -> None:
    got = raw_exchange(url, call("/api/health-check", b"", method="GET"))  # reads until it ends
    assert got.endswith(b'{"message":"OK"}')
    assert b"keep-alive: timeout=5" in got


def test_the_hashes_of_all_jobs_can_be_asked_for_in_order(client: Client) -> None:
    keys = [client.post("/api/predict", JOB).json["hash"] for _ in range(3)]
    client.post("/api/predict", {"jobType": "nope", "imageName": "refused.png"})
    lines = client.get("/simulator/hashes").raw.decode().splitlines()
    assert lines[-3:] == keys
    assert all(UUID(line.rsplit(":", 1)[1]) for line in lines)


def test_counts_are_those_of_the_log_without_the_submissions(client: Client) -> None:
    client.post("/api/predict", JOB)
    log, counts = client.log(), client.get("/simulator/counts").json
    del log["predicts"], counts["now"]
    assert json.dumps(counts, sort_keys=True) == json.dumps(log, sort_keys=True)
