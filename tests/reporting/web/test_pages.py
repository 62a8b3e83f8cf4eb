"""The pages as Flask serves them, without a browser and without Locust."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kiosk_locust.reporting.web import tab
from kiosk_locust.reporting.web.pages import CurrentRun, Pages
from tests.helpers.ledgers import Row, make


class Shown:
    """A folder of runs, one of which may be on."""

    refusal = ""

    def __init__(self, output_dir: Path, current: CurrentRun | None = None) -> None:
        self.output_dir = output_dir
        self.current = current


def client(source: Any) -> FlaskClient:
    app = Flask("test")
    app.register_blueprint(Pages(source, lambda view: view).blueprint("/base"))
    return app.test_client()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    make(tmp_path / "results" / "one.db", [Row()], run_name="one")
    (tmp_path / "secret.db").write_text("not for you")
    (tmp_path / "results" / ".env").write_text("GRAFANA_PASSWORD=canary")
    return tmp_path / "results"


@pytest.mark.parametrize(
    "path",
    [
        "runs/../secret",
        "runs/..%2Fsecret",
        "runs/%2E%2E%2Fsecret/data.json",
        "runs/one/files/.env",
        "runs/one/files/..%2F..%2Fsecret.db",
        "static/..%2Fpages.py",
        "runs/none",
    ],
)
def test_only_runs_and_their_files_are_given_away(folder: Path, path: str) -> None:
    assert client(Shown(folder)).get(f"/base/kiosk/{path}").status_code == 404


def test_every_answer_carries_the_policy_and_lets_no_other_site_read_it(folder: Path) -> None:
    browser = client(Shown(folder))
    for path in ("", "/data.json", "/runs", "/runs/one", "/static/page.js", "/runs/none"):
        headers = browser.get(
            f"/base/kiosk{path}", headers={"Origin": "http://evil.example"}
        ).headers
        assert "script-src 'self';" in headers["Content-Security-Policy"]
        assert "Access-Control-Allow-Origin" not in headers
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_pages_have_no_script_and_no_handler_in_their_markup(folder: Path) -> None:
    text = client(Shown(folder)).get("/base/kiosk/runs/one").get_data(as_text=True)
    assert "<script>" not in text
    assert " on" not in text.replace(" one", "").split("<body")[1].split("<main")[0]


def test_a_name_with_markup_is_text_in_the_list_and_in_links(tmp_path: Path) -> None:
    name = "a<b onclick=x>&'c"
    make(tmp_path / f"{name}.db", [Row()], run_name=name)
    browser = client(Shown(tmp_path))
    text = browser.get("/base/kiosk/runs").get_data(as_text=True)
    assert "a&lt;b onclick=x&gt;" in text
    assert "<b " not in text
    path = text.split('href="runs/')[1].split('"')[0]
    assert browser.get(f"/base/kiosk/runs/{path}").status_code == 200
    assert browser.get(f"/base/kiosk/runs/{path}/data.json").get_json()["run_name"] == name


def test_before_the_first_run_the_page_says_so_and_a_refusal_is_told(folder: Path) -> None:
    source = Shown(folder)
    assert client(source).get("/base/kiosk/data.json").get_json() == {
        "waiting": True,
        "refusal": "",
    }
    assert [row["what"] for row in tab.rows(source)] == ["No run was started yet"]
    source.refusal = "the Kiosk is away"
    assert client(source).get("/base/kiosk/data.json").get_json()["refusal"] == "the Kiosk is away"
    assert [row["told"] for row in tab.rows(source)] == ["the Kiosk is away"]


def test_no_page_is_shown_to_whom_the_guard_refuses(folder: Path) -> None:
    app = Flask("test")
    shut = Pages(Shown(folder), lambda view: lambda **_: ("Who are you?", 401))
    app.register_blueprint(shut.blueprint("/base"))
    browser = app.test_client()
    rules = [rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("kiosk.")]
    assert len(rules) == 18  # each with a slash at its end, too
    for rule in rules:
        path = rule.replace("<name>", "one").replace("<file>", "one.db")
        answer = browser.get(path)
        assert (answer.status_code, answer.text) == (401, "Who are you?"), path


@pytest.mark.parametrize(
    ("path", "moved_to"),
    [
        ("/base/kiosk/", "/base/kiosk"),
        ("/base/kiosk/runs/", "/base/kiosk/runs"),
        ("/base/kiosk/runs/one/", "/base/kiosk/runs/one"),
        ("/base/kiosk/runs/one/data.json/", "/base/kiosk/runs/one/data.json"),
    ],
)
def test_an_address_with_a_slash_at_its_end_leads_to_the_page(
    folder: Path, path: str, moved_to: str
) -> None:
    browser = client(Shown(folder))
    answer = browser.get(f"{path}?tab=2")
    assert answer.status_code == 308
    assert urljoin(path, answer.headers["Location"]) == f"{moved_to}?tab=2"
    assert browser.get(moved_to).status_code == 200
