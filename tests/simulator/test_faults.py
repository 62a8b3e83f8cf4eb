"""Fault rules: how they are read, and each of them on a real socket."""

from __future__ import annotations

import re
import socket
import time
from http.client import RemoteDisconnected

import pytest

from kiosk_locust.errors import OptionsError
from kiosk_locust.simulator.faults import FaultPlan, parse_fault, rule_text
from tests.simulator.clients import JOB, Client


def plan(*rules: str, seed: int = 1) -> FaultPlan:
    return FaultPlan([parse_fault(rule) for rule in rules], seed)


def struck(faults: FaultPlan, times: int, age_s: float = 0.0) -> int:
    return sum(faults.choose("POST", "/api/predict", age_s) is not None for _ in range(times))


def test_a_rule_strikes_its_method_and_path_only() -> None:
    faults = plan("POST /api/pre* status=500")
    assert faults.choose("POST", "/api/predict", 0)
    assert not faults.choose("GET", "/api/predict", 0)
    assert not faults.choose("POST", "/api/redis", 0)


def test_a_star_is_any_method() -> None:
    assert plan("* * hang").choose("DELETE", "/x", 0)


def test_a_rule_strikes_within_its_window_of_seconds_since_the_start() -> None:
    faults = plan("* * status=500 from=5 to=20")
    assert [struck(faults, 1, age) for age in (4.9, 5, 19.9, 20)] == [0, 1, 1, 0]


def test_a_rule_strikes_at_its_rate_and_the_same_seed_strikes_the_same_requests() -> None:
    assert 250 < struck(plan("* * status=500 rate=0.3"), 1000) < 350
    runs = [
        [bool(faults.choose("POST", "/", 0)) for _ in range(50)]
        for faults in (plan("* * drop rate=0.5"), plan("* * drop rate=0.5"))
    ]
    assert runs[0] == runs[1]


def test_a_rule_strikes_no_more_than_its_count() -> None:
    assert struck(plan("* * status=500 count=3"), 10) == 3


def test_delays_add_up_until_a_rule_replaces_the_answer() -> None:
    faults = plan("* * latency=1", "* * latency=2 status=503", "* * latency=4")
    fault = faults.choose("POST", "/", 0)
    assert fault
    assert fault.latency_s == 3
    assert fault.rule
    assert fault.rule.status == 503


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("POST", "write it as 'METHOD PATH"),
        ("FETCH / drop", "the method is one of"),
        ("GET api drop", "the path begins with /"),
        ("GET / sttaus=500", "'sttaus' is no key of a fault rule; known are status, redirect"),
        ("GET / status=abc", "status: give an HTTP status from 200 to 599"),
        ("GET / status", "write status=…"),
        ("GET / drop=1", "write drop"),
        ("GET / drop rate=2", "rate: give a share from 0 to 1"),
        ("GET / drop from=soon", "from: give a number of seconds"),
        ("GET / drop count=0", "count: give a whole number of at least 1"),
        ("GET / drop when=never", "when: give before or after"),
        ("GET / drop hang", "exclude each other"),
        ("GET / rate=0.5", "say what happens"),
        ("GET / body='x", "write it as 'METHOD PATH"),
    ],
)
def test_a_rule_that_cannot_be_used_says_which_and_why(rule: str, told: str) -> None:
    with pytest.raises(OptionsError, match=re.escape(told)) as caught:
        parse_fault(rule)
    assert repr(rule) in str(caught.value)


def test_a_rule_can_be_an_object_with_the_same_keys() -> None:
    rule = {"method": "POST", "path": "/api/*", "status": 500, "body": "so sorry", "rate": 0.5}
    parsed = parse_fault(rule_text(rule))
    assert (parsed.method, parsed.path, parsed.kind) == ("POST", "/api/*", "status")
    assert (parsed.status, parsed.body, parsed.rate) == (500, "so sorry", 0.5)
    assert parse_fault(rule_text({"drop": True})).kind == "drop"


def test_a_status_with_body_content_type_and_retry_after_is_answered(client: Client) -> None:
    client.faults("POST /api/status status=429 body='slow down' content-type=text/x retry-after=7")
    reply = client.post("/api/status", {"hash": "x"})
    assert (reply.status, reply.raw) == (429, b"slow down")
    assert reply.headers["content-type"] == "text/x"
    assert reply.headers["retry-after"] == "7"
    assert client.get("/api/health-check").status == 200


def test_a_status_alone_is_answered_with_a_page_as_an_ingress_does(client: Client) -> None:
    client.faults("* * status=502")
    reply = client.get("/api/health-check")
    assert reply.status == 502
    assert reply.headers["content-type"].startswith("text/html")


def test_a_status_before_makes_no_job_and_one_after_does(client: Client) -> None:
    made = sum(client.state()["jobs"].values())
    client.faults("POST /api/predict status=500")
    client.post("/api/predict", JOB)
    assert sum(client.state()["jobs"].values()) == made
    client.faults("POST /api/predict status=500 when=after")
    assert client.post("/api/predict", JOB).status == 500
    assert sum(client.state()["jobs"].values()) == made + 1
    before, after = client.log()["predicts"][-2:]
    assert (before["hash"], before["status"], before["body"]) == (None, 500, JOB)
    assert after["hash"].startswith("segmentation:a.png:")
    assert after["fault"] == "POST /api/predict status=500 when=after"


def test_latency_delays_the_true_answer(client: Client) -> None:
    client.faults("GET /api/health-check latency=0.2")
    begun = time.monotonic()
    assert client.get("/api/health-check").json == {"message": "OK"}
    assert time.monotonic() - begun >= 0.2


def test_a_delayed_request_is_carried_out_though_its_client_has_gone(client: Client) -> None:
    client.faults("POST /api/predict latency=0.2")
    before = len(client.log()["predicts"])
    with pytest.raises(TimeoutError):
        Client(client.url, timeout_s=0.05).post("/api/predict", JOB)
    until = time.monotonic() + 5
    while not (made := [p["hash"] for p in client.log()["predicts"][before:] if p["hash"]]):
        assert time.monotonic() < until
    assert len(made) == 1


def test_a_hang_says_nothing_and_the_simulator_goes_on(client: Client) -> None:
    client.faults("GET /api/health-check hang")
    patient = Client(client.url, timeout_s=0.2)
    with pytest.raises(TimeoutError):
        patient.get("/api/health-check")
    patient.close()
    assert client.get("/api/jobtypes").status == 200


def test_a_drop_before_closes_without_answer_and_makes_no_job(client: Client) -> None:
    made = sum(client.state()["jobs"].values())
    client.faults("POST /api/predict drop")
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        client.post("/api/predict", JOB)
    assert sum(client.state()["jobs"].values()) == made
    entry = client.log()["predicts"][-1]
    assert (entry["hash"], entry["status"], entry["body"]) == (None, None, None)
    assert entry["fault"] == "POST /api/predict drop"


def test_a_drop_after_loses_the_answer_of_a_job_that_was_made(client: Client) -> None:
    client.faults("POST /api/predict drop when=after")
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        client.post("/api/predict", JOB)
    entry = client.log()["predicts"][-1]
    assert (entry["status"], entry["body"]) == (None, JOB)
    client.faults()
    assert client.post("/api/status", {"hash": entry["hash"]}).json["status"] is not None


@pytest.mark.parametrize(("status", "rule"), [(308, ""), (301, "status=301")])
def test_a_redirect_names_its_place(client: Client, status: int, rule: str) -> None:
    client.faults(f"POST * redirect=https://kiosk.example/api/predict {rule}")
    reply = client.post("/api/predict", JOB)
    assert reply.status == status
    assert reply.headers["location"] == "https://kiosk.example/api/predict"


def test_html_comes_with_200(client: Client) -> None:
    client.faults("* * html")
    reply = client.post("/api/redis", {})
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.raw.startswith(b"<html>")


def test_malformed_json_says_that_it_is_json(client: Client) -> None:
    client.faults("* * malformed")
    reply = client.post("/api/redis", {})
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    with pytest.raises(ValueError, match="Unterminated"):
        _ = reply.json


def test_a_huge_body_has_the_size_asked_for(client: Client) -> None:
    client.faults("* * huge=3000000")
    reply = client.post("/api/redis", {})
    assert len(reply.raw) == 3_000_000
    assert set(reply.json) == {"value"}


def test_the_control_face_is_never_struck(client: Client) -> None:
    client.faults("* * status=500")
    assert Client(client.url).get("/simulator/state").status == 200


def test_the_state_counts_how_often_each_rule_has_struck(client: Client) -> None:
    client.faults("GET /api/jobtypes status=500 count=2", "* /nothing drop")
    for _ in range(3):
        client.get("/api/jobtypes")
    hits = [(each["rule"], each["hits"]) for each in client.state()["faults"]]
    assert hits == [("GET /api/jobtypes status=500 count=2", 2), ("* /nothing drop", 0)]


@pytest.mark.parametrize("rules", [["GET / nonsense=1"], [3], [{"pth": "/x", "drop": True}]])
def test_wrong_rules_are_refused_and_those_in_force_stay(
    client: Client, rules: list[object]
) -> None:
    client.faults("GET /api/jobtypes status=500")
    reply = client.faults(*rules)
    assert reply.status == 400
    assert "faults" in reply.json["message"]
    assert client.get("/api/jobtypes").status == 500


def test_a_dropped_connection_is_gone_for_the_next_request_too(client: Client) -> None:
    client.faults("GET /api/jobtypes drop count=1")
    host, port = client.url.removeprefix("http://").split(":")
    request = b"GET /api/jobtypes HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection((host, int(port)), 5) as raw:
        raw.sendall(request)
        assert raw.recv(100) == b""
