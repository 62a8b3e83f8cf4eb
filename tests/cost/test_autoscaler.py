"""What the autoscaler did."""

from __future__ import annotations

import pytest

from kiosk_locust.cost.autoscaler import MAX_COUNTS, autoscaler
from kiosk_locust.cost.nodes import nodes
from kiosk_locust.cost.types import Autoscaler, Window, WorkDone
from tests.cost.clusters import ZERO, Cluster, every, labels

GPU = labels("n1-highmem-2", spot=True, accelerator="nvidia-tesla-t4")
CPU = labels("e2-small")
RUN = Window(ZERO, ZERO + 300)


def story(
    cluster: Cluster, *, submitted_s: float | None = 10, closed_s: float | None = 290
) -> Autoscaler:
    found, _ = nodes(cluster.series())
    work = WorkDone(
        first_submitted_at=None if submitted_s is None else ZERO + submitted_s,
        last_closed_at=None if closed_s is None else ZERO + closed_s,
    )
    return autoscaler(cluster.series(), found, RUN, Window(ZERO, ZERO + cluster.end_s), work)


def kiosk() -> Cluster:
    cluster = Cluster()
    cluster.node("default", labels=CPU)
    cluster.node("gpu-1", born_s=100, seen=(105, 450), gpus=1, labels=GPU)
    cluster.node("gpu-2", born_s=130, seen=(135, 405), gpus=1, labels=GPU)
    return cluster


def test_nodes_by_type_are_told_at_each_change() -> None:
    told = [(count.at - ZERO, dict(count.nodes)) for count in story(kiosk()).nodes]
    gpu = "n1-highmem-2 + 1 nvidia-tesla-t4, spot"
    assert told == [
        (0, {"e2-small": 1}),
        (100, {"e2-small": 1, gpu: 1}),
        (130, {"e2-small": 1, gpu: 2}),
        (412.5, {"e2-small": 1, gpu: 1}),
        (457.5, {"e2-small": 1}),
    ]


def test_however_many_changes_there_are_only_some_are_told() -> None:
    cluster = Cluster()
    for number in range(300):
        cluster.node(f"n{number}", born_s=1 + number, labels=CPU)
    told = story(cluster).nodes
    assert len(told) == MAX_COUNTS
    assert (told[0].at, told[-1].at) == (ZERO, ZERO + 300)
    assert told[-1].nodes == {"e2-small": 300}


def test_the_wait_for_the_first_gpu_node_counts_from_the_first_submission() -> None:
    assert story(kiosk()).first_gpu_node_s == 90


def test_a_gpu_node_that_was_there_is_not_waited_for() -> None:
    cluster = kiosk()
    cluster.node("gpu-0", gpus=1, labels=GPU)
    assert story(cluster).first_gpu_node_s == 0


def test_a_gpu_node_that_went_before_is_not_the_first() -> None:
    cluster = kiosk()
    cluster.node("gpu-0", seen=(0, 15), gpus=1, labels=GPU)
    assert story(cluster, submitted_s=60).first_gpu_node_s == 40


def test_the_scale_down_counts_from_the_last_job() -> None:
    assert story(kiosk()).scale_down_s == 457.5 - 290
    assert story(kiosk(), closed_s=500).scale_down_s == 0


def test_what_is_not_known_is_none() -> None:
    told = story(kiosk(), submitted_s=None, closed_s=None)
    assert (told.first_gpu_node_s, told.scale_down_s, told.gpu_busy_hours) == (None, None, None)
    cluster = kiosk()
    cluster.node("gpu-3", born_s=200, gpus=1, labels=GPU)  # stays
    assert story(cluster).scale_down_s is None
    bare = Cluster()
    bare.node("default", labels=CPU)
    assert (story(bare).first_gpu_node_s, story(bare).scale_down_s) == (None, None)


def test_gpu_nodes_are_busy_while_any_of_their_gpus_is() -> None:
    cluster = kiosk()
    cluster.add("gpu_utilization", every(105, 300, 0.0), Hostname="gpu-1", gpu="0")
    cluster.add("gpu_utilization", every(105, 195, 80.0), Hostname="gpu-1", gpu="1")
    told = story(cluster)
    assert told.gpu_busy_hours == pytest.approx(200 / 3600 * 7 / 14)
    assert told.gpu_idle_hours == pytest.approx(200 / 3600 * 7 / 14)
    assert told.gpu_unmeasured_hours == pytest.approx(170 / 3600)
