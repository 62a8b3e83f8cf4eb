"""Downloads from addresses that are nearer to us than the Kiosk: nothing is sent there."""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.errors import DownloadError
from kiosk_locust.storage.transfers.downloads import Downloads
from kiosk_locust.storage.transfers.fetching import Fetch, session
from kiosk_locust.storage.transfers.reach import NotAllowed, Place, Reach, place_of
from tests.helpers.clocks import ManualClock
from tests.helpers.servers import RawServer, answering, answering_paths, raw_answer

PUBLIC = "http://93.184.216.34"
ANSWER = raw_answer(200, b"result", "application/zip")


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(answering(ANSWER)) as made:
        yield made


def fetch(url: str, folder: Path, reach: Reach) -> str:
    """Fetch once; what was said, or nothing where it came."""
    http = session(1, reach)
    try:
        Fetch(http, url, folder / "a.bin", timeout_s=2.0)()
    except DownloadError as error:
        told = "may pass: " if error.may_pass else ""
        return told + str(error) + ", ".join(path.name for path in folder.iterdir())
    finally:
        http.close()
    return ""


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("93.184.216.34", Place.INTERNET),
        ("2606:4700::1111", Place.INTERNET),
        ("10.0.0.1", Place.PRIVATE),
        ("172.16.0.1", Place.PRIVATE),
        ("192.168.1.1", Place.PRIVATE),
        ("100.64.0.1", Place.PRIVATE),
        ("fd00::1", Place.PRIVATE),
        ("127.0.0.1", Place.LOOPBACK),
        ("127.9.9.9", Place.LOOPBACK),
        ("::1", Place.LOOPBACK),
        ("::ffff:127.0.0.1", Place.LOOPBACK),
        ("::ffff:10.0.0.1", Place.PRIVATE),
        ("2002:7f00:1::", Place.LOOPBACK),
        ("64:ff9b::a9fe:a9fe", Place.NOWHERE),
        ("64:ff9b::5db8:d822", Place.INTERNET),
        ("169.254.169.254", Place.NOWHERE),
        ("::ffff:169.254.169.254", Place.NOWHERE),
        ("fe80::1", Place.NOWHERE),
        ("0.0.0.0", Place.NOWHERE),
        ("224.0.0.1", Place.NOWHERE),
        ("255.255.255.255", Place.NOWHERE),
        ("fec0::1", Place.PRIVATE),
    ],
)
def test_each_address_has_its_place(address: str, place: Place) -> None:
    assert place_of(ipaddress.ip_address(address)) is place


@pytest.mark.parametrize("kiosk", [PUBLIC, "http://10.0.0.1:8080", "http://nobody.invalid"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433"])
def test_a_kiosk_elsewhere_cannot_name_this_machine(
    kiosk: str, host: str, server: RawServer, tmp_path: Path
) -> None:
    told = fetch(f"http://{host}:{server.port}/a.bin", tmp_path, Reach(kiosk))
    assert told.startswith(f"http://{host}:{server.port}/a.bin was not fetched: is at 127.0.0.1")
    assert told.endswith(f"set DOWNLOAD_HOSTS={host}")
    assert server.connections == 0


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "192.168.0.1", "169.254.169.254", "[::1]", "[fe80::1]", "0", "[fd00::1]"]
)
def test_a_public_kiosk_cannot_name_a_private_address(host: str, tmp_path: Path) -> None:
    assert "was not fetched" in fetch(f"http://{host}/latest/meta-data/", tmp_path, Reach(PUBLIC))


def test_a_kiosk_on_this_machine_cannot_name_a_metadata_server(tmp_path: Path) -> None:
    reach = Reach("http://127.0.0.1:8080")
    told = fetch("http://169.254.169.254/latest/meta-data/", tmp_path, reach)
    assert "is at 169.254.169.254" in told


@pytest.mark.parametrize(
    "reach",
    [
        Reach("http://127.0.0.1:1"),
        Reach("http://localhost:1"),
        Reach(PUBLIC, also=["127.0.0.1"]),
    ],
)
def test_what_is_allowed_comes(reach: Reach, server: RawServer, tmp_path: Path) -> None:
    assert fetch(f"{server.url}/a.bin", tmp_path, reach) == ""
    assert (tmp_path / "a.bin").read_bytes() == b"result"


def test_the_kiosks_own_host_may_be_anywhere() -> None:
    Reach("http://169.254.1.1").check("169.254.1.1")


def test_a_redirect_into_the_private_network_is_not_followed(
    server: RawServer, tmp_path: Path
) -> None:
    location = f"Location: http://localhost:{server.port}/secret\r\n"
    moved = f"HTTP/1.1 302 F\r\n{location}Content-Length: 0\r\n\r\n".encode()
    with RawServer(answering(moved)) as first:
        told = fetch(f"{first.url}/a.bin", tmp_path, Reach(PUBLIC, also=["127.0.0.1"]))
    assert "is at 127.0.0.1" in told
    assert len(first.requests) == 1
    assert server.connections == 0


def test_a_name_that_changes_its_meaning_is_sent_nothing(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    asked: list[str] = []

    def rebinding(host: str, port: Any, *args: Any, **kw: Any) -> Any:
        if host != "rebind.example":
            return real(host, port, *args, **kw)
        asked.append(host)
        return real("93.184.216.34" if len(asked) == 1 else "127.0.0.1", port, *args, **kw)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    told = fetch(f"http://rebind.example:{server.port}/a.bin", tmp_path, Reach(PUBLIC))
    assert len(asked) == 2
    assert "is at 127.0.0.1" in told
    assert server.requests == []


@pytest.mark.parametrize("public_lookups", [1, 2])  # at the start; and before it connects
def test_the_kiosks_own_name_is_looked_at_each_time_and_when_it_connects(
    public_lookups: int, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    asked: list[str] = []

    def rebinding(host: str, port: Any, *args: Any, **kw: Any) -> Any:
        if host != "kiosk.example":
            return real(host, port, *args, **kw)
        asked.append(host)
        public = len(asked) <= public_lookups
        return real("93.184.216.34" if public else "127.0.0.1", port, *args, **kw)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    reach = Reach("http://kiosk.example")
    told = fetch(f"http://kiosk.example:{server.port}/a.bin", tmp_path, reach)
    assert len(asked) == public_lookups + 1
    assert "is at 127.0.0.1" in told
    assert server.requests == []
    if public_lookups == 1:  # seen before it connects
        assert server.connections == 0


def test_a_kiosk_with_several_addresses_may_have_its_results_at_each_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def both(host: str, port: Any, *args: Any, **kw: Any) -> Any:
        places = {"kiosk.example": ("93.184.216.34", "10.0.0.7")}
        return [(0, 0, 0, "", (address, 0)) for address in places.get(host, (host,))]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    reach = Reach("http://kiosk.example")
    reach.check("kiosk.example", "10.0.0.7")
    with pytest.raises(NotAllowed, match=r"is at 10\.0\.0\.8"):
        reach.check("other.example", "10.0.0.8")


METADATA = [
    "169.254.169.254", "fe80::a9fe:a9fe", "fd00:ec2::254", "fd00:ec2::23", "169.254.170.2",
    "169.254.170.23", "fd20:ce::254", "169.254.169.252", "168.63.129.16", "100.100.100.200",
    "fd00:100::100:200", "fd00:c1::a9fe:a9fe", "192.0.0.192", "fd00:a9fe:a9fe::1",
    "169.254.42.42", "fd00:42::42", "169.254.0.23", "::ffff:100.100.100.200",
    "64:ff9b::a83f:8110",
]  # fmt: skip


@pytest.mark.parametrize("address", METADATA)
@pytest.mark.parametrize("kiosk", [PUBLIC, "http://10.0.0.1", "http://127.0.0.1:8080"])
def test_no_kiosk_and_no_setting_leads_to_a_clouds_metadata(kiosk: str, address: str) -> None:
    reach = Reach(kiosk, also=[address, "results.example"])
    for host in (address, "results.example"):
        with pytest.raises(NotAllowed, match="where no results come from"):
            reach.check(host, address)


def test_a_kiosk_that_claims_to_be_the_metadata_server_gets_nothing() -> None:
    with pytest.raises(NotAllowed, match="instance metadata"):
        Reach("http://169.254.169.254").check("169.254.169.254")


def test_neighbours_of_metadata_addresses_are_as_any_other() -> None:
    Reach("http://10.0.0.1").check("100.100.100.201")
    Reach(PUBLIC).check("168.63.129.17")


@pytest.mark.parametrize("name", ["metadata.google.internal", "Metadata.Google.Internal."])
def test_a_proxy_is_not_asked_for_a_clouds_metadata_by_name(
    name: str, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "")
    told = fetch(f"http://{name}/computeMetadata/v1/", tmp_path, Reach(PUBLIC, also=[name]))
    assert "is instance metadata (Google), where no results come from" in told
    assert server.connections == 0


def test_a_netrc_is_read_for_nobody_also_after_a_redirect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password canary-of-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    (folder := tmp_path / "results").mkdir()
    with RawServer(answering_paths({"/b": ANSWER})) as second:
        there = f"http://localhost:{second.port}/b"
        moved = f"HTTP/1.1 302 F\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode()
        with RawServer(answering(moved)) as first:
            url = f"http://user:canary-of-url@127.0.0.1:{first.port}/a.bin"
            assert fetch(url, folder, Reach("http://127.0.0.1:1")) == ""
    assert [len(server.requests) for server in (first, second)] == [1, 1]
    for request in (*first.requests, *second.requests):
        assert "authorization" not in request.headers


def test_a_proxy_may_be_in_our_network_but_an_address_behind_it_may_not(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "")
    assert fetch("http://results.example/a.bin", tmp_path, Reach(PUBLIC)) == ""
    assert server.requests[0].path == "http://results.example/a.bin"
    (tmp_path / "a.bin").unlink()
    assert "was not fetched" in fetch("http://10.0.0.1/a.bin", tmp_path, Reach(PUBLIC))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://ftp.example/a", "data:,hello", "javascript:alert(1)",
        "FILE:///etc/passwd", "//host/a", "/etc/passwd", "../../etc/passwd", "http:", "gopher://x/",
        "http:///a", "unix:///run/docker.sock", "http+unix://%2Frun%2Fdocker.sock/info",
    ],
)  # fmt: skip
def test_other_schemes_are_refused_before_anything_is_made(url: str, tmp_path: Path) -> None:
    downloads = Downloads(
        tmp_path / "results",
        at_once=1,
        timeout_s=1.0,
        reach=Reach(PUBLIC),
        clock=ManualClock(),
        rng=random.Random(1),
    )
    try:
        with pytest.raises(DownloadError) as told:
            downloads._fetch(url, tmp_path / "results" / "a.bin")()
    finally:
        downloads.close()
    assert not told.value.may_pass
    assert not (tmp_path / "results").exists()
