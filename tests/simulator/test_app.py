"""The HTTP face of a real simulator process, beyond what the recordings show."""

from __future__ import annotations

import hashlib
import json
import time

import pytest

from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk
from tests.simulator.clients import JOB, Client, raw_exchange


def upload(client: Client, content: bytes, field: str = "file") -> tuple[int, bytes]:
    boundary = "xYzZY"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="a b.tiff"\r\n'
        "Content-Type: image/tiff\r\n\r\n"
    ).encode()
    body = head + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    reply = client.send("POST", "/api/upload", body, headers)
    return reply.status, reply.raw


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n--xYzZ", b"\r\n\r\n--" * 50_000, bytes(range(256)) * 8_192],
    ids=["empty", "nearly a boundary", "many lines", "2 MiB"],
)
def test_an_upload_is_named_by_its_file_name_and_the_millisecond(
    client: Client, content: bytes
) -> None:
    began_ms = int(time.time() * 1000) - 10
    status, raw = upload(client, content)
    names = {
        f"uploads/{hashlib.md5(f'a b.tiff_{at_ms}'.encode()).hexdigest()}.tiff"
        for at_ms in range(began_ms, int(time.time() * 1000) + 10)
    }
    answer = json.loads(raw)
    assert status == 200
    assert answer["uploadedName"] in names
    assert answer["imageURL"].startswith("https://")
    stored = client.get("/simulator/uploads").json[-1]
    assert stored["name"] == answer["uploadedName"]
    assert stored["md5"] == hashlib.md5(content).hexdigest()
    assert (stored["file_name"], stored["size"]) == ("a b.tiff", len(content))


def test_two_files_of_one_name_in_one_step_of_the_clock_are_one_object() -> None:
    with EmbeddedKiosk("--upload-clock-s", "3600") as url:
        client = Client(url)
        jobs = []
        for content in (b"one", b"other"):
            name = json.loads(upload(client, content)[1])["uploadedName"]
            body = {"jobType": "segmentation", "imageName": "a.png", "uploadedName": name}
            jobs.append(client.post("/api/predict", body).json["hash"])
        told = client.get("/simulator/jobs").json
        objects = {stored["name"] for stored in client.get("/simulator/uploads").json}
        client.close()
    assert len(objects) == 1
    assert told[jobs[0]]["content_md5"] == hashlib.md5(b"one").hexdigest()  # was begun before
    assert told[jobs[1]]["content_md5"] == hashlib.md5(b"other").hexdigest()


def test_an_upload_without_a_file_is_refused_as_text(client: Client) -> None:
    assert upload(client, b"x", field="other") == (400, b"Bad Request")


def test_an_accepted_job_is_in_the_log_with_its_body_and_the_time_it_arrived(
    client: Client,
) -> None:
    before = time.time()
    key = client.post("/api/predict", JOB).json["hash"]
    after = time.time()
    entry = next(each for each in client.log()["predicts"] if each["hash"] == key)
    assert entry["body"] == JOB
    assert entry["status"] == 200
    assert entry["fault"] is None
    assert before - 0.01 <= entry["at"] <= after + 0.01


def test_a_refused_job_is_in_the_log_without_a_hash(client: Client) -> None:
    client.post("/api/predict", {"jobType": "nope", "imageName": "refused.png"})
    entry = client.log()["predicts"][-1]
    assert (entry["hash"], entry["status"]) == (None, 400)
    assert entry["body"]["imageName"] == "refused.png"


def test_the_polls_of_each_hash_are_counted_whether_it_is_there_or_not(client: Client) -> None:
    key = client.post("/api/predict", JOB).json["hash"]
    before = time.time()
    for _ in range(3):
        client.post("/api/redis", {"hash": key, "key": ["status"]})
    client.post("/api/status", {"hash": "unknown"})
    polls = client.get("/simulator/polls").json
    assert (polls[key]["count"], polls["unknown"]["count"]) == (3, 1)
    assert before - 0.01 <= polls[key]["first_at"] < polls[key]["last_at"] <= time.time() + 0.01


def test_requests_are_counted_by_method_and_path_and_looking_at_them_is_not(
    client: Client,
) -> None:
    before = client.log()
    client.get("/api/counted")
    client.get("/api/counted")
    client.post("/api/counted", {})
    after = client.log()
    assert after["requests"]["GET /api/counted"] == 2
    assert after["requests"]["POST /api/counted"] == 1
    assert not any("/simulator/" in name for name in after["requests"])
    assert after["connections"]["accepted"] == before["connections"]["accepted"] + 1


def test_the_greatest_number_of_open_connections_is_known(client: Client) -> None:
    others = [Client(client.url) for _ in range(5)]
    for other in others:
        other.get("/api/health-check")
    log = client.log()["connections"]
    for other in others:
        other.close()
    assert log["most_open"] >= 5
    assert log["open"] >= 5
    ends_at = time.monotonic() + 5
    while client.log()["connections"]["open"] > log["open"] - 5:
        assert time.monotonic() < ends_at


def test_the_state_tells_jobs_queues_nodes_and_their_history(client: Client) -> None:
    client.post("/api/predict", JOB)
    state = client.state()
    assert sum(state["jobs"].values()) >= 1
    assert state["queues"].keys() == {
        f"{name}{end}" for name in ("segmentation", "mesmer", "polaris") for end in ("", "-zip")
    }
    assert state["seed"] == 7
    first = state["node_history"][0]
    assert first["machine_type"] == "n1-highmem-2"
    assert first["accelerator"] == "nvidia-tesla-t4"
    assert first["created_at"] < state["started_at"] <= state["now"]
    assert first["deleted_at"] is None


def test_a_flush_makes_every_hash_vanish(client: Client) -> None:
    key = client.post("/api/predict", JOB).json["hash"]
    assert client.post("/simulator/flush", {}).json["flushed"] >= 1
    assert client.post("/api/redis", {"hash": key, "key": ["status"]}).json == {"value": [None]}


@pytest.mark.parametrize(
    ("seconds", "status"), [(1.5, 500), ("soon", 500), ("60", 200), (60, 200), (0, 200)]
)
def test_an_expiry_is_a_whole_number_of_seconds(
    client: Client, seconds: object, status: int
) -> None:
    key = client.post("/api/predict", JOB).json["hash"]
    reply = client.post("/api/redis/expire", {"hash": key, "expireIn": seconds})
    assert reply.status == status
    assert client.post("/api/status", {"hash": key}).json["status"] is not None


def test_json_without_its_content_type_counts_as_no_body(client: Client) -> None:
    reply = client.send("POST", "/api/predict", b'{"jobType":"mesmer","imageName":"a.png"}', {})
    assert (reply.status, reply.json) == (400, {"message": "Invalid prediction request body."})


@pytest.mark.parametrize("body", [b"3", b'"text"', b"null", b"\xff", b"[1"])
def test_json_that_is_no_object_is_refused_as_node_does(client: Client, body: bytes) -> None:
    reply = client.send("POST", "/api/status", body, {"Content-Type": "application/json"})
    assert (reply.status, reply.json) == (400, {"message": "Bad Request", "stack": {}})


def test_a_body_larger_than_a_megabyte_is_refused_and_the_connection_kept(client: Client) -> None:
    reply = client.post("/api/predict", {"jobType": "x" * 1_100_000})
    assert reply.status == 413
    assert client.get("/api/health-check").status == 200


def test_a_client_that_asks_for_it_gets_its_connection_closed(url: str) -> None:
    got = raw_exchange(
        url, b"GET /api/health-check HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    head, _, body = got.partition(b"\r\n\r\n")
    assert body == b'{"message":"OK"}'
    assert b"connection: close" in head.lower()
    assert b"keep-alive" not in head.lower()


def test_other_pages_are_html_as_in_the_frontend(client: Client) -> None:
    assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"


def test_an_unknown_page_of_the_control_face_is_not_found(client: Client) -> None:
    assert client.get("/simulator/nope").status == 404


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_what_is_not_called_json_changes_nothing(client: Client, kind: str) -> None:
    key = client.post("/api/predict", JOB).json["hash"]
    headers = {"Content-Type": kind} if kind else {}
    for path, body in (("flush", b"{}"), ("faults", b'["POST /api/predict status=500"]')):
        reply = client.send("POST", f"/simulator/{path}", body, headers)
        assert reply.status == 415
        assert reply.json["message"].startswith("The content type must be application/json")
    assert client.state()["faults"] == []
    assert client.post("/api/redis", {"hash": key, "key": ["status"]}).json["value"] != [None]
