"""The settings in the manifests: known, right, and all that the older client's chart had."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kiosk_locust.config.secret_files import read_secrets
from kiosk_locust.config.table import SECRETS, SETTINGS
from tests.deploy.kustomize import documents
from tests.deploy.manifests import ALL, BASE, KUBERNETES, settings
from tests.helpers.layered import resolve
from tests.helpers.real import ROOT

DOCUMENT = ROOT / "docs" / "reference" / "chart-migration.md"
#: The values of the older client's chart (kiosk-console, conf/helmfile.d/0410.benchmarking.yaml).
CHART = (
    "replicas", "image.repository", "image.tag", "resources.requests.cpu",
    "resources.requests.memory", "JOB_TYPE", "NUM_CYCLES", "NUM_GPUS", "GRAFANA_USER",
    "GRAFANA_PASSWORD", "GRAFANA_HOST", "LOG_LEVEL", "API_HOST", "FILE", "COUNT", "MODEL",
    "UPLOAD_PREFIX", "POSTPROCESS", "PREPROCESS", "START_DELAY", "UPDATE_INTERVAL",
    "MANAGER_REFRESH_RATE", "EXPIRE_TIME", "CONCURRENT_REQUESTS_PER_HOST", "STORAGE_BUCKET",
)  # fmt: skip
#: All names that the older client reads from its environment (kiosk_client/settings.py, 0.8.4).
CLIENT = (
    "NUM_GPUS", "STORAGE_BUCKET", "API_HOST", "GRAFANA_HOST", "GRAFANA_USER", "GRAFANA_PASSWORD",
    "MODEL", "JOB_TYPE", "SCALE", "LABEL", "PREPROCESS", "POSTPROCESS", "UPDATE_INTERVAL",
    "START_DELAY", "MANAGER_REFRESH_RATE", "EXPIRE_TIME", "UPLOAD_PREFIX",
    "CONCURRENT_REQUESTS_PER_HOST", "LOG_ENABLED", "LOG_LEVEL", "LOG_FILE", "DOWNLOAD_DIR",
    "OUTPUT_DIR", "LOG_DIR",
)  # fmt: skip
#: What the pod and the image say by other means, or what has no place any more; the page tells.
ELSEWHERE = {"DOWNLOAD_DIR", "LOG_DIR"}
NAMES = {setting.env for setting in SETTINGS.values() if setting.env}
FILE_NAMES = {secret.file_env for secret in SECRETS}
SECRET_NAMES = {secret.env for secret in SECRETS}


@pytest.mark.parametrize("name", ALL)
def test_they_are_names_that_the_program_knows(name: str) -> None:
    assert settings(name).keys() <= NAMES | FILE_NAMES
    assert all(isinstance(value, str) for value in settings(name).values())


@pytest.mark.parametrize("name", ALL)
def test_a_run_can_start_from_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = settings(name) | {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    if environment.get("STORAGE_BUCKET") == "gs://BUCKET":  # to be filled in
        environment["STORAGE_BUCKET"] = "gs://our-kiosk"
    assert read_secrets(environment, {}).mistakes == ()
    found = resolve(env=environment).options
    assert found.count == 100
    assert bool(found.host) != found.simulate


def test_every_value_of_the_charts_environment_has_its_place() -> None:
    (example,) = documents(KUBERNETES / "base" / "grafana.secret.example.yaml")
    there = settings(BASE).keys() | example["stringData"].keys()
    in_capitals = {name for name in CHART if name.isupper()}
    assert in_capitals <= there | {"image.repository"}
    assert set(CLIENT) - ELSEWHERE <= NAMES | SECRET_NAMES


def test_the_page_has_a_row_for_each_of_them() -> None:
    rows = re.findall(r"^\| `([^`]+)`", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(rows) >= {*CHART, *CLIENT}


def test_the_secret_holds_only_secrets() -> None:
    (example,) = documents(KUBERNETES / "base" / "grafana.secret.example.yaml")
    assert example["stringData"].keys() <= SECRET_NAMES
    for name in ALL:
        assert not settings(name).keys() & SECRET_NAMES
