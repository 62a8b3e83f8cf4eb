"""Real runs, looked at with a real browser; what it shows is compared with the ledger by SQL."""

from __future__ import annotations

import csv
import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.helpers.chromium import Chromium, Seen, chromium
from tests.helpers.real import Locust, Simulator, simulator, wait_until
from tests.helpers.servers import RawServer, answering, free_port, html_answer
from tests.runs.test_webui import WebUi

PICTURES = Path(__file__).parents[3] / ".pictures"
TILES = """Object.fromEntries([...document.querySelectorAll("#tiles > div")].map(
    (tile) => [tile.querySelector("dt").textContent, tile.querySelector("dd").textContent]))"""
ROWS = """[...document.querySelectorAll("#{} tbody tr")].map(
    (row) => [...row.children].map((cell) => cell.textContent))"""
CLOSED = "Number(document.querySelector('#tiles dd').textContent.split(' of ')[0].replace(',', ''))"
OVER = "/Finished|Interrupted/.test(document.querySelector('#state').textContent)"
DRAWN = "document.querySelectorAll('.chart .main-svg').length >= 5"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def kiosk() -> Iterator[Simulator]:
    with simulator("--predict-s=0.3", "--jobs-per-gpu=16") as kiosk:
        yield kiosk


@contextmanager
def served(folder: Path, kiosk: Simulator) -> Iterator[WebUi]:
    ui = WebUi(folder, host=kiosk.url)
    try:
        yield ui
    finally:
        ui.signal(signal.SIGINT)
        ui.finish()


@pytest.fixture
def fresh(kiosk: Simulator, tmp_path: Path) -> Iterator[WebUi]:
    """A web UI that has had no run."""
    with served(tmp_path, kiosk) as ui:
        yield ui


@pytest.fixture(scope="module")
def shared(kiosk: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUi]:
    """A web UI in which one run follows another; the first one is ``earlier``, of 40 jobs."""
    with served(tmp_path_factory.mktemp("page"), kiosk) as ui:
        ui.start("earlier", users=40, rate=10)
        assert ui.written("earlier") == {"done": 40}
        yield ui


@pytest.fixture
def web(shared: WebUi, kiosk: Simulator) -> Iterator[WebUi]:
    """The shared one, with no run on and a Kiosk without faults."""
    kiosk.set_faults()
    wait_until(lambda: shared.state == "stopped", what="the end of the run before")
    yield shared
    if shared.state != "stopped":
        shared.stop()
    kiosk.set_faults()


def rows(table: str) -> str:
    return ROWS.format(table)


def serious(seen: Seen, name: str = "axe") -> list[Any]:
    return [found for found in seen.told[name] if found[0] in ("serious", "critical")]


def shots() -> str:
    PICTURES.mkdir(exist_ok=True)
    return str(PICTURES)


# -- the start form


def test_a_run_is_started_from_the_form_and_the_live_page_fills_up(
    fresh: WebUi, browser: Chromium
) -> None:
    seen = browser.visit(
        fresh.url,
        ("shot", f"{shots()}/form.png"),
        ("fill", '[name="userCount"]', "80"),
        ("fill", '[name="spawnRate"]', "10"),
        ("click", "role=button[name='Custom parameters']"),
        ("fill", '[name="runName"]', "from-form"),
        ("tell", "fields", "[...document.querySelectorAll('form [name]')].map((f) => f.name)"),
        ("click", "button[type=submit]"),
        ("until", "[...document.querySelectorAll('button')].some((b) => b.innerText === 'STOP')"),
        ("goto", f"{fresh.url}/kiosk"),
        ("until", f"document.querySelector('#tiles dd') && {CLOSED} > 5"),
        ("tell", "early", CLOSED),
        ("tell", "running", "document.querySelector('#state').textContent"),
        ("until", DRAWN),
        ("shot", f"{shots()}/live.png"),
        ("until", f"{CLOSED} >= 20"),
        ("until", OVER),
        ("tell", "tiles", TILES),
        ("tell", "percentiles", rows("percentiles")),
        ("tell", "outcomes", rows("outcomes")),
    )
    fields = seen.told["fields"]
    assert fields.index("jobType") < fields.index("count") < fields.index("updateInterval")
    assert not [name for name in fields if re.search("password|token|secret", name, re.I)]
    assert seen.errors == []
    assert 5 < seen.told["early"] < 80
    assert seen.told["running"] == "Running."
    assert seen.told["tiles"]["Jobs closed"] == "80 of 80"
    assert seen.told["tiles"]["Rate wanted"] == "10 jobs/s"
    assert fresh.sql("from-form", "SELECT count(*) FROM tickets WHERE outcome = 'done'") == [(80,)]
    assert seen.told["outcomes"] == [["done", "80"]]
    durations = sorted(d for (d,) in fresh.sql("from-form", "SELECT duration_s FROM tickets"))
    shown = next(row for row in seen.told["percentiles"] if row[0] == "whole job")
    assert shown[1] == "80"
    assert shown[2] == seconds(durations[39])
    assert shown[6] == seconds(durations[79])


def seconds(value: float) -> str:
    """As the page writes it, by another way."""
    return f"{float(f'{value * 1000:.3g}'):g} ms" if value < 0.9995 else f"{value:.2f} s"


def test_wrong_values_are_told_to_who_clicked_a_line_each(web: WebUi, browser: Chromium) -> None:
    seen = browser.visit(
        web.url,
        ("click", "text=New"),
        ("click", "role=button[name='Custom parameters']"),
        ("fill", '[name="count"]', "many"),
        ("fill", '[name="updateInterval"]', "-1"),
        ("click", "button[type=submit]"),
        ("until", "document.querySelector('.MuiAlert-message')"),
        ("tell", "message", "document.querySelector('.MuiAlert-message').innerText"),
    )
    lines = seen.told["message"].splitlines()
    assert lines[0] == "2 settings cannot be used:"
    assert {name for name in ("Count", "Update interval") if name in seen.told["message"]} == {
        "Count",
        "Update interval",
    }
    assert len(lines) == 3


def test_a_kiosk_that_is_away_is_told_to_who_clicked(web: WebUi, browser: Chromium) -> None:
    seen = browser.visit(
        web.url,
        ("click", "text=New"),
        ("fill", '[name="host"]', "http://127.0.0.1:9"),
        ("click", "button[type=submit]"),
        ("until", "document.querySelector('.MuiAlert-message')"),
        ("tell", "message", "document.querySelector('.MuiAlert-message').innerText"),
    )
    assert seen.told["message"].startswith("the Kiosk cannot be reached")


# -- a second run, its tab, and Stop


def test_the_tab_has_the_runs_rows_and_a_stopped_run_says_so(
    web: WebUi, browser: Chromium, kiosk: Simulator
) -> None:
    kiosk.set_faults("POST /api/predict status=400 rate=0.3")
    web.start("stopped", users=300, rate=10)
    wait_until(lambda: web.jobs_in_statistics() > 3, what="3 closed jobs")
    seen = browser.visit(
        f"{web.url}/?tab=kiosk",
        ("until", "/Time: whole job[^]*Failed: job/.test(document.body.innerText)"),
        ("tell", "rows", "[...document.querySelectorAll('tbody tr')].map((r) => r.innerText)"),
        ("tell", "link", "document.querySelector('#kiosk-links a').getAttribute('href')"),
        ("shot", f"{shots()}/tab.png"),
        ("click", "text=Stop"),
        ("goto", f"{web.url}/kiosk"),
        ("until", OVER),
        ("tell", "state", "document.querySelector('#state').textContent"),
        ("tell", "outcomes", rows("outcomes")),
    )
    text = "\n".join(seen.told["rows"])
    assert re.search(r"Failed: job \d+ of cycle 1\s+rejected: ", text), text
    assert re.search(r"Closed\s+\d+ of 300\s+.*running", text), text
    assert re.search(r"Time: whole job\s+\d+\s+\d+ ms", text), text
    assert seen.told["link"] == "./kiosk"
    assert "Interrupted. Exit code 2: interrupted by Stop" in seen.told["state"]
    # A ticket of which nothing was sent is no job.
    counted = web.sql(
        "stopped",
        "SELECT outcome, count(*) FROM tickets WHERE job_id IS NOT NULL"
        " OR outcome <> 'unfinished' GROUP BY 1",
    )
    jobs = {outcome: f"{number:,}" for outcome, number in counted}
    assert dict(seen.told["outcomes"]) == jobs


def test_the_run_before_is_still_there_with_its_files(
    web: WebUi, browser: Chromium, tmp_path: Path
) -> None:
    seen = browser.visit(
        f"{web.url}/kiosk/runs",
        ("click", "text=earlier"),
        ("until", DRAWN),
        ("tell", "title", "document.title"),
        ("tell", "files", "[...document.querySelectorAll('#files a')].map((a) => a.textContent)"),
        ("keep", "csv", "text=jobs.csv", str(tmp_path / "jobs.csv")),
        ("keep", "report", "text=earlier.html", str(tmp_path / "report.html")),
        ("keep", "chart", "#figure-rates button", str(tmp_path / "rates.csv")),
        ("axe", "axe"),
    )
    assert seen.told["title"] == "earlier"
    assert serious(seen) == []
    assert seen.errors == []
    lines = list(csv.DictReader((tmp_path / "jobs.csv").open()))
    ids = {job_id for (job_id,) in web.sql("earlier", "SELECT job_id FROM tickets")}
    assert {line["job_id"] for line in lines} == ids
    rates = list(csv.DictReader((tmp_path / "rates.csv").open()))
    assert sum(int(line["submitted_jobs"]) for line in rates) == 40
    assert sum(int(line["due_jobs"]) for line in rates) == 40
    report = browser.visit(
        (tmp_path / "report.html").as_uri(),
        ("until", DRAWN),
        ("tell", "tiles", TILES),
        ("shot", f"{shots()}/report.png"),
        ("axe", "axe"),
        offline=True,
    )
    assert report.told["tiles"]["Jobs closed"] == "40 of 40"
    assert serious(report) == []
    assert report.errors == []
    assert [url for url in report.requests if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_nothing_is_wider_than_the_page(
    web: WebUi, browser: Chromium, dark: bool
) -> None:
    seen = browser.visit(
        f"{web.url}/kiosk/runs/earlier",
        ("until", DRAWN),
        ("tell", "overflow", "document.documentElement.scrollWidth - window.innerWidth"),
        ("tell", "paper", "getComputedStyle(document.body).backgroundColor"),
        ("press", "Tab"),
        ("tell", "first", "document.activeElement.textContent"),
        ("axe", "axe"),
        ("shot", f"{shots()}/phone-{'dark' if dark else 'light'}.png"),
        width=360,
        dark=dark,
    )
    assert seen.told["overflow"] <= 0
    assert seen.told["paper"] == ("rgb(18, 24, 31)" if dark else "rgb(255, 255, 255)")
    assert seen.told["first"] == "Skip to the run"
    assert serious(seen) == []


# -- pages of other sites

#: What such a page can do without the browser's asking first, and what came of it.
ATTEMPTS = """(async (url) => {
    const form = new URLSearchParams({user_count: 5, spawn_rate: 5, run_name: "foreign"});
    const tried = {
        swarm: [url + "/swarm", {method: "POST", body: form, mode: "no-cors"}],
        open_swarm: [url + "/swarm", {method: "POST", body: form}],
        stop: [url + "/stop", {method: "POST", mode: "no-cors"}],
        stop_by_get: [url + "/stop", {mode: "no-cors"}],
        reset: [url + "/stats/reset", {method: "POST", mode: "no-cors"}],
        user: [url + "/user", {method: "POST", body: "{}", mode: "no-cors"}],
        read: [url + "/stats/requests", {}],
        read_ours: [url + "/kiosk/data.json", {}],
        faults: [KIOSK + "/simulator/faults",
            {method: "POST", body: '["POST /api/predict status=500"]', mode: "no-cors"}],
        flush: [KIOSK + "/simulator/flush", {method: "POST", mode: "no-cors"}],
    };
    const came = {};
    for (const [name, [address, how]] of Object.entries(tried)) {
        came[name] = await fetch(address, how).then((a) => a.type, () => "refused");
    }
    return came;
})"""
FRAME = """(url) => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.onload = () => { try { done(frame.contentDocument.body.innerText); }
                           catch { done("closed"); } };
    frame.src = url;
    document.body.append(frame);
})"""
A_FORM = """(url) => {
    document.body.innerHTML = `<form method="post" action="${url}/swarm">
        <input name="user_count" value="5"><input name="spawn_rate" value="5">
        <button>Win a prize</button></form>`;
}"""


def test_a_page_of_another_origin_changes_and_reads_nothing(
    web: WebUi, browser: Chromium, kiosk: Simulator
) -> None:
    web.start("kept", users=400, rate=10)
    wait_until(lambda: web.jobs_in_statistics() > 3, what="3 closed jobs")
    with RawServer(answering(html_answer(title="another site"))) as other:
        for name in ("localhost", "127.0.0.1"):  # another site, and another port of the same
            seen = browser.visit(
                other.url.replace("127.0.0.1", name),
                ("tell", "came", f"{ATTEMPTS.replace('KIOSK', repr(kiosk.url))}({web.url!r})"),
                ("tell", "framed", f"({FRAME})({web.url!r})"),
                ("tell", "none", f"({A_FORM})({web.url!r})"),
                ("click", "button"),
                ("until", f"location.href.startsWith({web.url!r})"),
                ("tell", "answered", "document.body.innerText"),
            )
            # "opaque": it was sent without asking, and its answer cannot be looked into.
            assert set(seen.told["came"].values()) == {"opaque", "refused"}
            assert seen.told["came"]["read"] == seen.told["came"]["read_ours"] == "refused"
            assert seen.told["framed"] == "closed"
            assert "A page of another site" in seen.told["answered"]
    assert web.state == "running"
    assert web.jobs_in_statistics() > 3  # no reset
    assert not web.ledger("foreign").exists()
    assert requests.get(f"{kiosk.url}/simulator/state", timeout=10).json()["faults"] == []
    web.stop()
    assert web.written("kept")["done"] > 3


# -- other ways to serve it


@pytest.mark.proof
def test_with_master_and_worker_below_a_base_path_and_behind_a_login(
    kiosk: Simulator, browser: Chromium, tmp_path: Path
) -> None:
    locustfile = Path(__file__).parents[2] / "locustfiles" / "login.py"
    port = str(free_port())
    folders = [tmp_path / "master", tmp_path / "worker"]
    for folder in folders:
        folder.mkdir()
    web = WebUi(
        folders[0],
        *("--web-login", "--web-base-path", "/loc"),
        *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port),
        host=kiosk.url,
        locustfile=locustfile,
    )
    worker = Locust(folders[1], "--worker", "--master-port", port, headless=False)
    try:
        for path in ("data.json", "runs", "jobs.csv", "static/page.js", "../kiosk"):
            answer = requests.get(f"{web.url}/loc/kiosk/{path}", allow_redirects=False, timeout=10)
            assert (answer.status_code, "/loc/login" in answer.headers["Location"]) == (302, True)
        wait_until(lambda: "1 workers connected" in web.output, what="the worker")
        with requests.Session() as session:
            session.get(f"{web.url}/let-me-in", timeout=10)
            form = {"user_count": "30", "spawn_rate": "15", "run_name": "shared"}
            assert session.post(f"{web.url}/loc/swarm", data=form, timeout=10).json()["success"]
        seen = browser.visit(
            f"{web.url}/loc/kiosk",
            ("until", OVER),
            ("until", DRAWN),
            ("tell", "tiles", TILES),
            ("tell", "outcomes", rows("outcomes")),
            ("click", "text=All runs"),
            ("tell", "runs", "document.querySelector('tbody').innerText"),
            before=[f"{web.url}/let-me-in"],
        )
        assert seen.told["tiles"]["Jobs closed"] == "30 of 30"
        assert seen.told["outcomes"] == [["done", "30"]]
        assert "shared" in seen.told["runs"]
        assert web.sql("shared", "SELECT count(*) FROM tickets WHERE outcome='done'") == [(30,)]
    finally:
        web.signal(signal.SIGINT)
        web.finish()
        worker.finish()


def test_the_size_of_what_the_page_asks_for_does_not_grow_with_the_jobs(web: WebUi) -> None:
    web.start("many", users=300, rate=100)
    assert web.written("many") == {"done": 300}
    answer = web.get("/kiosk/data.json")
    assert json.loads(answer.text)["closed"] == 300
    assert len(answer.content) < 60_000
