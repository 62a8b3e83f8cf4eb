"""The manifests: Kubernetes would take them, and they refer to what is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.deploy.kustomize import documents, name_of, render
from tests.deploy.manifests import ALL, BASE, KUBERNETES, VERSIONS, labels, of_kind, pod, rendered
from tests.helpers.optional import need

FILES = [
    path
    for path in sorted(KUBERNETES.rglob("*.yaml"))
    if path.name != "kustomization.yaml" and "apiVersion" in path.read_text("utf-8")
]
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
DISTRIBUTED = "overlays/distributed"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ALL)
def test_kubernetes_takes_what_each_kustomization_makes(name: str, version: str) -> None:
    for resource in render(KUBERNETES / name):
        assert kubernetes_validate.validate(resource, version, strict=True) == version


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_each_file_by_itself(version: str) -> None:
    for path in FILES:
        for resource in documents(path):
            if "$patch" not in resource:
                assert kubernetes_validate.validate(resource, version, strict=True) == version


def test_what_kubernetes_would_refuse_is_found() -> None:
    (job,) = documents(KUBERNETES / "base" / "job.yaml")
    job["spec"]["backofLimit"] = 6
    with pytest.raises(kubernetes_validate.ValidationError, match="backofLimit"):
        kubernetes_validate.validate(job, VERSIONS[0], strict=True)


@pytest.mark.parametrize("name", ALL)
def test_kubectl_makes_the_same_of_them(name: str) -> None:
    need("kubectl")
    command = ["kubectl", "kustomize", str(KUBERNETES / name)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    its = {name_of(each): each for each in yaml.safe_load_all(told)}
    assert its == rendered(name)


@pytest.mark.parametrize("name", ALL)
def test_an_image_that_is_given_by_digest_is_the_one_that_all_pods_run(
    name: str, tmp_path: Path
) -> None:
    """Kubectl is asked, too, where it is there."""
    copy = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, copy)
    image = copy / "image" / "kustomization.yaml"
    text, replaced = re.subn(
        r"^(    )newTag: .*$", rf"\1digest: {DIGEST}", image.read_text("utf-8"), flags=re.MULTILINE
    )
    assert replaced == 1
    image.write_text(text, "utf-8")
    resources = render(copy / name)
    if shutil.which("kubectl"):
        command = ["kubectl", "kustomize", str(copy / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        resources += yaml.safe_load_all(done.stdout)
    images = [
        container["image"]
        for each in resources
        if each["kind"] == "Job"
        for container in pod(each)["containers"]
    ]
    assert images
    assert set(images) == {f"registry.example.org/kiosk-locust@{DIGEST}"}


@pytest.mark.parametrize("name", ALL)
def test_pods_refer_to_what_is_there(name: str) -> None:
    resources = rendered(name)
    for job in of_kind(resources, "Job"):
        spec = pod(job)
        (container,) = spec["containers"]
        assert ("ServiceAccount", spec["serviceAccountName"]) in resources
        for source in container.get("envFrom", ()):
            assert ("ConfigMap", source["configMapRef"]["name"]) in resources
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert ("PersistentVolumeClaim", claim) in resources
            elif "secret" in volume:  # made by hand, so a pod must be able to start without it
                is_optional = volume["secret"].get("optional", False)
                assert is_optional != (volume["secret"]["secretName"] == "kiosk-locust-web")
            else:
                assert "emptyDir" in volume
        rules = job["spec"]["podFailurePolicy"]["rules"]
        named = {r["onExitCodes"]["containerName"] for r in rules if "onExitCodes" in r}
        assert named <= {container["name"]}


@pytest.mark.parametrize("name", ALL)
def test_selectors_find_pods_and_each_pod_has_a_policy_and_a_budget(name: str) -> None:
    resources = rendered(name)
    pods = [labels(job) for job in of_kind(resources, "Job")]
    policies = [p["spec"]["podSelector"] for p in of_kind(resources, "NetworkPolicy")]
    budgets = [b["spec"]["selector"] for b in of_kind(resources, "PodDisruptionBudget")]
    for selectors in (policies, budgets):
        wanted = [set(selector["matchLabels"].items()) for selector in selectors]
        assert all(any(want <= each.items() for each in pods) for want in wanted)
        assert all(any(want <= each.items() for want in wanted) for each in pods)
    for service in of_kind(resources, "Service"):
        assert any(service["spec"]["selector"].items() <= each.items() for each in pods)


@pytest.mark.parametrize("name", ALL)
def test_pods_have_no_right_that_they_do_not_need(name: str) -> None:
    for job in of_kind(rendered(name), "Job"):
        spec = pod(job)
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 1000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            asked = {"cpu", "memory", "ephemeral-storage"}
            assert container["resources"]["requests"].keys() == asked
            assert container["resources"]["limits"].keys() == asked - {"cpu"}
    for policy in of_kind(rendered(name), "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", ()):
            assert rule["from"]  # an empty one would let everybody in
            assert rule["ports"]


def test_the_secret_is_an_example_and_holds_none() -> None:
    (secret,) = documents(KUBERNETES / "base" / "grafana.secret.example.yaml")
    assert set(secret["stringData"].values()) == {""}
    assert not any(of_kind(rendered(name), "Secret") for name in ALL)
    spec = pod(rendered(BASE)["Job", "kiosk-locust"])
    (volume,) = (each["secret"] for each in spec["volumes"] if "secret" in each)
    assert secret["metadata"]["name"] == volume["secretName"]


def test_master_and_workers_agree_on_their_number_their_port_and_their_name() -> None:
    resources = rendered(DISTRIBUTED)
    master = pod(resources["Job", "kiosk-locust"])["containers"][0]
    workers = resources["Job", "kiosk-locust-worker"]["spec"]
    number = int(master["args"][master["args"].index("--expect-workers") + 1])
    budget = resources["PodDisruptionBudget", "kiosk-locust-worker"]["spec"]
    assert number == workers["completions"] == workers["parallelism"] == budget["minAvailable"]
    (worker,) = workers["template"]["spec"]["containers"]
    service = resources["Service", worker["args"][worker["args"].index("--master-host") + 1]]
    (port,) = service["spec"]["ports"]
    (opened,) = master["ports"]
    assert (port["targetPort"], port["port"]) == (opened["name"], opened["containerPort"])
    allowed = [
        rule["ports"]
        for name in ("kiosk-locust-master", "kiosk-locust-worker")
        for way in ("ingress", "egress")
        for rule in resources["NetworkPolicy", name]["spec"].get(way, ())
    ]
    assert allowed == [[{"protocol": "TCP", "port": port["port"]}]] * 2
    assert worker["image"] == master["image"]
