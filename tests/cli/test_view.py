"""``python -m kiosk_locust view`` as a process, and hostile strings in a browser."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from kiosk_locust.cost.serialisation import Priced, RunCost
from kiosk_locust.verdict.judgement import Finding, Judgement
from kiosk_locust.verdict.rules import Reason
from kiosk_locust.verdict.thresholds import Result
from tests.helpers.chromium import chromium
from tests.helpers.ledgers import T0, Row, make
from tests.helpers.real import ROOT

#: Each row of the table: how it is marked, and its cells.
THRESHOLDS = """[...document.querySelectorAll('#threshold-table tbody tr')].map(
    (row) => [row.className, ...[...row.children].map((cell) => cell.textContent)])"""
HOSTILE = '</td><script>window.hit = 1</script><img src=x onerror="window.hit = 1">'
COST = {
    "run": {"name": HOSTILE, "total_usd": 1.5, "at_least": True},
    "nodes": [{"name": HOSTILE, "machine_type": HOSTILE, "hours": 1.0, "lacks": HOSTILE}],
    "autoscaler": {
        "first_gpu_node_s": 60.0,
        "nodes": [{"at": T0 + n, "nodes": {HOSTILE: n}} for n in range(3)],
    },
    "notes": [HOSTILE],
}

SETTINGS = """[...document.querySelectorAll("#configuration tbody tr")].map(
    (row) => [...row.children].map((cell) => cell.textContent))"""


@contextmanager
def viewed(path: Path) -> Iterator[str]:
    """The address that it prints."""
    command = [sys.executable, "-m", "kiosk_locust", "view", str(path), "--no-browser"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+/\S+", process.stdout.readline())
        assert found
        yield found[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


JUDGED = Judgement(
    (Reason("cpu", f"{HOSTILE} is too slow", "--max-cpu"),),
    ("silence",),
    (
        Finding("job.p95 < 60s", "job.p95", "< 60 s", "58 s", Result.PASS, True, "55 s to 61 s"),
        Finding("failed < 1%", "failed", "< 1%", "3%", Result.MISS, False, HOSTILE),
        Finding("cost.total < 1", "cost.total", "< 1 USD", "-", Result.NOT_MEASURABLE, False, ""),
    ),
)


def hostile_row(number: int, url: str) -> Row:
    return Row(
        number=number,
        outcome="failed",
        job_id=HOSTILE,
        reason=HOSTILE,
        closed_at=T0 + number,
        fields={"status": "failed", "output_url": url},
    )


def test_hostile_strings_are_text_and_only_addresses_of_the_web_are_links(tmp_path: Path) -> None:
    urls = [
        *("javascript:window.hit=1", "JaVaScRiPt:window.hit=1", "data:text/html,x", "gs://b/o.zip"),
        *("//evil.example/x", " https://spaced.example", "https://ok.example/o.zip?a=1"),
    ]
    rows = [hostile_row(number, url) for number, url in enumerate(urls)]
    options = {"label": HOSTILE, HOSTILE: HOSTILE}
    ledger = make(
        tmp_path / "run.db",
        rows,
        host=HOSTILE,
        run_name="run",
        cost=RunCost(HOSTILE, "", Priced({}, COST)).as_text(),
        judgement=JUDGED.as_text(),
        ended_by=HOSTILE,
        options=options,
    )
    with viewed(ledger) as url, chromium() as browser:
        seen = browser.visit(
            url,
            ("until", "document.querySelectorAll('.chart .main-svg').length >= 6"),
            ("tell", "hit", "window.hit === undefined"),
            ("tell", "images", "document.querySelectorAll('#main img').length"),
            ("tell", "links", "[...document.querySelectorAll('#failures a')].map((a) => a.href)"),
            ("tell", "text", "document.querySelector('#failures').textContent"),
            ("tell", "cost", "document.querySelector('#cost').textContent"),
            ("tell", "problems", "document.querySelector('#problems').textContent"),
            ("tell", "thresholds", THRESHOLDS),
            ("tell", "schemes", "[...document.querySelectorAll('a')].map((a) => a.protocol)"),
            ("axe", "axe"),
        )
    assert seen.told["hit"] is True
    assert seen.errors == []
    assert seen.told["images"] == 0
    assert seen.told["links"] == ["https://ok.example/o.zip?a=1"]
    assert set(seen.told["schemes"]) == {"http:", "https:"}
    assert HOSTILE in seen.told["text"]
    assert "javascript:window.hit=1" in seen.told["text"]
    assert "INVALID: these numbers cannot be trusted" in seen.told["problems"]
    assert f"{HOSTILE} is too slow (limit: --max-cpu)" in seen.told["problems"]
    assert "such a run: silence." in seen.told["problems"]
    assert seen.told["thresholds"] == [
        ["good", "job.p95 < 60s", "< 60 s", "58 s", "pass, too close to call", "55 s to 61 s"],
        ["bad", "failed < 1%", "< 1%", "3%", "miss", HOSTILE],
        ["bad", "cost.total < 1", "< 1 USD", "-", "not measurable", ""],
    ]
    assert "at least $1.50" in seen.told["cost"]
    assert "1.0 min after" in seen.told["cost"] or "60.0 s after" in seen.told["cost"]
    assert [found for found in seen.told["axe"] if found[0] in ("serious", "critical")] == []


def test_a_results_file_is_shown_and_what_is_none_is_told(tmp_path: Path) -> None:
    from kiosk_locust.reporting import results_json

    ledger = make(tmp_path / "run.db", [Row()])
    (path,) = results_json.write_all(ledger, tmp_path / "out").paths
    with viewed(path) as url:
        data = requests.get(f"{url}/data.json", timeout=20).json()
        page = requests.get(url, timeout=20).text
    assert ">All runs</a>" in page
    assert ">Live</a>" not in page  # nothing runs here
    assert (data["run_name"], data["outcomes"]) == ("a-run", {"done": 1})
    command = [sys.executable, "-m", "kiosk_locust", "view", __file__, "--no-browser"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot be shown" in done.stderr


def test_it_answers_to_this_machines_names_alone(tmp_path: Path) -> None:
    with viewed(make(tmp_path / "run.db", [Row()])) as url:
        evil = requests.get(f"{url}/data.json", headers={"Host": "evil.example"}, timeout=20)
        local = url.replace("127.0.0.1", "localhost")
        assert evil.status_code == 400
        assert requests.get(f"{local}/data.json", timeout=20).json()["run_name"] == "a-run"


def test_where_no_job_ended_there_are_no_axes_of_nothing(tmp_path: Path) -> None:
    refused = Row(
        outcome="rejected",
        job_id=None,
        submitted_at=None,
        duration_s=None,
        duration_from=None,
        queue_wait_s=None,
        fields=None,
    )
    options = {"cost": {"tail_s": 0}, "names": ["a", "b"]}
    ledger = make(tmp_path / "run.db", [refused], options=options, finished="false")
    with viewed(ledger) as url, chromium() as browser:
        seen = browser.visit(
            url,
            ("until", "document.querySelectorAll('.chart .main-svg').length > 0"),
            ("tell", "words", "document.querySelector('#words-histogram').textContent"),
            ("tell", "hidden", "[...document.querySelectorAll('.chart[hidden]')].map((c) => c.id)"),
            ("tell", "settings", SETTINGS),
        )
    assert seen.errors == []
    assert seen.told["words"] == "In words: no job ended."
    assert seen.told["hidden"] == ["chart-times", "chart-stages", "chart-histogram"]
    assert ["cost.tail_s", "0"] in seen.told["settings"]
    assert ["names", "a, b"] in seen.told["settings"]
