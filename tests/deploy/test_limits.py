"""What a pod may use of its node's disk, reckoned from the quantities in the manifests."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.deploy.manifests import ALL, of_kind, pod, rendered

DISK = "ephemeral-storage"
#: What the kubelet keeps of a container's log: 5 files of 10 MiB (containerLogMaxFiles, -MaxSize).
LOG_BYTES = 5 * 10 * 2**20
#: GKE's Autopilot refuses pods that ask for more.
AUTOPILOT_BYTES = 10 * 2**30
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9}


def in_bytes(quantity: str) -> int:
    """A quantity of Kubernetes, such as ``2560Mi``."""
    match = re.fullmatch(r"(\d+)(\w*)", quantity)
    assert match, quantity
    return int(match[1]) * (_UNITS[match[2]] if match[2] else 1)


def pods(name: str) -> list[dict[str, Any]]:
    """The specifications of all pods of a kustomization."""
    return [pod(job) for job in of_kind(rendered(name), "Job")]


def total(spec: dict[str, Any], bound: str) -> int:
    """The bytes of disk that the containers of a pod ask for, or may use."""
    return sum(in_bytes(each["resources"][bound][DISK]) for each in spec["containers"])


@pytest.mark.parametrize("name", ALL)
def test_no_container_is_without_a_bound(name: str) -> None:
    for spec in pods(name):
        assert not spec.get("initContainers")
        for container in spec["containers"]:
            for bound in ("requests", "limits"):
                assert in_bytes(container["resources"][bound][DISK]) > 0


@pytest.mark.parametrize("name", ALL)
def test_each_empty_folder_has_a_bound_and_all_of_them_fit_with_the_log(name: str) -> None:
    for spec in pods(name):
        folders = [each["emptyDir"] for each in spec["volumes"] if "emptyDir" in each]
        assert folders
        assert not any(folder.get("medium") for folder in folders)  # that would be memory
        used = sum(in_bytes(folder["sizeLimit"]) for folder in folders)
        assert used + LOG_BYTES <= total(spec, "limits")


@pytest.mark.parametrize("name", ALL)
def test_what_may_be_used_is_asked_for_so_that_no_pod_is_evicted_for_it(name: str) -> None:
    for spec in pods(name):
        assert total(spec, "requests") == total(spec, "limits") <= AUTOPILOT_BYTES
