"""When nodes lived, from samples of their creation times."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from kiosk_locust.cost.node_lifetimes import Life, census
from kiosk_locust.cost.series import Series
from tests.cost.clusters import STEP_S, ZERO, Cluster, every


def lives(cluster: Cluster) -> list[tuple[str, float, float | None]]:
    """Name, birth and death of each life, in seconds from ZERO."""
    return [
        (life.node, life.created_at - ZERO, None if life.ended_at is None else life.ended_at - ZERO)
        for life in census(cluster.series()).lives
    ]


def test_a_node_that_was_there_and_stays_has_no_end() -> None:
    cluster = Cluster()
    cluster.node("a", born_s=-5000)
    assert lives(cluster) == [("a", -5000, None)]


def test_a_birth_is_the_creation_time_and_not_the_first_scrape() -> None:
    cluster = Cluster()
    cluster.node("a")
    cluster.node("b", born_s=101, seen=(195, 600))
    assert ("b", 101, None) in lives(cluster)


def test_a_death_is_the_middle_of_the_last_scrape_and_the_next() -> None:
    cluster = Cluster()
    cluster.node("a")
    cluster.node("b", seen=(0, 300))
    assert ("b", -1000, 300 + STEP_S / 2) in lives(cluster)


def test_a_name_that_comes_back_is_another_life() -> None:
    cluster = Cluster()
    cluster.node("a")
    cluster.node("b", seen=(0, 150))
    cluster.node("b", born_s=400, seen=(405, 600))
    assert lives(cluster)[1:] == [("b", -1000, 157.5), ("b", 400, None)]


def test_a_death_comes_before_the_next_birth_under_the_name() -> None:
    cluster = Cluster()
    cluster.node("b", seen=(0, 150))
    cluster.node("b", born_s=152, seen=(165, 600))
    assert lives(cluster) == [("b", -1000, 151), ("b", 152, None)]


def test_two_series_of_a_node_count_once() -> None:
    cluster = Cluster()
    cluster.node("a", pod="ksm-1", seen=(0, 300))
    cluster.node("a", pod="ksm-2", seen=(285, 600))
    assert lives(cluster) == [("a", -1000, None)]


def test_a_gap_between_two_sightings_of_a_life_is_life() -> None:
    cluster = Cluster()
    cluster.node("a", pod="ksm-1", seen=(0, 60))
    cluster.node("a", pod="ksm-2", seen=(540, 600))
    assert lives(cluster) == [("a", -1000, None)]


def test_who_died_in_a_gap_of_all_samples_died_in_its_middle() -> None:
    cluster = Cluster()
    for seen in ((0, 60), (180, 600)):
        cluster.node("a", seen=seen)
    cluster.node("b", seen=(0, 60))
    assert ("b", -1000, 120) in lives(cluster)


def test_samples_that_a_lookback_shows_after_the_last_scrape_do_not_count() -> None:
    cluster = Cluster()
    cluster.node("a")
    cluster.node("b")  # seen to the end
    scraped = [
        Series(
            {"node": name, "pod": "ksm-1"},
            tuple((t, min(t, ZERO + last)) for t, _ in every(0, 600, 0)),
        )
        for name, last in (("a", 600), ("b", 330))
    ]
    found = census(replace(cluster.series(), scraped_at=tuple(scraped)))
    assert [life.ended_at for life in found.lives] == [None, ZERO + 337.5]


def test_nodes_of_two_targets_are_alive_though_one_was_scraped_last() -> None:
    cluster = Cluster()
    cluster.node("a", pod="shard-1", seen=(0, 600))
    cluster.node("b", pod="shard-2", seen=(7, 592))
    assert {death for _, _, death in lives(cluster)} == {None}


def test_what_becomes_of_nodes_after_the_samples_ended_is_not_counted() -> None:
    cluster = Cluster(end_s=2000)
    cluster.node("a", seen=(0, 600))
    found = census(cluster.series())
    assert found.lives[0].seconds_in(ZERO, ZERO + 2000) == 607.5
    assert found.unwatched_s(ZERO, ZERO + 2000) == 1400


def test_nodes_live_on_where_the_last_scrape_lags_a_little() -> None:
    cluster = Cluster(end_s=800)
    cluster.node("a", seen=(0, 600))
    found = census(cluster.series())
    assert found.lives[0].seconds_in(ZERO, ZERO + 800) == 800
    assert found.unwatched_s(ZERO, ZERO + 800) == 0


def test_values_that_are_no_times_are_left_out() -> None:
    cluster = Cluster()
    cluster.add("kube_node_created", [(ZERO, math.nan), (ZERO + 15, 0.0)], node="a")
    assert lives(cluster) == []


def test_no_series_are_no_lives() -> None:
    found = census(Cluster().series())
    assert (found.lives, found.interval_s) == ((), STEP_S)
    assert found.unwatched_s(ZERO, ZERO + 600) == 600


def test_a_label_that_prometheus_renamed_is_the_nodes() -> None:
    cluster = Cluster()
    cluster.add("kube_node_created", every(0, 600, ZERO - 1), node="of-ksm", exported_node="a")
    assert lives(cluster) == [("a", -1, None)]


@pytest.mark.parametrize(
    ("start_s", "end_s", "seconds"),
    [(0, 100, 50), (60, 70, 10), (0, 50, 0), (100, 200, 20), (120, 200, 0), (0, 200, 70)],
)
def test_a_life_counts_within_a_window_only(start_s: float, end_s: float, seconds: float) -> None:
    assert Life("a", 50.0, 120.0).seconds_in(start_s, end_s) == seconds
