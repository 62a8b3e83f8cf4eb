"""``--web-login``: who comes in, and who does not; on Locust's own page."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient
from flask_login import UserMixin
from locust import User
from locust.env import Environment
from locust.web import WebUI

from kiosk_locust.cost.credentials import Credentials
from kiosk_locust.errors import OptionsError
from kiosk_locust.plugin import web_login
from kiosk_locust.plugin.web_ui import Site
from tests.helpers.chromium import chromium
from tests.helpers.real import Simulator, run_locust, simulator
from tests.helpers.servers import free_port
from tests.runs.test_webui import WebUi

USER, PASSWORD = "opera tor", "correct horse: båttery"
KNOWN = Credentials(USER, PASSWORD)
RIGHT = {"username": USER, "password": PASSWORD}


class Page:
    """A web UI with ``--web-login`` below a base path, as clients see it."""

    def __init__(self, folder: Path, known: Credentials = KNOWN) -> None:
        environment = Environment(user_classes=[User])
        self.runner = environment.create_local_runner()
        self.web_ui: WebUI = environment.create_web_ui(
            "127.0.0.1", 8089, web_base_path="/b", web_login=True, delayed_start=True
        )
        self.now = 0.0
        site = Site(folder)
        site.add_to(self.web_ui)
        site.login = web_login.add(self.web_ui, known)
        if site.login:
            site.login._attempts = web_login.Attempts(lambda: self.now)

    def client(self) -> FlaskClient:
        assert self.web_ui.app is not None
        return self.web_ui.app.test_client()

    def try_in(self, client: FlaskClient, form: dict[str, str], address: str = "10.0.0.7") -> int:
        """Post the form of the login page; the status."""
        where = {"REMOTE_ADDR": address}
        return client.post("/b/kiosk/login", data=form, environ_base=where).status_code


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    made = Page(tmp_path)
    yield made
    made.runner.quit()


def is_in(client: FlaskClient) -> bool:
    """Whether the front page and ours are shown to a client, and nothing else leads elsewhere."""
    statuses = {client.get(path).status_code for path in ("/b/", "/b/kiosk", "/b/stats/requests")}
    assert statuses in ({200}, {302})
    return statuses == {200}


def test_the_right_user_and_password_open_every_page(page: Page) -> None:
    client = page.client()
    assert not is_in(client)
    answer = client.post("/b/kiosk/login", data=RIGHT)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/b/")
    assert is_in(client)
    assert not is_in(page.client())  # somebody else


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"username": USER},
        {"password": PASSWORD},
        {"username": USER, "password": PASSWORD.upper()},
        {"username": USER, "password": PASSWORD + " "},
        {"username": "kiosk", "password": PASSWORD},
    ],
)
def test_anything_else_opens_none_and_says_so(page: Page, form: dict[str, str]) -> None:
    client = page.client()
    answer = client.post("/b/kiosk/login", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/b/login")
    assert "Wrong user or password." in client.get("/b/login").text
    assert not is_in(client)


def test_without_a_user_it_is_kiosk(tmp_path: Path) -> None:
    from kiosk_locust.config.secret_files import read_secrets

    known = web_login.credentials(read_secrets({"WEB_LOGIN_PASSWORD": "p"}, {}))
    page = Page(tmp_path, known)
    client = page.client()
    page.try_in(client, {"username": "kiosk", "password": "p"})
    assert is_in(client)


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(page: Page) -> None:
    answer = page.client().post("/b/kiosk/login", data=RIGHT)
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("kiosk_locust_8089=")  # another port's login is another one
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert PASSWORD not in cookie


def test_a_session_of_another_process_opens_nothing(page: Page, tmp_path: Path) -> None:
    there = page.client()
    page.try_in(there, RIGHT)
    cookie = there.get_cookie("kiosk_locust_8089")
    assert cookie is not None
    here = Page(tmp_path).client()
    here.set_cookie("kiosk_locust_8089", cookie.value)
    assert not is_in(here)


def test_logging_out_ends_the_session_and_is_offered_on_the_page(page: Page) -> None:
    client = page.client()
    page.try_in(client, RIGHT)
    assert 'action="./kiosk/logout"' in client.get("/b/").text
    assert client.post("/b/kiosk/logout").headers["Location"] == "/b/login"
    assert not is_in(client)


def test_another_sites_page_can_log_nobody_in(page: Page) -> None:
    client = page.client()
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}
    assert client.post("/b/kiosk/login", data=RIGHT, headers=headers).status_code == 403
    assert not is_in(client)


# -- guessing


def test_after_five_wrong_attempts_an_address_waits_for_a_minute(page: Page) -> None:
    client = page.client()
    for _ in range(web_login.MOST_BY_ADDRESS):
        assert page.try_in(client, {"username": USER, "password": "guess"}) == 303
        page.now += 2
    answer = client.post("/b/kiosk/login", data=RIGHT, environ_base={"REMOTE_ADDR": "10.0.0.7"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "50")
    assert not is_in(client)
    assert page.try_in(page.client(), RIGHT, "10.0.0.8") == 303  # another address need not
    page.now += 50
    assert page.try_in(client, RIGHT) == 303
    assert is_in(client)


def test_many_addresses_together_have_thirty_guesses_a_minute(page: Page) -> None:
    client = page.client()
    wrong = {"username": USER, "password": "guess"}
    statuses = [page.try_in(client, wrong, f"10.0.1.{number}") for number in range(100)]
    assert statuses == [303] * 30 + [429] * 70
    page.now += web_login.WINDOW_S
    assert page.try_in(client, wrong, "10.0.2.1") == 303


# -- other logins


class Somebody(UserMixin):  # type: ignore[misc]  # flask_login has no types
    id = "operator"


def test_a_login_that_the_locustfile_set_up_before_stays(tmp_path: Path) -> None:
    page = Page(tmp_path, Credentials())
    page.web_ui.login_manager.user_loader(lambda _: Somebody())
    assert web_login.add(page.web_ui, KNOWN) is None
    assert page.try_in(page.client(), RIGHT) == 404
    web_login.check(page.web_ui)


def test_a_login_that_the_locustfile_sets_up_later_takes_the_place_of_ours(page: Page) -> None:
    page.web_ui.login_manager.user_loader(lambda _: Somebody())
    client = page.client()
    assert page.try_in(client, RIGHT) == 404
    assert client.post("/b/kiosk/logout").status_code == 404
    assert not is_in(client)


def test_a_login_for_nobody_is_refused_with_what_to_set(tmp_path: Path) -> None:
    page = Page(tmp_path, Credentials())
    with pytest.raises(OptionsError, match="WEB_LOGIN_PASSWORD_FILE") as refused:
        web_login.check(page.web_ui)
    assert refused.value.mistakes[0].source == "--web-login"


# -- the shipped locustfile


@pytest.fixture(scope="module")
def kiosk() -> Iterator[Simulator]:
    with simulator() as kiosk:
        yield kiosk


def test_with_the_shipped_locustfile_a_browser_logs_in_by_a_password_from_a_file(
    kiosk: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n", encoding="utf-8")
    (tmp_path / "run").mkdir()
    web = WebUi(
        tmp_path / "run",
        *("--web-login", "--web-base-path", "/loc"),
        host=kiosk.url,
        WEB_LOGIN_PASSWORD_FILE=str(tmp_path / "password"),
    )
    try:
        form = {"user_count": "3", "spawn_rate": "50", "run_name": "stranger"}
        stranger = requests.post(f"{web.url}/loc/swarm", form, allow_redirects=False, timeout=10)
        assert stranger.status_code == 302
        with chromium() as browser:
            seen = browser.visit(
                f"{web.url}/loc/kiosk",
                ("until", "location.pathname === '/loc/login'"),
                ("fill", "[name=username]", "kiosk"),
                ("fill", "[name=password]", "guess"),
                ("click", "button[type=submit]"),
                ("until", "/Wrong user or password/.test(document.body.innerText)"),
                ("fill", "[name=username]", "kiosk"),
                ("fill", "[name=password]", PASSWORD),
                ("click", "button[type=submit]"),
                ("until", "location.pathname === '/loc/'"),
                ("fill", '[name="userCount"]', "3"),
                ("fill", '[name="spawnRate"]', "50"),
                ("click", "button[type=submit]"),
                ("until", "/STOPPED/i.test(document.body.innerText)"),
                ("goto", f"{web.url}/loc/kiosk"),
                ("until", "/Finished/.test(document.querySelector('#state').textContent)"),
                ("tell", "cookie", "document.cookie"),
                ("goto", f"{web.url}/loc/"),
                ("click", "text=Log out"),
                ("until", "location.pathname === '/loc/login'"),
                ("goto", f"{web.url}/loc/kiosk"),
                ("tell", "after", "location.pathname"),
            )
        assert seen.told == {"cookie": "", "after": "/loc/login"}
        assert len(kiosk.submissions) == 3
        assert not list((tmp_path / "run").glob("results/stranger*"))
        written = [path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()]
        assert not [data for data in written if PASSWORD.encode() in data]  # its output, too
    finally:
        web.signal(signal.SIGINT)
        web.finish()


def test_with_the_shipped_locustfile_and_no_password_nothing_starts(tmp_path: Path) -> None:
    port = str(free_port())
    ended = run_locust(tmp_path, "--web-login", "--web-port", port, headless=False)
    assert ended.code == 2
    assert "--web-login: nobody can log in, for there is no password" in ended.output
    assert "Traceback" not in ended.output
