"""Requests that a page takes or refuses, by whose site asked for what name; Locust's own, too."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from locust import User
from locust.env import Environment

from kiosk_locust.plugin.web_ui import Site
from kiosk_locust.reporting.web.site_guard import LOG_INTERVAL_S, OwnHosts, SiteGuard

PAGE = "127.0.0.1:8089"
OWN_PAGE = {"Host": PAGE, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
#: What Chromium sends when a page of http://localhost:9000 posts a form there.
FORM = {
    "Host": PAGE,
    "Origin": "http://localhost:9000",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


class Counted:
    """An application that counts what reaches it, and opens its answers to every site."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.now = 0.0
        app = Flask("test")

        @app.route("/", methods=["GET", "POST", "PUT", "DELETE", "OPTIONS"])
        def page() -> tuple[str, dict[str, str]]:
            self.reached.append("page")
            return "here", {"Access-Control-Allow-Origin": "*", "Vary": "Origin"}

        names = ["bench.example.org"]
        hosts = OwnHosts(names, lambda: ["operators-machine"])
        app.wsgi_app = SiteGuard(app.wsgi_app, hosts, lambda: self.now)  # type: ignore[method-assign]
        self.client = app.test_client()

    def ask(self, method: str = "GET", **headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open("/", method=method, headers=sent).status_code


@pytest.fixture
def counted() -> Counted:
    return Counted()


# -- whose page asked


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another port of this host
        {"Sec-Fetch-Site": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "http://localhost:8089"},  # the same machine, but not the same origin
        {"Origin": "null"},
        {"Origin": "file://"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{PAGE}"},
        FORM,
    ],
)
def test_what_another_sites_page_would_change_is_refused_and_reaches_nothing(
    counted: Counted, method: str, headers: dict[str, str]
) -> None:
    assert counted.ask(method, **({"Host": PAGE} | headers)) == 403
    assert counted.reached == []


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program's
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},  # typed into the address bar
        {"Origin": f"http://{PAGE}"},  # a browser without Fetch Metadata, or over plain http
        {"Origin": f"https://{PAGE}"},  # behind a proxy that takes TLS off
        {"Origin": "https://bench.example.org"},  # behind one that changes Host as well
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    ],
)
def test_programs_and_the_pages_own_requests_pass(
    counted: Counted, headers: dict[str, str]
) -> None:
    assert counted.ask("POST", **({"Host": PAGE} | headers)) == 200


def test_a_default_port_may_be_left_out_of_the_name(counted: Counted) -> None:
    for host in ("bench.example.org", "bench.example.org:443"):
        assert counted.ask("POST", Host=host, Origin="https://bench.example.org") == 200
    other = {"Host": PAGE, "Origin": "https://bench.example.org:8443"}
    assert counted.ask("POST", **other) == 403


def test_a_link_on_another_sites_page_opens_the_page(counted: Counted) -> None:
    assert counted.ask("GET", **FORM) == 200
    assert counted.ask("HEAD", **FORM) == 200


@pytest.mark.parametrize("dest", ["iframe", "frame", "embed", "object"])
def test_another_sites_page_cannot_show_the_page_within_itself(counted: Counted, dest: str) -> None:
    assert counted.ask("GET", **(FORM | {"Sec-Fetch-Dest": dest})) == 403
    assert counted.client.get("/").headers["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize("mode", ["no-cors", "cors", "websocket"])
def test_another_sites_page_cannot_fetch_anything(counted: Counted, mode: str) -> None:
    assert counted.ask("GET", **(FORM | {"Sec-Fetch-Mode": mode})) == 403
    assert counted.ask("GET", Host=PAGE, Origin="http://evil.example") == 403
    assert counted.reached == []


def test_no_answer_is_opened_to_other_sites(counted: Counted) -> None:
    for headers in ({"Host": PAGE}, OWN_PAGE, FORM, FORM | {"Sec-Fetch-Mode": "cors"}):
        for method in ("GET", "POST", "OPTIONS"):
            answer = counted.client.open("/", method=method, headers=headers)
            assert [name for name, _ in answer.headers if name.startswith("Access-Control")] == []


# -- by which name


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8089", "10.4.0.7", "[::1]:8089", "[fd00::7]", "localhost", "LocalHost:8089",
        "a.localhost:8089", "operators-machine:8089", "Operators-Machine.", "bench.example.org",
        "Bench.Example.org.:443",
    ],
)  # fmt: skip
def test_addresses_and_own_names_are_answered(counted: Counted, host: str) -> None:
    assert counted.ask(Host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8089", "localhost.evil.example", "notlocalhost",
        "127.0.0.1.evil.example", "x.bench.example.org", "bench.example.org.evil.example", "",
        "localhost, evil.example", "evil.example@localhost", "[evil]",
    ],
)  # fmt: skip
def test_names_that_another_site_may_own_are_not_answered(counted: Counted, host: str) -> None:
    for method in ("GET", "POST"):
        own = {"Host": host, "Sec-Fetch-Site": "same-origin"}
        assert counted.ask(method, **own) == 400
    assert counted.reached == []


def test_whoever_owns_a_refused_name_is_told_what_to_set(counted: Counted) -> None:
    answer = counted.client.get("/", headers={"Host": "kiosk.corp"})
    assert "'kiosk.corp'" in answer.text
    assert "--web-allowed-host" in answer.text
    assert answer.mimetype == "text/plain"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_machines_names_are_asked_for_only_once_they_matter() -> None:
    asked: list[str] = []

    def names() -> list[str]:
        asked.append("asked")
        return ["operators-machine"]

    hosts = OwnHosts(["bench.example.org"], names)
    assert hosts.has("127.0.0.1:8089")
    assert hosts.has("bench.example.org")
    assert asked == []
    assert not hosts.has("evil.example")
    assert hosts.has("operators-machine")
    assert asked == ["asked"]


# -- the log


def test_refusals_are_logged_a_line_in_ten_seconds(
    counted: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            counted.ask("POST", **FORM)
        counted.now = LOG_INTERVAL_S
        counted.ask("POST", **FORM)
    first, second = caplog.messages
    assert first.startswith("refused POST / of 127.0.0.1: A page of another site (http://localhost")
    assert "(and 49 requests more before it)" in second


# -- before Locust's own page


@pytest.fixture(scope="module")
def locusts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FlaskClient, Any]]:
    """A client of Locust's page, below a base path, with our part added; and what it may start."""
    environment = Environment(user_classes=[User])
    runner = environment.create_local_runner()
    web_ui = environment.create_web_ui("127.0.0.1", 8089, web_base_path="/b", delayed_start=True)
    Site(Path(tmp_path_factory.mktemp("results"))).add_to(web_ui, ["bench.example.org"])
    assert web_ui.app is not None
    yield web_ui.app.test_client(), web_ui.app
    runner.quit()


def test_what_changes_something_in_locust_is_no_get(locusts: tuple[FlaskClient, Any]) -> None:
    _, app = locusts
    changing = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("locust.") and "GET" not in rule.methods
    }
    assert changing == {"/b/swarm", "/b/stop", "/b/stats/reset", "/b/user"}


def test_locusts_own_routes_are_closed_to_other_sites(locusts: tuple[FlaskClient, Any]) -> None:
    client, _ = locusts
    for path in ("swarm", "stop", "stats/reset", "user"):
        assert client.post(f"/b/{path}", headers=FORM).status_code == 403
        assert (
            client.post(f"/b/{path}", headers=OWN_PAGE | {"Host": "e.example"}).status_code == 400
        )
    for path in ("", "stats/requests", "exceptions", "logs", "tasks", "kiosk", "kiosk/data.json"):
        assert client.get(f"/b/{path}", headers=OWN_PAGE).status_code == 200
        fetched = client.get(f"/b/{path}", headers=FORM | {"Sec-Fetch-Mode": "cors"})
        assert fetched.status_code == 403


def test_locusts_own_answers_are_opened_to_nobody(locusts: tuple[FlaskClient, Any]) -> None:
    client, app = locusts
    bare = Flask.wsgi_app.__get__(app)  # what Locust itself would answer
    for path in ("", "stats/requests", "kiosk/runs"):
        headers = {"Host": PAGE, "Origin": f"http://{PAGE}"}
        answer = client.get(f"/b/{path}", headers=headers)
        assert answer.status_code == 200
        assert "Access-Control-Allow-Origin" not in answer.headers
    sent: list[tuple[str, str]] = []
    environ = app.test_request_context("/b/stats/requests", headers=headers).request.environ
    list(bare(environ, lambda status, headers, exc=None: sent.extend(headers)))
    assert "Access-Control-Allow-Origin" in dict(sent)
