"""Secrets reach a pod as files alone, where the settings name them."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from kiosk_locust.config.table import SECRETS
from tests.deploy.kustomize import documents
from tests.deploy.manifests import ALL, BASE, KUBERNETES, of_kind, pod, rendered, settings
from tests.helpers.real import ROOT

VALUES = {secret.env for secret in SECRETS}
FILES = {secret.file_env: secret.env for secret in SECRETS}


def secret_mounts(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The secrets of a pod, by the folder in which a container sees each."""
    secrets = {each["name"]: each["secret"] for each in spec["volumes"] if "secret" in each}
    return {
        mount["mountPath"]: secrets[mount["name"]]
        for container in spec["containers"]
        for mount in container["volumeMounts"]
        if mount["name"] in secrets and mount["readOnly"]
    }


@pytest.mark.parametrize("name", ALL)
def test_no_secret_is_in_an_environment(name: str) -> None:
    for job in of_kind(rendered(name), "Job"):
        for container in pod(job)["containers"]:
            assert all(source.keys() == {"configMapRef"} for source in container.get("envFrom", ()))
            for variable in container.get("env", ()):
                assert "secretKeyRef" not in variable.get("valueFrom", {})
                assert variable["name"] not in VALUES
    assert not settings(name).keys() & VALUES


@pytest.mark.parametrize("name", ALL)
def test_a_worker_has_none(name: str) -> None:
    for job in of_kind(rendered(name), "Job"):
        is_worker = "--worker" in pod(job)["containers"][0]["args"]
        assert bool(secret_mounts(pod(job))) != is_worker


def test_the_pods_group_alone_reads_them() -> None:
    spec = pod(rendered(BASE)["Job", "kiosk-locust"])
    for secret in secret_mounts(spec).values():
        assert secret["defaultMode"] == 0o440
    assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"]


def test_each_file_that_the_settings_speak_of_is_a_key_of_the_secret() -> None:
    (example,) = documents(KUBERNETES / "base" / "grafana.secret.example.yaml")
    ((folder, secret),) = secret_mounts(pod(rendered(BASE)["Job", "kiosk-locust"])).items()
    assert secret["secretName"] == example["metadata"]["name"]
    named = settings(BASE).keys() & FILES.keys()
    assert {FILES[each] for each in named} == example["stringData"].keys()
    text = (KUBERNETES / "base" / "settings.yaml").read_text("utf-8")
    page = (ROOT / "docs" / "howto" / "cluster.md").read_text("utf-8")
    for each in named:
        assert str(PurePosixPath(folder, FILES[each])) in text
        assert f"{each}" in page
        assert not settings(BASE)[each]  # until the secret is there, a file would be missing
