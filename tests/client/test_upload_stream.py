"""A file's way over the wire: in pieces, whole or not at all, and never in memory as a whole."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk_locust.client.body import FileForm
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import SystemClock
from kiosk_locust.errors import BadAnswer, InputError, NoAnswer, Refused, Unreachable, Withdrawn
from tests.helpers.real import PYTHONPATH, ROOT, simulator
from tests.helpers.servers import (
    Behaviour,
    Connection,
    RawServer,
    answering,
    json_answer,
    raw_answer,
    refusing_url,
)

CONTENT = random.Random(2).randbytes(3_000_000)
NAMED = json_answer({"imageURL": "x", "uploadedName": "uploads/1.tif"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "größe.tif"
    path.write_bytes(CONTENT)
    return path


def kiosk_at(url: str, timeout_s: float = 5.0) -> Kiosk:
    return Kiosk(Transport(url, pool_size=1, request_timeout_s=timeout_s, clock=SystemClock()))


def upload(url: str, path: Path, size: int = len(CONTENT), timeout_s: float = 5.0) -> str:
    return kiosk_at(url, timeout_s).upload(FileForm(path, path.name, size))[0]


def test_the_server_gets_the_very_file_as_a_form(file: Path) -> None:
    with RawServer(answering(NAMED)) as server:
        assert upload(server.url, file) == "uploads/1.tif"
        (request,) = server.requests
    boundary = re.search(r"boundary=(.+)", request.headers["content-type"])
    assert boundary
    head, _, rest = request.body.partition(b"\r\n\r\n")
    assert 'name="file"; filename="größe.tif"'.encode() in head
    assert rest == CONTENT + b"\r\n--" + boundary[1].encode() + b"--\r\n"
    assert int(request.headers["content-length"]) == len(request.body)


def test_names_cannot_break_out_of_the_form(tmp_path: Path) -> None:
    path = tmp_path / 'a"; name="b\r\n.tif'
    path.write_bytes(b"x")
    with RawServer(answering(NAMED)) as server:
        upload(server.url, path, 1)
        head = server.requests[0].body.partition(b"\r\n\r\n")[0]
    assert b'filename="a%22; name=%22b%0D%0A.tif"' in head


def test_the_connection_is_kept_for_the_next_request(file: Path) -> None:
    with RawServer(answering(NAMED)) as server:
        kiosk = kiosk_at(server.url)
        for _ in range(3):
            kiosk.upload(FileForm(file, "a.tif", len(CONTENT)))
        assert server.connections == 1


def test_a_file_that_changed_is_not_sent(file: Path) -> None:
    with RawServer(answering(NAMED)) as server:
        with pytest.raises(InputError, match="3,000,000 bytes, and had 5 when"):
            upload(server.url, file, 5)
        file.unlink()
        with pytest.raises(InputError, match="No such file"):
            upload(server.url, file)
        assert server.requests == []


def early(answer: bytes) -> Behaviour:
    """Answer after the first bytes, and close."""

    def behave(connection: Connection) -> None:
        connection.sock.recv(1000)
        connection.send(answer)

    return behave


def test_a_server_that_refuses_in_the_midst_is_heard_or_the_upload_is_repeated(file: Path) -> None:
    # Its words may be lost with the connection (TCP resets); never is it taken for a success.
    with (
        RawServer(early(raw_answer(413, b'{"message": "too large"}'))) as server,
        pytest.raises((Refused, NoAnswer, Unreachable)),
    ):
        upload(server.url, file)


def test_each_fault_is_told_for_what_it_is(file: Path) -> None:
    with refusing_url() as url, pytest.raises(Unreachable):
        upload(url, file)
    with (
        RawServer(answering(raw_answer(400, b"Bad Request", "text/plain"))) as server,
        pytest.raises(Refused, match="400"),
    ):
        upload(server.url, file)
    with (
        RawServer(answering(json_answer({"uploadedName": 7}))) as server,
        pytest.raises(BadAnswer, match="no uploadedName"),
    ):
        upload(server.url, file)


def test_a_server_that_stands_still_is_left_and_one_that_is_slow_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(bytes(40_000_000))

    def still(connection: Connection) -> None:
        connection.server.stopping.wait()

    with RawServer(still) as server, pytest.raises(NoAnswer, match="no whole answer"):
        upload(server.url, path, 40_000_000, timeout_s=0.3)

    def slow(connection: Connection) -> None:
        left = 40_000_000
        while left > 0 and (data := connection.sock.recv(400_000)):
            left -= len(data)
            connection.server.stopping.wait(0.005)
        connection.send(NAMED)

    with RawServer(slow) as server:  # longer than the limit in all, and never still for so long
        assert upload(server.url, path, 40_000_000, timeout_s=0.3) == "uploads/1.tif"


def test_who_no_longer_wants_it_stops_it_in_the_midst(file: Path) -> None:
    wanted = iter([True] * 5 + [False] * 9)
    with RawServer(answering(NAMED)) as server:
        kiosk = kiosk_at(server.url)
        with pytest.raises(Withdrawn):
            kiosk.upload(FileForm(file, "a.tif", len(CONTENT)), lambda: next(wanted))
        assert server.requests == []  # none came whole
        assert kiosk.transport.places.in_use == 0


def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    program = ROOT / "benchmarks" / "upload_memory.py"
    with simulator("--folder", str(tmp_path)) as kiosk:
        found = json.loads(
            subprocess.run(
                [sys.executable, str(program), "200", kiosk.url],
                capture_output=True,
                check=True,
                env=os.environ | {"PYTHONPATH": PYTHONPATH},
                timeout=60,
            ).stdout
        )
        uploads = kiosk.uploads
    assert found["extra_memory_mb"] < 64
    stored = tmp_path / found["name"]
    assert stored.stat().st_size == 200 << 20
    with stored.open("rb") as content:
        digest = hashlib.file_digest(content, "md5").hexdigest()
    assert digest == uploads[-1]["md5"]
