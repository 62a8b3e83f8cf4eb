"""A Redis that refuses, or is away, and a ZIP that is left waiting, as in the real Kiosk."""

from __future__ import annotations

import time

import pytest

from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk
from kiosk_locust.errors import OptionsError
from kiosk_locust.simulator.faults import parse_fault
from tests.simulator.clients import JOB, Client


def test_a_refused_hmset_is_answered_as_ioredis_has_it_and_makes_nothing() -> None:
    with EmbeddedKiosk("--fault", "POST /api/predict redis=hmset count=1") as url:
        client = Client(url)
        reply = client.post("/api/predict", JOB)
        hashes, state = client.get("/simulator/hashes").raw, client.state()
        again = client.post("/api/predict", JOB)
        client.close()
    command = reply.json["message"]["command"]
    assert (reply.status, command["name"]) == (500, "hmset")
    assert command["args"][0].startswith("segmentation:")
    assert (hashes, state["jobs"]) == (b"", {})
    assert again.status == 200


def test_a_refused_lpush_leaves_a_new_hash_in_no_queue_that_never_runs() -> None:
    with EmbeddedKiosk("--fault", "POST /api/predict redis=lpush") as url:
        client = Client(url)
        command = client.post("/api/predict", JOB).json["message"]["command"]
        key = command["args"][1]
        time.sleep(1.0)
        status = client.post("/api/status", {"hash": key}).json
        state = client.state()
        client.close()
    assert (command["name"], command["args"][0]) == ("lpush", "segmentation")
    assert status == {"status": "new"}
    assert set(state["queues"].values()) == {0}


def test_a_redis_that_is_away_is_an_empty_error_after_the_frontends_own_retries() -> None:
    assert parse_fault("* /api/* redis=away").latency_s == 10.55  # measured: 10.55 to 10.60 s
    with EmbeddedKiosk("--fault", "POST /api/redis redis=away latency=0.2") as url:
        client = Client(url)
        began = time.monotonic()
        reply = client.post("/api/redis", {"hash": "k", "key": ["status"]})
        took_s = time.monotonic() - began
        client.close()
    assert (reply.status, reply.json) == (500, {"message": {}})
    assert took_s >= 0.2


def test_a_command_that_the_frontend_never_sends_is_a_mistake() -> None:
    with pytest.raises(OptionsError, match="give one of hmset, lpush, hmget, expire, away"):
        parse_fault("POST /api/predict redis=flushall")


def test_a_zip_left_waiting_is_looked_at_for_ever_with_a_key_in_pieces() -> None:
    quick = ("--images-per-zip", "3", "--predict-s", "0.01", "--download-s", "0.01")
    with EmbeddedKiosk("--zip-stuck-rate", "1", "--spread", "0", *quick) as url:
        client = Client(url)
        key = client.post("/api/predict", JOB | {"imageName": "a.zip"}).json["hash"]
        names = ["status", "children", "children:done", "updated_at"]
        until = time.monotonic() + 20
        while True:
            first = client.post("/api/redis", {"hash": key, "key": names}).json["value"]
            if first[2] and first[2].count(",") == 1:
                break
            assert time.monotonic() < until
            time.sleep(0.1)
        time.sleep(1.0)
        later = client.post("/api/redis", {"hash": key, "key": names}).json["value"]
        client.close()
    assert first[:3] == later[:3]
    assert first[3] < later[3]  # the consumer looks again and again
    children, done = later[1].split(","), later[2].split(",")
    assert (later[0], len(children), len(done)) == ("waiting", 4, 2)
    pieces = set(children) - set(done)
    assert all(piece.count(":") == 1 for piece in pieces)
