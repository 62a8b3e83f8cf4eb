"""The report as a file: whole, alone, bounded, and with nothing in it that runs but its own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kiosk_locust.reporting import html
from kiosk_locust.reporting.web import assets, from_ledger
from tests.helpers.ledgers import Row, make
from tests.helpers.real import ROOT

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """The tags of a page, the texts of its scripts, and its policy."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[str | None, str]] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append((dict(attrs).get("type"), ""))

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)

    @property
    def policy(self) -> str:
        return next(a["content"] or "" for t, a in self.tags if t == "meta" and "http-equiv" in a)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    fields = {"status": "failed", "output_url": "javascript:alert(3)"}
    row = Row(
        outcome="failed",
        job_id=HOSTILE,
        reason=HOSTILE,
        status=HOSTILE,
        file=HOSTILE,
        fields=fields,
    )
    name = "a-run"
    return make(tmp_path / f"{name}.db", [row], host=HOSTILE, options={"label": HOSTILE})


def page(ledger: Path) -> Page:
    return Page(html.render(from_ledger.read(ledger)))


def test_every_script_that_may_run_is_ours_and_each_is_allowed_by_its_hash(hostile: Path) -> None:
    found = page(hostile)
    running = [text for kind, text in found.scripts if kind is None]
    assert len(running) == len(assets.SCRIPTS) + 1
    for text in running:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in found.policy
    assert "unsafe-inline" not in found.policy.split("style-src")[0]
    assert "unsafe-eval" not in found.policy


def test_hostile_strings_are_data_and_never_markup(hostile: Path) -> None:
    found = page(hostile)
    assert not [tag for tag, _ in found.tags if tag == "img"]
    (data,) = [text for kind, text in found.scripts if kind == "application/json"]
    assert "<" not in data
    shown = json.loads(data)
    assert shown["failures"][0]["job_id"] == HOSTILE
    assert not [a for _, attrs in found.tags for a in attrs if a.startswith("on")]


def test_it_asks_nothing_of_any_network(hostile: Path) -> None:
    found = page(hostile)
    assert found.policy.startswith("default-src 'none'")
    assert not [attrs for _, attrs in found.tags if attrs.get("src") or tag_loads(attrs)]


def tag_loads(attrs: dict[str, str | None]) -> bool:
    return bool(re.match("(https?:)?//", attrs.get("href") or ""))


def test_without_plotly_it_says_how_to_install_it_and_has_the_rest(
    hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "plotly", lambda: None)
    text = html.render(from_ledger.read(hostile))
    assert "pip install 'kiosk-locust[report]'" in text.replace("&#39;", "'")
    assert len(text) < 100_000
    assert "percentiles" in text


def test_the_command_builds_it_again_from_a_ledger_and_says_what_is_none(hostile: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kiosk_locust", "report", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    done = run(str(hostile))
    assert (done.returncode, done.stdout) == (0, f"written: {hostile.with_suffix('.html')}\n")
    assert hostile.with_suffix(".html").stat().st_size < 8_000_000
    missing = run(str(hostile.with_name("none.db")))
    assert missing.returncode == 2
    assert "cannot be read" in missing.stderr
    assert run().returncode == 2


def test_a_name_that_leads_elsewhere_makes_no_file_there(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    ledger = make(folder / "given.db", [Row()], run_name="../elsewhere")
    assert html.main([str(ledger)]) == 2
    assert not list(tmp_path.rglob("*.html"))


def test_it_tells_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        html.main(["--help"])
    assert ended.value.code == 0
    assert "FILE" in capsys.readouterr().out.upper()
