"""Every exchange recorded from a real Kiosk, replayed on a real simulator."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk
from tests.simulator.clients import Client

EXCHANGES = json.loads((Path(__file__).parent / "exchanges.json").read_text())
#: The consumer of the recordings was a stand-in that left these out of a finished hash.
LEFT_OUT = {"updated_by", "output_file_name"}
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_SHAPES = [
    (re.compile(r"(.+:)" + _UUID), "a key"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "the frontend's time"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"), "a consumer's time"),
    (re.compile(r"https?://.+\.zip"), "a URL"),
    (re.compile(r"\d+\.\d+"), "a number of seconds"),
    (re.compile(r".*consumer-.+"), "a consumer"),
]


def shape(value: Any) -> Any:
    """A value with what differs from run to run replaced by what it is."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    if isinstance(value, str):
        for pattern, name in _SHAPES:
            found = pattern.fullmatch(value)
            if found:
                return (name, *found.groups())
    return value


class Replay:
    """Sends recorded requests, with the recorded job's key replaced by the one given here."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.keys: dict[str, str] = {}

    def send(self, exchange: dict[str, Any]) -> tuple[Any, Any]:
        """The recorded answer and ours, in comparable form."""
        request, recorded = exchange["request"], exchange["response"]
        asked = dict(request["json"]) if request["json"] is not None else None
        if asked and asked.get("hash") in self.keys:
            asked["hash"] = self.keys[asked["hash"]]
        if recorded["status"] == 200 and "finished_at" in str(asked) and "done" in str(recorded):
            self.wait_until_done(asked["hash"] if asked else "")
        body = request["data"].encode() if request["data"] else None
        if asked is not None:
            body = json.dumps(asked).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        reply = self.client.send(request["method"], request["path"], body, headers)
        is_json = "json" in recorded["content_type"]
        answered: Any = reply.json if is_json else reply.raw.decode()
        if is_json and "hash" in recorded["body"]:
            self.keys[recorded["body"]["hash"]] = answered["hash"]
        if asked and isinstance(asked.get("key"), list) and "updated_by" in asked["key"]:
            places = [asked["key"].index(name) for name in LEFT_OUT]
            assert all(isinstance(answered["value"][place], str) for place in places)
            for place in places:
                answered["value"][place] = None
        ours = (
            reply.status,
            reply.headers["content-type"],
            reply.headers["connection"],
            shape(answered),
        )
        theirs = (
            recorded["status"],
            recorded["content_type"],
            recorded["connection"],
            shape(recorded["body"]),
        )
        return theirs, ours

    def wait_until_done(self, key: str) -> None:
        ends_at = time.monotonic() + 10
        while self.client.post("/api/status", {"hash": key}).json["status"] != "done":
            assert time.monotonic() < ends_at
            time.sleep(0.02)


@pytest.fixture(scope="module")
def answers() -> list[tuple[Any, Any]]:
    """Each recorded answer and ours: an exchange needs the jobs of those before it."""
    # long enough in `started` for the recordings that were made there
    with EmbeddedKiosk("--download-s", "1.2", "--predict-s", "0.1", "--spread", "0.01") as url:
        client = Client(url)
        try:
            replay = Replay(client)
            return [replay.send(exchange) for exchange in EXCHANGES]
        finally:
            client.close()


@pytest.mark.parametrize("number", range(len(EXCHANGES)))
def test_a_recorded_exchange_goes_the_same_way_here(
    answers: list[tuple[Any, Any]], number: int
) -> None:
    theirs, ours = answers[number]
    assert ours == theirs


def test_all_twenty_three_recordings_are_there() -> None:
    assert len(EXCHANGES) == 23
