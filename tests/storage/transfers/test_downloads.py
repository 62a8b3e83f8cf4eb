"""Downloads from servers that break off, lie, and answer no: never half a file under its name."""

from __future__ import annotations

import base64
import hashlib
import io
import random
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gevent.event import Event

from kiosk_locust.filesystem.disk_space import Reserve
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.record import Download, Outcome, Record
from kiosk_locust.storage.transfers.downloads import ENDED_FIRST, Downloads
from kiosk_locust.storage.transfers.fetching import Fetch
from kiosk_locust.storage.transfers.reach import Reach
from tests.helpers.clocks import ManualClock
from tests.helpers.scenarios import make_record
from tests.helpers.servers import (
    Behaviour,
    Connection,
    RawServer,
    answering,
    dripping,
    hanging_after,
    pouring,
    raw_answer,
    refusing_url,
)

DATA = random.Random(3).randbytes(300_000)
ETAG = '"v1"'


class Loader:
    """Downloads into a folder, on a clock that is not waited for."""

    def __init__(self, folder: Path, patience_s: float = 0.0) -> None:
        self.folder = folder
        self.told: list[Download] = []
        self.clock = ManualClock()
        self.downloads = Downloads(
            folder,
            at_once=2,
            timeout_s=1.0,
            reach=Reach("http://127.0.0.1:1"),
            clock=self.clock,
            rng=random.Random(1),
            patience_s=patience_s,
        )

    def _tell(self, _record: Record, download: Download) -> None:
        self.told.append(download)

    def fetch(self, *urls: str, within_s: float = 10.0) -> list[Download]:
        for number, url in enumerate(urls):
            self.downloads.begin(closed(number, url), self._tell)
        self.downloads.finish(within_s, Event())
        return self.told

    def one(self, behaviour: Behaviour, name: str = "a.bin") -> Download:
        with RawServer(behaviour) as server:
            (download,) = self.fetch(f"{server.url}/{name}")
        return download

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*"))


def closed(number: int, url: str, outcome: Outcome = Outcome.DONE) -> Record:
    fields = {"output_url": url} if url else {}
    return make_record(
        number, job_id=f"segmentation:image.png:job-{number}", outcome=outcome,
        snapshot=Snapshot(fields),
    )  # fmt: skip


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[Loader]:
    made = Loader(tmp_path / "results")
    yield made
    made.downloads.close()


def in_parts(piece: int, data: bytes = DATA, etag: str = ETAG) -> Behaviour:
    """Serve ranges, and break off after ``piece`` bytes each time."""

    def behave(connection: Connection) -> None:
        request = connection.read_request()
        assert request is not None
        begin = 0
        if (asked := request.headers.get("range")) and request.headers.get("if-range") == etag:
            found = re.fullmatch(r"bytes=(\d+)-", asked)
            assert found
            begin = int(found[1])
        status = "206 P" if begin else "200 O"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(data) - begin}\r\nETag: {etag}\r\n"
        if begin:
            head += f"Content-Range: bytes {begin}-{len(data) - 1}/{len(data)}\r\n"
        connection.send(head.encode() + b"\r\n" + data[begin : begin + piece])

    return behave


def test_a_whole_file_gets_its_name(loader: Loader) -> None:
    download = loader.one(answering(raw_answer(200, DATA, "application/zip")))
    assert (download.error, download.tries, download.size) == ("", 1, len(DATA))
    assert Path(download.path).read_bytes() == DATA
    assert loader.files == [Path(download.path).name]


def test_what_breaks_off_goes_on_where_it_was(loader: Loader) -> None:
    with RawServer(in_parts(100_000)) as server:
        (download,) = loader.fetch(f"{server.url}/a.bin")
        ranges = [request.headers.get("range") for request in server.requests]
    assert ranges == [None, "bytes=100000-", "bytes=200000-"]
    assert (download.tries, Path(download.path).read_bytes()) == (3, DATA)


def test_a_file_that_changed_meanwhile_is_not_patched_together(loader: Loader) -> None:
    other = bytes(reversed(DATA))
    first, second = in_parts(200_000), in_parts(400_000, other, etag='"v2"')

    def behave(connection: Connection) -> None:
        (second if connection.server.requests else first)(connection)

    download = loader.one(behave)
    assert Path(download.path).read_bytes() == other


def test_one_that_always_breaks_off_is_given_up_with_nothing_left(loader: Loader) -> None:
    broken = raw_answer(200, DATA)[:-1]

    def behave(connection: Connection) -> None:
        connection.read_request()
        connection.send(broken)

    download = loader.one(behave)
    assert (download.tries, download.path) == (5, "")
    assert "broke off" in download.error
    assert loader.files == []


def test_a_server_that_says_less_than_a_zip_has_is_found_out(loader: Loader) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.tif", DATA)
    lie = raw_answer(200, packed.getvalue()[:-500]) + packed.getvalue()[-500:]

    def behave(connection: Connection) -> None:
        connection.read_request()
        connection.send(lie)

    download = loader.one(behave, "a.zip")
    assert "sent a ZIP that is not whole" in download.error
    assert loader.files == []


def test_a_file_whose_md5_is_not_the_one_told_is_not_kept(loader: Loader) -> None:
    md5 = base64.b64encode(hashlib.md5(b"another").digest()).decode()
    answer = raw_answer(200, DATA, x_goog_hash=f"crc32c=AAAA, md5={md5}")
    download = loader.one(answering(answer))
    assert "MD5" in download.error
    assert loader.files == []
    right = base64.b64encode(hashlib.md5(DATA).digest()).decode()
    with RawServer(answering(raw_answer(200, DATA, x_goog_hash=f"md5={right}"))) as server:
        assert loader.fetch(f"{server.url}/b.bin")[-1].error == ""


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_no_is_not_asked_again(loader: Loader, status: int) -> None:
    download = loader.one(answering(raw_answer(status, b"no")))
    assert (download.tries, download.path) == (1, "")
    assert f"answered {status}" in download.error
    assert loader.files == []


def test_faults_that_may_pass_are_tried_again(loader: Loader) -> None:
    download = loader.one(answering(raw_answer(503), raw_answer(502), raw_answer(200, DATA)))
    assert (download.tries, download.error) == (3, "")


def test_an_outage_is_waited_out_though_that_takes_more_than_a_few_tries(tmp_path: Path) -> None:
    loader = Loader(tmp_path, patience_s=60.0)
    assert loader.one(answering(*[raw_answer(503)] * 8, raw_answer(200, DATA))).tries == 9


def test_an_outage_that_lasts_costs_its_patience_once_however_many_wait(tmp_path: Path) -> None:
    loader = Loader(tmp_path, patience_s=60.0)
    with RawServer(answering(raw_answer(503))) as server:
        told = loader.fetch(*[f"{server.url}/{n}" for n in range(12)])
    assert [download.path for download in told] == [""] * 12
    tries = sorted(download.tries for download in told)
    assert tries[:10] == [5] * 10
    assert tries[-1] > 5
    assert loader.clock.now() - 1000 < 60 + 12 * 7.5 + 30


def test_a_file_without_end_leaves_room_for_the_ledger(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_bytes = shutil.disk_usage(loader.folder.parent).free
    monkeypatch.setattr(Reserve, "bytes_of", lambda _self, _disk_bytes: free_bytes - 2**22)
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    download = loader.one(pouring(chunk, head, most=20_000))
    assert "was not read on: the disk of" in download.error
    assert "bytes that are kept for what matters more: make room" in download.error
    assert download.tries == 1
    assert loader.files == []


def test_a_file_that_drips_is_broken_off(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk_locust.storage.transfers.fetching.SLOWEST_BYTES_S", 1e9)
    monkeypatch.setattr("kiosk_locust.storage.transfers.downloads.TRIES", 1)
    download = loader.one(dripping(raw_answer(200, b"x" * 500)))
    assert "dripped, and was not there within" in download.error
    assert loader.files == []


def test_a_file_of_no_known_length_is_refused_but_chunks_are_taken(loader: Loader) -> None:
    def endless(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 O\r\nConnection: close\r\n\r\n" + DATA[:1000])

    assert "does not tell how long" in loader.one(endless).error
    chunked = b"HTTP/1.1 200 O\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n%b\r\n" % DATA[:1000]

    def cut(connection: Connection) -> None:
        connection.read_request()
        connection.send(chunked)

    def whole(connection: Connection) -> None:
        connection.read_request()
        connection.send(chunked + b"0\r\n\r\n")

    with RawServer(cut) as cutting, RawServer(whole) as ending:
        broken, good = loader.fetch(f"{cutting.url}/b", f"{ending.url}/c")[-2:]
    if broken.path:
        broken, good = good, broken
    assert "broke off" in broken.error
    assert Path(good.path).read_bytes() == DATA[:1000]
    assert loader.files == [Path(good.path).name]


def test_addresses_that_are_none_are_refused_without_a_request(loader: Loader) -> None:
    told = loader.fetch("", "file:///etc/passwd", "ftp://h/a", "http://[", "javascript:x")
    assert [download.path for download in told] == [""] * 5
    assert [download.tries for download in told] == [0] * 5
    assert "the Kiosk gave no output_url" in {download.error for download in told}


@pytest.mark.parametrize(
    "url", ["http://h:99999/", "http://a..b/", "http:///x", "http://[v1.x]:0x/", "http://%zz/"]
)
def test_an_address_that_leads_nowhere_is_asked_once(loader: Loader, url: str) -> None:
    (download,) = loader.fetch(url)
    assert (download.tries, download.path) == (1, "")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 200 O\r\nContent-Length: %b\r\n\r\nabc" % (b"9" * 5000), "how long"),
        (b"HTTP/1.1 302 O\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n", "leads to none"),
        (
            b"HTTP/1.1 302 O\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
            "leads to none",
        ),
        (
            b"HTTP/1.1 206 O\r\nContent-Range: bytes 0-2/3\r\nContent-Length: 3\r\n\r\nabc",
            "another part",
        ),
    ],
)
def test_what_no_server_should_say_is_on_the_record(
    loader: Loader, answer: bytes, told: str
) -> None:
    download = loader.one(answering(answer))
    assert told in download.error
    assert loader.files == []


def test_a_zip_that_nobody_can_read_is_on_the_record(loader: Loader) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.tif", DATA)
    content = bytearray(packed.getvalue())
    content[content.rindex(b"PK\x01\x02") + 6] = 99  # the version that is needed to unpack it
    download = loader.one(answering(raw_answer(200, bytes(content))), "a.zip")
    assert "sent a ZIP that is not whole" in download.error
    assert loader.files == []


def test_a_fault_of_ours_is_on_the_record_and_the_next_one_is_fetched(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([True])

    def at_first_faulty(fetch: Fetch, answer: Any) -> None:
        if next(faults, False):
            raise RuntimeError("oops")
        take(fetch, answer)

    take = Fetch._take
    monkeypatch.setattr(Fetch, "_take", at_first_faulty)
    with RawServer(answering(raw_answer(200, DATA))) as server:
        loader.downloads.begin(closed(1, f"{server.url}/a"), loader._tell)
        told = loader.fetch(f"{server.url}/b")
    assert sorted(download.error for download in told) == [
        "",
        "a fault of kiosk_locust: RuntimeError('oops')",
    ]


@pytest.mark.parametrize(
    "behaviour", [answering(raw_answer(403)), answering(b"rubbish\r\n\r\n"), hanging_after(b"")]
)
def test_no_login_and_no_signature_is_in_a_message(loader: Loader, behaviour: Behaviour) -> None:
    with RawServer(behaviour) as server:
        host = server.url.removeprefix("http://")
        (download,) = loader.fetch(f"http://us:pass@{host}/a.zip?X-Goog-Signature=5ec")
    assert f"{server.url}/a.zip?… " in download.error
    assert "pass" not in download.error
    assert "5ec" not in download.error


def test_a_host_that_is_away_is_told_in_few_words(loader: Loader) -> None:
    with refusing_url() as url:
        (download,) = loader.fetch(f"{url}/a.zip?sig=5ec")
    assert "Connection refused)" in download.error
    assert "5ec" not in download.error
    assert "ConnectionPool" not in download.error


def test_other_greenlets_have_their_turn_while_a_fast_server_sends(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("kiosk_locust.storage.bucket.streams.time.sleep", pauses.append)
    loader.one(answering(raw_answer(200, DATA * 20)))  # 6 MB
    assert len(pauses) >= 5


def test_jobs_that_made_nothing_are_left_alone(loader: Loader) -> None:
    loader.downloads.begin(closed(1, "http://127.0.0.1:9/x", Outcome.FAILED), loader._tell)
    assert loader.fetch() == []


def test_the_end_waits_no_longer_than_it_may_and_says_what_is_missing(loader: Loader) -> None:
    head = b"HTTP/1.1 200 O\r\nContent-Length: 300000\r\n\r\n" + DATA[:5000]
    with RawServer(hanging_after(head)) as server:
        urls = [f"{server.url}/{number}" for number in range(5)]
        told = loader.fetch(*urls, within_s=0.3)
    assert [download.error for download in told] == [ENDED_FIRST] * 5
    assert loader.files == []


def test_no_more_than_allowed_go_on_at_once(loader: Loader) -> None:
    answer = raw_answer(200, DATA)
    most = 0
    busy = 0

    def behave(connection: Connection) -> None:
        nonlocal most, busy
        while connection.read_request():
            busy += 1
            most = max(most, busy)
            connection.server.stopping.wait(0.02)
            busy -= 1
            connection.send(answer)

    with RawServer(behave) as server:
        told = loader.fetch(*[f"{server.url}/{number}" for number in range(8)])
    assert [download.error for download in told] == [""] * 8
    assert most == 2
