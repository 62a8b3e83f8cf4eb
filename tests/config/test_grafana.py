"""Settings of where the cost is asked for."""

from __future__ import annotations

import pytest

from kiosk_locust.config import planned
from kiosk_locust.model.options import GrafanaOptions, options_as_json
from tests.helpers.layered import mistakes, resolve

REAL = {"API_HOST": "http://kiosk", "FILE": "a.png"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("grafana", "http://grafana"),
        ("grafana:3000", "http://grafana:3000"),
        ("https://example.org/monitoring/", "https://example.org/monitoring"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        (" ", ""),
    ],
)
def test_an_address_may_lack_its_scheme_and_have_a_path(given: str, expected: str) -> None:
    found = resolve(env=REAL | {"GRAFANA_HOST": given}).options.grafana
    assert found == GrafanaOptions(host=expected)


def test_the_defaults_ask_the_cluster_s_own_grafana_and_mark_runs() -> None:
    assert resolve().options.grafana == GrafanaOptions("", "", annotations=True)


@pytest.mark.parametrize("name", ["GRAFANA_HOST", "PROMETHEUS_URL"])
@pytest.mark.parametrize("address", ["http://me:s3cr3t@host", "s3cr3t@host", "me:s3@cr3t@host"])
def test_a_password_in_an_address_is_refused_and_not_told(name: str, address: str) -> None:
    (mistake,) = mistakes(env=REAL, dotenv={name: address})
    prefix = name.partition("_")[0]
    assert mistake.startswith(f"{name} in .env = '***@host'")
    assert f"set {prefix}_USER and {prefix}_PASSWORD" in mistake


@pytest.mark.parametrize("address", ["ftp://host", "http://", "host?x", "host/#a", "a b"])
def test_what_is_no_address_is_a_mistake(address: str) -> None:
    (mistake,) = mistakes(cli={"--prometheus-url": address}, env=REAL)
    assert "must be an address such as http://prometheus.example.org:9090" in mistake


def test_a_run_that_is_resumed_asks_the_same() -> None:
    given = REAL | {"GRAFANA_HOST": "https://g/x", "PROMETHEUS_URL": "p:9090"}
    options = resolve(env=given | {"NO_GRAFANA_ANNOTATIONS": "true"}).options
    texts = planned.setting_texts(options_as_json(options))
    again = {name: texts[name] for name in ("grafana_host", "prometheus_url")}
    assert again == {"grafana_host": "https://g/x", "prometheus_url": "http://p:9090"}
    assert texts["no_grafana_annotations"] == "true"
