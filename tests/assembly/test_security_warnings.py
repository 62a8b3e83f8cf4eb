"""What lies open: passwords that everybody knows, files that others read, a page for all."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust.assembly.security_warnings import open_page, warnings
from kiosk_locust.cost.credentials import Credentials, Secrets

NOTHING = Path("no-such-file")
NOBODY = Credentials()


def told(dotenv: Path = NOTHING, key: str = "", grafana: Credentials = NOBODY) -> list[str]:
    held = {"GRAFANA_TOKEN": "t0ken", "COUNT": "3"} if dotenv is not NOTHING else {}
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": key} if key else {}
    return list(warnings(environ, held, dotenv, Secrets(grafana)))


@pytest.mark.parametrize("password", ["admin", "prom-operator", "Admin", "changeme"])
def test_a_password_that_everybody_knows_is_told_without_it(password: str) -> None:
    (line,) = told(grafana=Credentials("admin", password))
    assert line.startswith("GRAFANA_PASSWORD is one that everybody knows")
    assert password not in line.removeprefix("GRAFANA_PASSWORD")


@pytest.mark.parametrize(
    "login",
    [
        Credentials("admin", "xK3-9vQ"),
        Credentials("admin", ""),
        Credentials("admin", "admin", "a-token-wins"),
    ],
)
def test_other_logins_are_not_told_of(login: Credentials) -> None:
    assert told(grafana=login) == []


@pytest.mark.parametrize(
    ("mode", "who"),
    [(0o644, "everybody on this machine"), (0o604, "everybody"), (0o640, "its group"), (0o600, "")],
)
def test_a_file_with_secrets_that_others_can_read_is_told_with_the_cure(
    mode: int, who: str, tmp_path: Path
) -> None:
    path = tmp_path / ".env"
    path.write_text("GRAFANA_TOKEN=t0ken\n")
    path.chmod(mode)
    lines = told(path)
    assert len(lines) == bool(who)
    for line in lines:
        assert f"holds GRAFANA_TOKEN and can be read by {who}" in line
        assert f"(mode {mode:o})" in line
        assert line.endswith(f"chmod 600 {path}")
        assert "t0ken" not in line


def test_a_file_without_secrets_may_be_read_by_all(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("COUNT=3\nGRAFANA_TOKEN=\n")
    path.chmod(0o644)
    held = {"COUNT": "3", "GRAFANA_TOKEN": ""}
    assert list(warnings({}, held, path, Secrets())) == []


def test_a_key_file_that_others_can_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text("{}")
    path.chmod(0o644)
    (line,) = told(key=str(path))
    assert line.startswith("GOOGLE_APPLICATION_CREDENTIALS: the key file")
    path.chmod(0o600)
    assert told(key=str(path)) == []
    assert told(key="nowhere\0") == []


@pytest.mark.parametrize("host", ["", "*", "0.0.0.0", "::", None])
def test_a_page_on_all_interfaces_without_a_login_is_told(host: str | None) -> None:
    line = open_page(host, 8089, has_login=False)
    assert line.startswith("the web page listens on all interfaces, port 8089, without a login")
    assert "--web-host 127.0.0.1" in line
    assert "--web-login" in line


def test_a_page_at_an_address_of_the_network_is_told() -> None:
    assert "listens at 10.0.0.7" in open_page("10.0.0.7", 8089, has_login=False)


@pytest.mark.parametrize(
    ("host", "has_login"),
    [("127.0.0.1", False), ("localhost", False), ("::1", False), ("", True), ("0.0.0.0", True)],
)
def test_other_pages_are_not_told_of(host: str, has_login: bool) -> None:
    assert open_page(host, 8089, has_login=has_login) == ""


@pytest.mark.parametrize("host", ["127.0.0.9", "[::1]", "LocalHost", "page.localhost"])
def test_this_machine_has_many_names(host: str) -> None:
    assert open_page(host, 8089, has_login=False) == ""


@pytest.mark.parametrize("host", ["localhost.example.org", "127.example.org", "::10"])
def test_a_name_that_only_begins_like_this_machine_s_is_another_s(host: str) -> None:
    assert f"listens at {host}" in open_page(host, 8089, has_login=False)
