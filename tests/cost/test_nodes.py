"""What each node was."""

from __future__ import annotations

import pytest

from kiosk_locust.cost.nodes import Node, nodes
from kiosk_locust.model.node_type import NodeType, read_node_types
from tests.cost.clusters import Cluster, every, labels

T4 = "nvidia-tesla-t4"


def only(cluster: Cluster, *told: NodeType) -> Node:
    (node,) = nodes(cluster.series(), told)[0]
    return node


def test_the_labels_say_what_a_node_is() -> None:
    cluster = Cluster()
    cluster.node("a", gpus=2, labels=labels("n1-highmem-2", spot=True, accelerator=T4))
    node = only(cluster)
    assert (node.machine_type, node.region, node.spot) == ("n1-highmem-2", "us-west1", True)
    assert (node.accelerator, node.gpus, node.is_gpu, node.gpus_assumed) == (T4, 2, True, False)
    assert node.kind == "n1-highmem-2 + 2 nvidia-tesla-t4, spot"


def test_the_labels_old_names_do_as_well() -> None:
    cluster = Cluster()
    old = {
        "beta_kubernetes_io_instance_type": "n1-standard-1",
        "failure_domain_beta_kubernetes_io_region": "us-east1",
        "failure_domain_beta_kubernetes_io_zone": "us-east1-c",
        "cloud_google_com_gke_preemptible": "true",
    }
    cluster.node("a", labels=old)
    node = only(cluster)
    assert (node.machine_type, node.region, node.zone) == (
        "n1-standard-1",
        "us-east1",
        "us-east1-c",
    )
    assert node.spot
    assert not node.is_gpu


@pytest.mark.parametrize(
    ("word", "spot"), [("spot", True), ("preemptible", True), ("standard", False)]
)
def test_the_way_of_provisioning_tells_of_spot(word: str, *, spot: bool) -> None:
    cluster = Cluster()
    others = [("cloud_google_com_gke_provisioning", word)]
    cluster.node("a", labels=labels("e2-small", others=others))
    assert only(cluster).spot == spot


def test_a_label_that_says_false_is_no_spot() -> None:
    cluster = Cluster()
    cluster.node("a", labels=labels("e2-small", others=[("cloud_google_com_gke_spot", "false")]))
    assert not only(cluster).spot


def test_the_provider_id_tells_zone_and_region() -> None:
    cluster = Cluster()
    cluster.node("a", provider_id="gce://my-project/europe-west4-a/a")
    node = only(cluster)
    assert (node.machine_type, node.region, node.zone) == ("", "europe-west4", "europe-west4-a")
    assert node.kind == "unknown type"


def test_an_accelerator_that_nobody_counted_is_one_gpu() -> None:
    cluster = Cluster()
    cluster.node("a", labels=labels("n1-highmem-2", accelerator=T4))
    node = only(cluster)
    assert (node.gpus, node.gpus_assumed) == (1, True)


def test_gpus_count_though_their_driver_came_late() -> None:
    cluster = Cluster()
    cluster.node("a", labels=labels("n1-highmem-2", accelerator=T4))
    for seen, value in (((0, 120), 0.0), ((135, 600), 1.0)):
        cluster.add(
            "kube_node_status_capacity", every(*seen, value), node="a", resource="nvidia_com_gpu"
        )
    node = only(cluster)
    assert (node.gpus, node.gpus_assumed) == (1, False)


@pytest.mark.parametrize(
    ("machine_type", "gpus", "is_gpu"),
    [
        ("a2-highgpu-4g", 4, True),
        ("a3-highgpu-8g", 8, True),
        ("g2-standard-4", 1, True),
        ("g1-small", 0, False),
        ("a1-small", 0, False),
        ("n1-highmem-2", 0, False),
    ],
)
def test_some_machine_types_come_with_gpus(machine_type: str, gpus: int, *, is_gpu: bool) -> None:
    cluster = Cluster()
    cluster.node("a", labels=labels(machine_type))
    node = only(cluster)
    assert (node.gpus, node.is_gpu, node.gpus_assumed) == (gpus, is_gpu, False)


def test_each_life_has_its_own_labels() -> None:
    cluster = Cluster()
    cluster.node("a", seen=(0, 150), labels=labels("n1-highmem-2", spot=True))
    cluster.node("a", born_s=300, labels=labels("n1-highmem-4"))
    before, after = nodes(cluster.series())[0]
    assert (before.machine_type, before.spot) == ("n1-highmem-2", True)
    assert (after.machine_type, after.spot) == ("n1-highmem-4", False)


def test_labels_that_were_scraped_at_another_time_are_better_than_none() -> None:
    cluster = Cluster()
    cluster.node("a", born_s=100)
    cluster.add(
        "kube_node_labels",
        every(0, 30, 1.0),
        node="a",
        label_node_kubernetes_io_instance_type="e2-small",
    )
    assert only(cluster).machine_type == "e2-small"


def test_what_the_user_says_stands_above_the_labels() -> None:
    cluster = Cluster()
    cluster.node("gke-c-gpu-0-a", gpus=1, labels=labels("n1-highmem-2"))
    (told,) = read_node_types(f"gpu=n1-highmem-4+{T4}@us-east1:spot")
    node = only(cluster, told)
    assert (node.machine_type, node.accelerator, node.spot) == ("n1-highmem-4", T4, True)
    assert (node.region, node.gpus) == ("us-east1", 1)


def test_the_first_that_matches_counts() -> None:
    cluster = Cluster()
    cluster.node("gke-c-gpu-0-a")
    told = read_node_types("cpu=e2-small,gpu=e2-medium,gke-*=e2-micro")
    assert only(cluster, *told).machine_type == "e2-medium"


def test_what_the_user_leaves_out_the_labels_say() -> None:
    cluster = Cluster()
    cluster.node("gke-c-gpu-0-a", gpus=4, labels=labels("e2-small", accelerator=T4))
    node = only(cluster, NodeType("gpu", "n1-highmem-8"))
    assert (node.region, node.accelerator, node.gpus) == ("us-west1", T4, 4)


def test_opencosts_price_is_the_mean_over_a_life() -> None:
    cluster = Cluster()
    cluster.node("a", seen=(0, 300))
    cluster.node("b")
    cluster.add("node_total_hourly_cost", [*every(0, 285, 0.2), *every(300, 585, 0.4)], node="b")
    cluster.add("node_total_hourly_cost", every(0, 300, 0.0), node="a")
    found = {node.life.node: node.opencost_usd for node in nodes(cluster.series())[0]}
    assert found["b"] == pytest.approx(0.3)
    assert found["a"] is None
