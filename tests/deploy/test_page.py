"""The page in a container or a pod: behind a login, whose password is a file."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from kiosk_locust.config.table import SECRETS
from tests.deploy.kustomize import documents
from tests.deploy.manifests import ALL, KUBERNETES, labels, of_kind, pod, rendered
from tests.deploy.test_image import TEXT
from tests.deploy.test_secrets_in_pods import secret_mounts

PAGE = "overlays/page"
JOB = rendered(PAGE)["Job", "kiosk-locust"]
(CONTAINER,) = pod(JOB)["containers"]


@pytest.mark.parametrize("name", ALL)
def test_no_pod_has_a_page_without_a_login(name: str) -> None:
    for job in of_kind(rendered(name), "Job"):
        for container in pod(job)["containers"]:
            assert {"--headless", "--worker", "--web-login"} & set(container["args"])


def test_the_image_asks_for_a_login_wherever_it_has_a_page() -> None:
    assert "LOCUST_WEB_LOGIN=true" in TEXT


def test_the_password_is_a_file_that_the_secret_has() -> None:
    (example,) = documents(KUBERNETES / PAGE / "web.secret.example.yaml")
    (variable,) = CONTAINER["env"]
    assert variable["name"] in {secret.file_env for secret in SECRETS}
    folder, file = PurePosixPath(variable["value"]).parent, PurePosixPath(variable["value"]).name
    mount = secret_mounts(pod(JOB))[str(folder)]
    assert mount["secretName"] == example["metadata"]["name"]
    assert not mount.get("optional")  # else a pod would start that nobody can log in to
    assert example["stringData"].keys() == {file}


def test_the_service_and_the_rule_lead_to_the_page() -> None:
    resources = rendered(PAGE)
    service = resources["Service", "kiosk-locust-page"]["spec"]
    policy = resources["NetworkPolicy", "kiosk-locust-page"]["spec"]
    (port,) = CONTAINER["ports"]
    assert service["selector"].items() <= labels(JOB).items()
    assert policy["podSelector"]["matchLabels"].items() <= labels(JOB).items()
    assert [each["targetPort"] for each in service["ports"]] == [port["name"]]
    (rule,) = policy["ingress"]
    assert [each["port"] for each in rule["ports"]] == [port["containerPort"]]
    assert rule["from"]  # none would be all
