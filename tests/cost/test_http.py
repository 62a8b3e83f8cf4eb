from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from kiosk_locust.cost import http
from kiosk_locust.cost.credentials import Credentials, is_same_host, secrets
from kiosk_locust.cost.http import Endpoint, JsonClient
from kiosk_locust.errors import CostError, CostRefused, OptionsError
from tests.helpers.clocks import ManualClock
from tests.helpers.servers import Behaviour, RawServer, answering, pouring, raw_answer, refusing_url

LOGIN = "GRAFANA_USER and GRAFANA_PASSWORD, or GRAFANA_TOKEN"
SECRET = Credentials("admin", "pass: wörd")
BASIC = "Basic " + base64.b64encode("admin:pass: wörd".encode()).decode()


def made(
    url: str, credentials: Credentials = SECRET, clock: ManualClock | None = None
) -> JsonClient:
    target = Endpoint("GRAFANA_HOST", url.rstrip("/"), LOGIN)
    return JsonClient(target, credentials.bound([url]), clock or ManualClock())


@pytest.fixture
def server(httpserver: HTTPServer) -> Iterator[HTTPServer]:
    yield httpserver
    httpserver.clear()


def headers(server: HTTPServer) -> list[str | None]:
    return [request.headers.get("Authorization") for request, _ in server.log]


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        (SECRET, BASIC),
        (Credentials(token="glsa_1"), "Bearer glsa_1"),
        (Credentials("admin", "x", "glsa_1"), "Bearer glsa_1"),
        (Credentials(), None),
    ],
)
def test_the_login_is_sent_as_a_header(
    server: HTTPServer, credentials: Credentials, expected: str | None
) -> None:
    server.expect_request("/api/datasources").respond_with_json([])
    assert made(server.url_for(""), credentials).get("/api/datasources") == []
    assert headers(server) == [expected]


@pytest.mark.parametrize("bound", [(), ("http://g.example",), ("http://127.0.0.1:9",)])
def test_a_login_goes_to_no_server_that_it_is_not_for(
    server: HTTPServer, bound: tuple[str, ...]
) -> None:
    server.expect_request("/x").respond_with_json({})
    target = Endpoint("GRAFANA_HOST", server.url_for("").rstrip("/"), LOGIN)
    JsonClient(target, SECRET.bound(bound), ManualClock()).get("/x")
    assert headers(server) == [None]


def test_a_server_that_wants_the_login_it_is_not_sent_is_told_with_the_setting_to_set(
    server: HTTPServer,
) -> None:
    server.expect_request("/x").respond_with_json({}, 401)
    target = Endpoint("GRAFANA_HOST", server.url_for("").rstrip("/"), LOGIN)
    with pytest.raises(CostRefused, match="it wants a login: set GRAFANA_HOST, since"):
        JsonClient(target, SECRET, ManualClock()).get("/x")


def test_nothing_is_taken_from_netrc(
    server: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.expect_request("/x").respond_with_json({})
    made(server.url_for(""), Credentials()).get("/x")
    assert headers(server) == [None]


def test_a_login_is_not_sent_to_another_host_by_a_redirect(server: HTTPServer) -> None:
    with HTTPServer() as elsewhere:
        elsewhere.expect_request("/x").respond_with_json({})
        location = {"Location": elsewhere.url_for("/x?token=t")}
        server.expect_request("/x").respond_with_response(Response(status=302, headers=location))
        with pytest.raises(CostError, match=r"redirects to another place.*was sent nothing"):
            made(server.url_for("")).get("/x")
        assert not elsewhere.log


def test_a_redirect_on_the_same_host_is_followed_with_the_login(server: HTTPServer) -> None:
    location = {"Location": "/grafana/api/datasources?a=1"}
    server.expect_request("/api/datasources", query_string="a=1").respond_with_response(
        Response(status=301, headers=location)
    )
    server.expect_request("/grafana/api/datasources", query_string="a=1").respond_with_json([1])
    assert made(server.url_for("")).get("/api/datasources", {"a": "1"}) == [1]
    assert headers(server) == [BASIC, BASIC]


def test_a_circle_of_redirects_is_told(server: HTTPServer) -> None:
    server.expect_request("/x").respond_with_response(
        Response(status=302, headers={"Location": "/x"})
    )
    with pytest.raises(CostError, match=r"redirects in a circle: set GRAFANA_HOST"):
        made(server.url_for("")).get("/x")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://g/a", "http://g/b", True),
        ("http://g/a", "http://g:80/b", True),
        ("http://g", "https://g", True),
        ("https://g", "http://g", False),
        ("http://g:3000", "http://g:3001", False),
        ("http://g:3000", "https://g:3000", False),
        ("http://g", "http://g.evil", False),
        ("http://g", "http://g:x", False),
        ("http://g", "/login", False),
    ],
)
def test_only_the_same_server_and_its_https_get_the_login(one: str, other: str, same: bool) -> None:
    assert is_same_host(urlsplit(one), urlsplit(other)) == same


def test_an_answer_of_503_is_asked_for_again_a_few_times(server: HTTPServer) -> None:
    server.expect_ordered_request("/x").respond_with_data("", 503)
    server.expect_ordered_request("/x").respond_with_data("", 503, {"Retry-After": "7"})
    server.expect_ordered_request("/x").respond_with_json({"fine": True})
    clock = ManualClock()
    begun = clock.now()
    assert made(server.url_for(""), clock=clock).get("/x") == {"fine": True}
    assert clock.now() - begun == http.PAUSE_S + 7


def test_in_the_end_503_is_told(server: HTTPServer) -> None:
    server.expect_request("/x").respond_with_data("no healthy upstream", 503)
    with pytest.raises(CostRefused, match=r"503 to GET /x “no healthy upstream”.*too busy"):
        made(server.url_for("")).get("/x")
    assert len(server.log) == http.TRIES


def test_a_post_is_sent_once(server: HTTPServer) -> None:
    server.expect_request("/x").respond_with_data("", 503)
    with pytest.raises(CostRefused):
        made(server.url_for("")).post("/x", {})
    assert len(server.log) == 1


@pytest.mark.parametrize(
    ("status", "credentials", "words"),
    [
        (401, SECRET, f"{LOGIN} is wrong"),
        (401, Credentials(), f"it wants a login: set {LOGIN}"),
        (403, SECRET, "this account may not do that; it needs the right to read data sources"),
        (404, SECRET, "is the address right, and does it need a path"),
        (422, SECRET, "the query was refused"),
        (500, SECRET, "look at its log"),
    ],
)
def test_an_error_is_told_with_its_cure(
    server: HTTPServer, status: int, credentials: Credentials, words: str
) -> None:
    server.expect_request("/x").respond_with_json({"message": "No way"}, status)
    with pytest.raises(CostRefused) as caught:
        made(server.url_for(""), credentials).get("/x")
    assert caught.value.status == status
    assert f"answered {status} to GET /x “No way”: " in str(caught.value)
    assert words in str(caught.value)
    assert str(caught.value).startswith("GRAFANA_HOST (http://")


def test_a_page_instead_of_json_is_told(server: HTTPServer) -> None:
    page = "<!doctype html><html><title>Sign in</title>"
    server.expect_request("/x").respond_with_data(page, content_type="text/html")
    with pytest.raises(CostError, match=r"with no JSON \(HTML\) “Sign in”; is the address right"):
        made(server.url_for("")).get("/x")


def test_who_cannot_be_reached_is_told() -> None:
    with (
        refusing_url() as url,
        pytest.raises(CostError, match=r"cannot be reached: connection ref"),
    ):
        made(url).get("/x")


def test_a_name_that_nobody_knows_is_told() -> None:
    with pytest.raises(CostError, match=r"cannot be reached: the host's name is not known"):
        made("http://no-such-host.invalid").get("/x")


def test_a_secret_that_comes_back_in_an_answer_is_not_told(server: HTTPServer) -> None:
    def echo(request: Request) -> Response:
        return Response(f"bad: {request.headers['Authorization']} {SECRET.password}", 400)

    server.expect_request("/x").respond_with_handler(echo)
    with pytest.raises(CostRefused) as caught:
        made(server.url_for("")).get("/x")
    assert "wörd" not in str(caught.value)
    assert BASIC.split()[1] not in str(caught.value)


def test_credentials_do_not_show_what_they_are() -> None:
    found = secrets({"GRAFANA_TOKEN": "t0ken", "GRAFANA_USER": "me", "PROMETHEUS_PASSWORD": "pw"})
    assert found.grafana.token == "t0ken"
    assert not {word for word in ("t0ken", "me", "pw") if f"'{word}'" in repr(found)}


def test_the_environment_wins_over_dotenv_and_an_empty_value_is_none() -> None:
    found = secrets({"GRAFANA_USER": "a", "GRAFANA_PASSWORD": ""}, {"GRAFANA_PASSWORD": "b"})
    assert (found.grafana.user, found.grafana.password) == ("a", "b")


def test_a_password_in_the_environment_wins_over_a_token_in_dotenv() -> None:
    found = secrets({"GRAFANA_PASSWORD": "b"}, {"GRAFANA_USER": "a", "GRAFANA_TOKEN": "t"})
    assert (found.grafana.user, found.grafana.password, found.grafana.token) == ("a", "b", "")


@pytest.mark.parametrize(
    "given",
    [{"GRAFANA_TOKEN": "s3cr3t\nx"}, {"GRAFANA_TOKEN": "s3cr3t é"}, {"GRAFANA_USER": "s3cr3t:"}],
)
def test_a_secret_that_no_header_can_carry_is_a_mistake_without_its_value(
    given: dict[str, str],
) -> None:
    with pytest.raises(OptionsError) as caught:
        secrets(given)
    assert next(iter(given)) in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "behaviour",
    [
        pouring(b"x" * 65536, b"HTTP/1.1 200 OK\r\n\r\n"),
        answering(raw_answer(200, gzip.compress(b"x" * 2**24), Content_Encoding="gzip")),
    ],
    ids=["without end", "a gzip bomb"],
)
def test_an_answer_past_the_limit_is_not_read_on(
    behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 2**20)
    with (
        RawServer(behaviour) as server,
        pytest.raises(CostError, match="more than 1,048,576 bytes, which was not read on"),
    ):
        made(server.url).get("/api/datasources")
