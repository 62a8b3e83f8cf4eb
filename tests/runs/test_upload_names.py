"""Each job works on its own file's content, however the Kiosk names what is uploaded.

Which content a job worked on is told by the server: it keeps the MD5 of each upload by the name
of the object, and looks there when a job is made.
"""

from __future__ import annotations

import hashlib
import json
import re
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.plays import sees
from tests.helpers.real import Finished, Locust, run_locust, simulator, wait_until
from tests.helpers.servers import processes
from tests.storage.inputs import pictures

pytestmark = pytest.mark.proof  # scripts/proof runs it

NAME = "image.png"


def wells(folder: Path, count: int) -> dict[str, str]:
    """Folders with an ``image.png`` each; the MD5 of each file, by its path in ``in``."""
    made = {}
    for number in range(count):
        path = folder / "in" / f"well{number:02d}" / NAME
        path.parent.mkdir(parents=True)
        made[f"well{number:02d}/{NAME}"] = md5_of(pictures.png(path).read_bytes())
    return made


def md5_of(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@dataclass
class NamingKiosk:
    """A Kiosk whose uploads are named by ``namer``, from how many there were and the file name."""

    namer: Callable[[int, str], str]
    url: str = ""
    uploads: list[tuple[str, str]] = field(default_factory=list)  # file name sent, object
    bucket: dict[str, str] = field(default_factory=dict)  # MD5 by object
    worked_on: dict[str, str] = field(default_factory=dict)  # MD5 by hash
    queue: str = "segmentation"
    fields: dict[str, str] = field(default_factory=dict)  # of every hash; none: it is done
    lock: Any = field(default_factory=threading.Lock)

    def upload(self, body: bytes) -> dict[str, Any]:
        head, _, rest = body.partition(b"\r\n\r\n")
        sent = re.search(rb'filename="([^"]*)"', head)
        assert sent
        with self.lock:
            name = self.namer(len(self.uploads), sent[1].decode())
            self.uploads.append((sent[1].decode(), name))
            self.bucket[name] = md5_of(rest.rpartition(b"\r\n--")[0])
        return {"imageURL": "https://x", "uploadedName": name}

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        if path == "/api/upload":
            return self.upload(body)
        call = json.loads(body)
        if path == "/api/predict":
            key = f"{self.queue}:{call['imageName']}:{uuid.uuid4()}"
            self.worked_on[key] = self.bucket.get(call["uploadedName"], "")
            return {"hash": key}
        if path == "/api/redis":
            now = datetime.now(UTC).isoformat()
            fields = self.fields or {
                "status": "done", "created_at": now, "updated_at": now, "finished_at": now
            }  # fmt: skip
            return {"value": [fields.get(name) for name in call["key"]]}
        return {"value": 1}


@contextmanager
def naming_kiosk(namer: Callable[[int, str], str]) -> Iterator[NamingKiosk]:
    kiosk = NamingKiosk(namer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def give(self, answer: dict[str, Any]) -> None:
            raw = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_GET(self) -> None:
            self.give({"jobTypes": ["segmentation"], "message": "OK"})

        def do_POST(self) -> None:
            self.give(kiosk.answer(self.path, self.rfile.read(int(self.headers["Content-Length"]))))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kiosk.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield kiosk
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Seen:
    """What a run left behind, and what the server saw."""

    finished: Finished
    wanted: dict[str, str]  # the MD5 of each file
    worked_on: dict[str, str]  # by hash
    objects: list[str]  # of each upload
    sent: list[str]  # the file name of each upload

    def each_worked_on_its_own(self) -> None:
        assert [job["file"] for job in self.finished.jobs] == sorted(self.wanted)
        assert self.finished.outcomes == {"done": len(self.wanted)}, self.finished.output
        got = {job["file"]: self.worked_on[job["job_id"]] for job in self.finished.jobs}
        assert got == self.wanted

    @property
    def refused(self) -> list[str]:
        """Errors of uploads that did not count, as the ledger has them."""
        return [e for (e,) in self.finished.sql("SELECT error FROM uploads WHERE name IS NULL")]


ARGUMENTS = ("--mode", "upload", "--file", "in", "--start-delay", "0", "--no-download-results")


# -- the Kiosk's own naming, with a clock of one step an hour


def real_naming(folder: Path, *arguments: str) -> Seen:
    wanted = wells(folder, 30)
    with simulator("--upload-clock-s", "3600") as kiosk:
        finished = run_locust(folder, *ARGUMENTS, *arguments, host=kiosk.url, FILE="")
        worked_on = {key: life["content_md5"] for key, life in kiosk.lives.items()}
        uploads = kiosk.uploads
        names = [job["body"]["imageName"] for job in kiosk.submissions]
    assert names == [NAME] * 30  # the user's name travels with the job
    objects = [stored["name"] for stored in uploads]
    return Seen(finished, wanted, worked_on, objects, [stored["file_name"] for stored in uploads])


def one_process(folder: Path) -> Seen:
    return real_naming(folder, "-u", "30")


def two_workers(folder: Path) -> Seen:
    return real_naming(folder, "-u", "30", *processes(2))


@sees(one_process)
def test_thirty_files_of_one_name_in_one_moment_are_thirty_objects(seen: Seen) -> None:
    seen.each_worked_on_its_own()
    assert seen.finished.code == 0, seen.finished.output
    assert len(set(seen.objects)) == len(set(seen.sent)) == 30
    assert {Path(name).suffix for name in (*seen.sent, *seen.objects)} == {".png"}


@sees(two_workers)
def test_two_workers_upload_thirty_files_of_one_name_as_thirty_objects(seen: Seen) -> None:
    seen.each_worked_on_its_own()
    assert seen.finished.code == 0, seen.finished.output
    assert len(set(seen.objects)) == len(set(seen.sent)) == 30


# -- a Kiosk that gives names twice all the same


def every_name_twice(number: int, _sent: str) -> str:
    return f"uploads/{number // 2}.png"


def first_two_names_twice(number: int, _sent: str) -> str:
    return f"uploads/{(0, 0, 1, 1)[number] if number < 4 else number}.png"


def named_twice(folder: Path, namer: Callable[[int, str], str], *arguments: str) -> Seen:
    wanted = wells(folder, 8)
    with naming_kiosk(namer) as kiosk:
        finished = run_locust(folder, *ARGUMENTS, *arguments, host=kiosk.url, FILE="")
        sent, objects = zip(*kiosk.uploads, strict=True)
        return Seen(finished, wanted, kiosk.worked_on, list(objects), list(sent))


def twice_in_one_process(folder: Path) -> Seen:
    return named_twice(folder, every_name_twice, "-u", "1")


def twice_at_two_workers(folder: Path) -> Seen:
    return named_twice(folder, first_two_names_twice, "-u", "2", *processes(2))


@sees(twice_in_one_process)
def test_a_file_whose_name_the_run_has_had_is_uploaded_again(seen: Seen) -> None:
    seen.each_worked_on_its_own()
    # Uploads 0, 2, 4, … are new names; 1, 3, 5, … are refused, and sent again under another name.
    assert len(seen.sent) == len(set(seen.sent)) == 15
    assert len(seen.refused) == 7
    assert "uploads/0.png was given to an earlier upload of this run" in seen.refused[0]
    (results,) = seen.finished.results
    assert results["summary"]["moved"]["upload_errors"] == 7
    # Whose object was written over is told: its job may have been begun after that.
    notes = seen.finished.sql("SELECT ticket_id, text FROM notes ORDER BY at")
    first, second = (seen.finished.jobs[n]["ticket"] for n in (0, 1))
    assert notes[0][0] == first
    assert (
        f"the job of ticket {first} may have worked on the file of ticket {second}" in notes[0][1]
    )
    assert notes[0][1] in seen.finished.output


@sees(twice_at_two_workers)
def test_a_name_that_another_worker_was_given_is_refused_as_well(seen: Seen) -> None:
    jobs = [job["uploaded_name"] for job in seen.finished.jobs]
    assert seen.finished.outcomes == {"done": 8}, seen.finished.output
    assert len(set(jobs)) == 8  # no two jobs on one object
    assert len(seen.objects) == 8 + len(seen.refused)
    assert len(seen.refused) == 2


# -- the names of earlier sessions count


def resumed(folder: Path) -> Seen:
    wanted = wells(folder, 4)

    def namer(number: int, _sent: str) -> str:
        return f"uploads/{(0, 1, 0, 1, 2, 3)[number]}.png"

    with naming_kiosk(namer) as kiosk:
        slowly = (*ARGUMENTS, "--start-delay", "3", "--run-name", "r")
        first = Locust(folder, *slowly, host=kiosk.url, FILE="")
        wait_until(lambda: len(kiosk.worked_on) == 2, 40, what="two jobs")
        first.signal(signal.SIGINT)
        first.finish()
        assert len(kiosk.uploads) == 2, first.output
        finished = run_locust(folder, "--resume", "r", host=kiosk.url, FILE="")
        sent, objects = zip(*kiosk.uploads, strict=True)
        return Seen(finished, wanted, kiosk.worked_on, list(objects), list(sent))


@sees(resumed)
def test_a_resumed_run_refuses_names_of_the_session_before(seen: Seen) -> None:
    assert seen.objects == [f"uploads/{n}.png" for n in (0, 1, 0, 1, 2, 3)]
    assert len(seen.refused) == 2
    rows = seen.finished.sql("SELECT file, job_id, uploaded_name FROM tickets ORDER BY id")
    assert {file: seen.worked_on[job_id] for file, job_id, _ in rows} == seen.wanted
    assert [name for _, _, name in rows] == [f"uploads/{n}.png" for n in range(4)]


# -- a Kiosk that names everything the same


def one_name_for_all(folder: Path) -> Seen:
    wanted = wells(folder, 2)
    with naming_kiosk(lambda _number, _sent: "uploads/x.png") as kiosk:
        finished = run_locust(folder, *ARGUMENTS, "-u", "1", host=kiosk.url, FILE="")
        sent, objects = zip(*kiosk.uploads, strict=True)
        return Seen(finished, wanted, kiosk.worked_on, list(objects), list(sent))


@sees(one_name_for_all)
def test_a_kiosk_that_names_all_files_the_same_costs_an_error_and_no_wrong_job(seen: Seen) -> None:
    first, second = seen.finished.jobs
    assert first["outcome"] == "done"
    assert second["outcome"] == "error"
    assert "not uploaded: it was given the name uploads/x.png" in second["reason"]
    assert "5 times in a row" in second["reason"]
    assert seen.finished.code == 2
    assert len(seen.worked_on) == 1
