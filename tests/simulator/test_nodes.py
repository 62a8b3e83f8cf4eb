"""The autoscaler, in virtual time."""

from __future__ import annotations

from kiosk_locust.simulator.cluster import Cluster
from tests.simulator.models import START, cluster, form


def alive(kiosk: Cluster, now: float) -> int:
    kiosk.advance(now)
    return len(kiosk.fleet.alive)


def test_without_nodes_jobs_wait_for_the_autoscaler_and_the_start_up() -> None:
    kiosk = cluster(min_nodes=0, autoscale_interval_s=5.0, node_startup_s=8.0)
    key = kiosk.submit(form(), START + 1)
    assert alive(kiosk, START + 4.9) == 0
    assert alive(kiosk, START + 5) == 1
    assert kiosk.status(key, START + 12.9) == "new"
    assert kiosk.status(key, START + 13.1) == "started"


def test_nodes_are_added_by_backlog_up_to_the_maximum() -> None:
    kiosk = cluster(max_nodes=3, jobs_per_node=10)
    for _ in range(10):
        kiosk.submit(form(), START)
    assert alive(kiosk, START + 5.5) == 1
    for _ in range(100):
        kiosk.submit(form(), START + 6)
    assert alive(kiosk, START + 10) == 3


def test_a_node_is_removed_after_its_idle_time_and_stays_in_the_history() -> None:
    kiosk = cluster(min_nodes=0, max_nodes=2, jobs_per_node=8, scale_down_delay_s=60.0)
    for _ in range(16):
        kiosk.submit(form(), START)
    assert alive(kiosk, START + 5) == 2
    assert alive(kiosk, START + 77) == 2  # ready at 13, idle at 18
    assert alive(kiosk, START + 80) == 0
    history = [(node.created_at, node.ready_at, node.deleted_at) for node in kiosk.fleet.history]
    assert history == [(START + 5, START + 13, START + 80)] * 2


def test_the_last_minimum_nodes_are_never_removed() -> None:
    kiosk = cluster(min_nodes=2, max_nodes=4)
    kiosk.submit(form(), START)
    assert alive(kiosk, START + 10_000) == 2
    assert all(node.created_at < START for node in kiosk.fleet.alive)


def test_the_nodes_that_ran_from_the_start_outlive_those_that_came_for_a_run() -> None:
    kiosk = cluster(min_nodes=1, max_nodes=3, jobs_per_node=8)
    for _ in range(24):
        kiosk.submit(form(), START)
    assert alive(kiosk, START + 5) == 3
    assert alive(kiosk, START + 1_000) == 1
    assert kiosk.fleet.alive[0].created_at < START


def test_a_busy_node_is_not_removed() -> None:
    kiosk = cluster(min_nodes=0, scale_down_delay_s=0.0, predict_s=500.0)
    key = kiosk.submit(form(), START)
    assert alive(kiosk, START + 400) == 1
    assert kiosk.status(key, START + 600) == "done"
    assert alive(kiosk, START + 600) == 0


def test_one_node_processes_as_many_images_at_once_as_it_was_told() -> None:
    kiosk = cluster(jobs_per_gpu=3)
    for _ in range(10):
        kiosk.submit(form(), START)
    assert kiosk.statuses(START + 0.5) == {"started": 3, "new": 7}
    assert kiosk.fleet.alive[0].running == 3


def test_an_idle_cluster_plans_nothing() -> None:
    kiosk = cluster()
    kiosk.submit(form(), START)
    kiosk.advance(START + 100)
    assert len(kiosk._agenda) == 0


def test_names_of_nodes_are_never_used_twice() -> None:
    kiosk = cluster(min_nodes=0, scale_down_delay_s=0.0)
    for round_ in range(5):
        kiosk.submit(form(), START + 1000 * round_)
    kiosk.advance(START + 10_000)
    names = [node.name for node in kiosk.fleet.history]
    assert len(names) == len(set(names)) == 5
