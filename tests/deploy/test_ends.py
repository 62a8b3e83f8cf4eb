"""How a pod's end and the run's go together: exit codes, SIGTERM, what another pod finds."""

from __future__ import annotations

from typing import Any

import pytest

from kiosk_locust.assembly.stop_reason import SIGTERM_GRACE_S
from kiosk_locust.storage.bucket import Address
from tests.deploy.manifests import ALL, BASE, of_kind, pod, rendered, settings

#: After SIGTERM, all is to be written and uploaded by then; GKE gives a spot node's pods no more.
ALL_WRITTEN_S = 15
RUN = ("Job", "kiosk-locust")


def what_happens(job: dict[str, Any], *, code: int, disrupted: bool) -> str:
    """What the Job controller does about a pod that failed so, as its documentation has it."""
    for rule in job["spec"]["podFailurePolicy"]["rules"]:
        if "onPodConditions" in rule:
            (condition,) = rule["onPodConditions"]
            assert condition == {"type": "DisruptionTarget", "status": "True"}
            if disrupted:
                return str(rule["action"])
        else:
            assert rule["onExitCodes"]["operator"] == "In"
            if code in rule["onExitCodes"]["values"]:
                return str(rule["action"])
    return "Count"


@pytest.mark.parametrize("name", [BASE, "overlays/spot", "overlays/distributed"])
def test_a_run_that_has_told_its_exit_code_is_not_tried_again(name: str) -> None:
    job = rendered(name)[RUN]
    for code in (1, 2):
        assert what_happens(job, code=code, disrupted=False) == "FailJob"


@pytest.mark.parametrize("name", [BASE, "overlays/spot", "overlays/distributed"])
def test_a_run_whose_node_goes_is_gone_on_with_and_one_that_breaks_so_often(name: str) -> None:
    job = rendered(name)[RUN]
    # SIGTERM ends a run with exit code 2; the node's going comes first all the same.
    assert what_happens(job, code=2, disrupted=True) == "Ignore"
    assert what_happens(job, code=137, disrupted=False) == "Count"
    assert job["spec"]["backoffLimit"] > 0
    assert job["spec"]["podReplacementPolicy"] == "Failed"
    assert settings(name)["RESUME_OR_START"]
    volumes = {volume["name"]: volume for volume in pod(job)["volumes"]}
    assert "persistentVolumeClaim" in volumes["results"]


def test_a_ledger_that_goes_with_its_pod_is_not_started_again() -> None:
    for name in ("overlays/ephemeral", "overlays/simulated"):
        job = rendered(name)[RUN]
        assert job["spec"]["backoffLimit"] == 0
        assert what_happens(job, code=2, disrupted=True) == "FailJob"
        assert not of_kind(rendered(name), "PersistentVolumeClaim")


def test_a_pod_without_a_volume_that_is_gone_on_with_is_refused_until_it_has_a_bucket() -> None:
    name = "overlays/checkpoints"
    assert rendered(name)[RUN]["spec"]["backoffLimit"] > 0
    assert not of_kind(rendered(name), "PersistentVolumeClaim")
    with pytest.raises(ValueError, match="gs://"):
        Address.parse(settings(name)["STORAGE_BUCKET"])


@pytest.mark.parametrize("name", ALL)
def test_a_pod_has_the_time_that_an_end_takes(name: str) -> None:
    for job in of_kind(rendered(name), "Job"):
        assert pod(job)["terminationGracePeriodSeconds"] >= ALL_WRITTEN_S


def test_on_a_spot_node_more_of_the_time_is_left_for_writing() -> None:
    spot = rendered("overlays/spot")[RUN]
    assert pod(spot)["terminationGracePeriodSeconds"] == ALL_WRITTEN_S
    assert float(settings("overlays/spot")["LOCUST_STOP_TIMEOUT"]) < SIGTERM_GRACE_S
    assert {each["key"] for each in pod(spot)["tolerations"]} >= set(pod(spot)["nodeSelector"])


def test_only_workers_may_be_on_spot_nodes_where_a_master_is() -> None:
    resources = rendered("overlays/distributed")
    assert "tolerations" not in pod(resources[RUN])
    assert "tolerations" in pod(resources["Job", "kiosk-locust-worker"])
