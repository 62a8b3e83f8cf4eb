"""HTTP_PROXY and its kin: what does not use them says so, and what does is not broken by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust.client.proxies import unused_for
from tests.helpers.real import run_locust
from tests.helpers.servers import refusing_url

PROXY = "http://somebody:canary-271828@192.0.2.1:3128"  # RFC 5737: nobody's


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("url", "variable", "no_proxy", "said"),
    [
        ("http://kiosk.example.org", "HTTP_PROXY", "", "HTTP_PROXY"),
        ("http://kiosk.example.org", "http_proxy", "", "http_proxy"),
        ("https://kiosk.example.org", "HTTP_PROXY", "", ""),
        ("https://kiosk.example.org", "HTTPS_PROXY", "", "HTTPS_PROXY"),
        ("https://kiosk.example.org", "ALL_PROXY", "", "ALL_PROXY"),
        ("http://kiosk.example.org", "HTTP_PROXY", "example.org", ""),
        ("http://kiosk.example.org", "HTTP_PROXY", "*", ""),
        ("http://kiosk.example.org", "HTTP_PROXY", "other.org", "HTTP_PROXY"),
        ("http://127.0.0.1:8080", "HTTP_PROXY", "", ""),
        ("http://[::1]:8080", "HTTP_PROXY", "", ""),
        ("http://localhost", "HTTP_PROXY", "", ""),
    ],
)
def test_which_proxy_a_request_to_the_kiosk_passes_by(
    monkeypatch: pytest.MonkeyPatch, url: str, variable: str, no_proxy: str, said: str
) -> None:
    monkeypatch.setenv(variable, PROXY)
    if no_proxy:
        monkeypatch.setenv("NO_PROXY", no_proxy)
    assert unused_for(url) == said


def test_a_run_says_which_proxy_it_does_not_use_and_never_its_password(tmp_path: Path) -> None:
    left = run_locust(
        tmp_path, "-u", "1", host="http://kiosk.invalid", HTTP_PROXY=PROXY, REQUEST_TIMEOUT="2"
    )
    assert left.code == 2, left.output
    assert "HTTP_PROXY is set, and is not used for the Kiosk" in left.output
    assert "straight to kiosk.invalid" in left.output
    assert "canary-271828" not in left.output


def test_what_is_on_this_machine_is_asked_without_a_proxy(tmp_path: Path) -> None:
    with refusing_url() as nobody:
        left = run_locust(tmp_path, "--simulate", "-u", "1", HTTP_PROXY=nobody)
    assert left.code == 0, left.output
    assert "the cost is not known" not in left.output
    assert left.results[0]["cost"]["asked"].startswith("GRAFANA_HOST (http://127.0.0.1")
    assert left.results[0]["cost"]["trouble"] is None
    assert "is not used for the Kiosk" not in left.output
