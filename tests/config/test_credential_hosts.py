"""A login goes to the servers that whoever started the process named, and to no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.config import planned
from kiosk_locust.config.credential_hosts import bind_logins, withheld_logins
from kiosk_locust.cost.credentials import Credentials, Secrets
from kiosk_locust.cost.endpoints import CLUSTER_VARIABLE
from kiosk_locust.model.options import GrafanaOptions, options_as_json
from tests.helpers.layered import make_layers, resolve
from tests.helpers.real import Locust, simulator, wait_until
from tests.helpers.servers import RawServer, answering, json_answer

OURS, THEIRS = "https://grafana.example/monitoring", "http://elsewhere.example:3000"
SECRETS = Secrets(Credentials(token="t-1"), Credentials("me", "pw-2"))
IN_CLUSTER = {CLUSTER_VARIABLE: "10.0.0.1"}
PLACE = "the ledger results/a.db"
RUN = {"API_HOST": "http://kiosk", "FILE": "a.png"}


def ledgers(**settings: str) -> dict[str, Any]:
    """What the ledger of a run with these settings has of its options."""
    options = resolve(env=RUN | settings).options
    return {**options_as_json(options), "ramp": None}


@pytest.mark.parametrize(
    "given",
    [
        {"cli": {"--grafana-host": OURS}},
        {"env": {"GRAFANA_HOST": OURS}},
        {"dotenv": {"GRAFANA_HOST": OURS}},
        {"conf": {"grafana-host": OURS}},
    ],
)
def test_a_login_is_for_the_server_that_the_operator_names_and_no_other(
    given: dict[str, dict[str, str]],
) -> None:
    login = bind_logins(SECRETS, make_layers(**given), IN_CLUSTER).grafana
    assert login.header_for(f"{OURS}/api/datasources") == "Bearer t-1"
    for url in (THEIRS, "http://prometheus-operator-grafana/api", "http://grafana.example:8080"):
        assert login.header_for(url) == ""


def test_each_login_is_for_its_own_server() -> None:
    both = {"GRAFANA_HOST": OURS, "PROMETHEUS_URL": THEIRS}
    secrets = bind_logins(SECRETS, make_layers(env=both), {})
    assert not secrets.grafana.may_go_to(THEIRS)
    assert not secrets.prometheus.may_go_to(OURS)
    assert secrets.prometheus.header_for(THEIRS).startswith("Basic ")


def test_what_a_form_or_a_ledger_names_gets_none() -> None:
    ledger = planned.layer(ledgers(GRAFANA_HOST=THEIRS, PROMETHEUS_URL=THEIRS), PLACE)
    assert ledger.values["grafana_host"].text == THEIRS
    for layers in (
        make_layers(form={"grafana_host": THEIRS, "prometheus_url": THEIRS}),
        make_layers().over(ledger),
    ):
        secrets = bind_logins(SECRETS, layers, {})
        assert secrets.grafana.header_for(THEIRS) == ""
        assert secrets.prometheus.header_for(THEIRS) == ""


def test_the_clusters_own_grafana_gets_it_within_the_cluster_alone() -> None:
    for name in ("prometheus-operator-grafana", "kube-prometheus-stack-grafana"):
        url = f"http://{name}/api/datasources"
        assert bind_logins(SECRETS, make_layers(), IN_CLUSTER).grafana.may_go_to(url)
        assert not bind_logins(SECRETS, make_layers(), {}).grafana.may_go_to(url)
        assert not bind_logins(SECRETS, make_layers(), IN_CLUSTER).prometheus.may_go_to(url)


def test_a_login_that_is_withheld_is_told_with_the_setting_to_set_and_without_itself() -> None:
    secrets = bind_logins(SECRETS, make_layers(), {})
    lines = list(withheld_logins(secrets, GrafanaOptions(THEIRS, THEIRS)))
    assert len(lines) == 2
    assert lines[0].startswith(f"GRAFANA_TOKEN is not sent to {THEIRS}")
    assert f"set GRAFANA_HOST={THEIRS}" in lines[0]
    assert lines[1].startswith(f"PROMETHEUS_PASSWORD is not sent to {THEIRS}")
    assert f"set PROMETHEUS_URL={THEIRS}" in lines[1]
    assert not any("t-1" in line or "pw-2" in line for line in lines)


def test_nothing_is_told_where_there_is_no_login_or_it_is_sent() -> None:
    named = bind_logins(SECRETS, make_layers(env={"GRAFANA_HOST": OURS}), {})
    assert list(withheld_logins(named, GrafanaOptions(OURS))) == []
    assert list(withheld_logins(Secrets(), GrafanaOptions(THEIRS, THEIRS))) == []


def test_a_ledgers_bucket_is_no_setting_of_the_run_that_goes_on() -> None:
    ledger = planned.layer(ledgers(STORAGE_BUCKET="gs://theirs"), PLACE)
    assert "storage_bucket" not in ledger.values
    assert "upload_results" in ledger.values


@pytest.mark.proof
def test_a_run_that_goes_on_sends_no_login_and_no_file_to_where_its_ledger_alone_says(
    tmp_path: Path,
) -> None:
    bucket = tmp_path / "bucket"
    (bucket / "uploads").mkdir(parents=True)
    (bucket / "uploads" / "image.png").write_bytes(b"image")
    with simulator("--predict-s=0.5") as kiosk, RawServer(answering(json_answer([]))) as theirs:
        named: dict[str, Any] = {
            "GRAFANA_HOST": theirs.url,
            "STORAGE_BUCKET": bucket.as_uri(),
            "CHECKPOINT": "0",
        }
        begun = Locust(tmp_path, "-u", "8", "-r", "4", "--run-name", "a", host=kiosk.url, **named)
        wait_until(lambda: len(kiosk.submissions) >= 2, what="2 submissions")
        begun.process.kill()
        begun.process.wait()
        asked = len(theirs.requests)
        resumed = Locust(
            tmp_path, "--resume", "a", host=kiosk.url, GRAFANA_TOKEN="canary-1", log="again.txt"
        )
        finished = resumed.finish()
    assert finished.outcomes["done"] >= 7, finished.output
    assert len(theirs.requests) > asked  # it is asked, as before
    assert {request.headers.get("authorization") for request in theirs.requests} == {None}
    assert f"GRAFANA_TOKEN is not sent to {theirs.url}" in finished.output
    assert f"set GRAFANA_HOST={theirs.url}" in finished.output
    assert f"nothing goes to {bucket.as_uri()}" in finished.output
    assert not (bucket / "output").exists()
