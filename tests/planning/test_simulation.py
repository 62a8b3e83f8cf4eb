from __future__ import annotations

import gc
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk_locust.errors import ForecastError
from kiosk_locust.planning.plan import ForecastPlan, gpu_rate, with_gpu_rate
from kiosk_locust.planning.simulation import run
from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.settings import ClusterSettings
from tests.planning.plans import IMAGE_S, images, zips
from tests.simulator.models import form


def test_one_gpu_that_takes_one_image_at_a_time_needs_their_number_times_their_time() -> None:
    course = run(images(300))
    assert course.makespan_s == pytest.approx(300 * IMAGE_S)
    assert (course.images_done, course.images_failed, course.jobs_done) == (300, 0, 300)


@pytest.mark.parametrize("gpus", [1, 2, 3])
def test_more_places_for_images_divide_the_time(gpus: int) -> None:
    course = run(images(100, jobs_per_gpu=4, min_nodes=gpus, max_nodes=gpus))
    assert course.makespan_s == pytest.approx(math.ceil(100 / (4 * gpus)) * IMAGE_S)


def test_slow_submission_leaves_the_last_job_its_own_time_alone() -> None:
    course = run(images(50, delay_s=20.0))
    assert course.submitted_s == 49 * 20.0
    assert course.makespan_s == pytest.approx(49 * 20.0 + IMAGE_S)


def test_a_cold_cluster_waits_for_the_autoscaler_and_then_for_its_node() -> None:
    course = run(images(10, min_nodes=0, autoscale_interval_s=15.0, node_startup_s=300.0))
    assert course.makespan_s == pytest.approx(15 + 300 + 10 * IMAGE_S)
    (node,) = course.gpu_nodes
    assert (node.created_at, node.ready_at) == (15.0, 315.0)


def test_one_zip_is_unpacked_worked_on_and_packed() -> None:
    course = run(zips(1, of=4, jobs_per_gpu=4))
    assert course.makespan_s == pytest.approx(4 * 0.5 + IMAGE_S + 2.0)
    assert (course.images_done, course.jobs_done) == (4, 1)


def test_few_zip_consumers_are_the_limit_where_gpus_are_not() -> None:
    course = run(zips(20, of=10, zip_consumers=2, jobs_per_gpu=100))
    assert course.makespan_s == pytest.approx(20 * 10 * 0.5 / 2 + IMAGE_S + 2.0)


def test_the_scale_down_comes_so_long_after_the_last_image() -> None:
    plan = images(10, min_nodes=0, scale_down_delay_s=600.0, autoscale_interval_s=10.0)
    course = run(plan)
    assert course.scaled_down_s is not None
    assert 600 <= course.scaled_down_s - course.makespan_s <= 610


def test_nodes_that_stay_have_no_scale_down() -> None:
    assert run(images(3)).scaled_down_s is None


def test_a_gpu_that_is_never_idle_is_wholly_busy() -> None:
    assert run(images(100)).gpu_busy == pytest.approx(1.0)
    assert run(images(100, delay_s=2 * IMAGE_S)).gpu_busy == pytest.approx(0.5, abs=0.01)


def test_images_that_fail_are_counted_apart() -> None:
    course = run(zips(10, of=10, failure_rate=0.3))
    assert course.images_done + course.images_failed == 100
    assert 10 < course.images_failed < 50


def test_zips_that_fail_end_the_run_as_well() -> None:
    course = run(zips(10, of=10, zip_failure_rate=1.0))
    assert (course.images_done, course.jobs_done) == (0, 0)
    assert course.images_per_s == 0


def test_consumers_that_always_die_are_an_error_and_no_endless_loop() -> None:
    plan = images(1, requeue_rate=1.0, requeue_delay_s=1e8)
    with pytest.raises(ForecastError, match=r"1 of 1 jobs have not ended .* --requeue-rate"):
        run(plan)


_plans = st.builds(
    zips,
    st.integers(1, 12),
    of=st.integers(1, 6),
    delay_s=st.floats(0, 30),
    seed=st.integers(0, 2**31),
    spread=st.sampled_from([0.0, 0.3]),
    failure_rate=st.sampled_from([0.0, 0.2]),
    requeue_rate=st.sampled_from([0.0, 0.2]),
    zip_failure_rate=st.sampled_from([0.0, 0.2]),
    min_nodes=st.integers(0, 1),
    max_nodes=st.integers(1, 3),
)


@settings(max_examples=40)
@given(_plans)
def test_the_course_is_what_a_client_that_looks_each_second_sees_of_the_same_cluster(
    plan: ForecastPlan,
) -> None:
    kiosk = Cluster(plan.cluster, 0.0)
    keys = [kiosk.submit(form("a.zip"), n * plan.start_delay_s) for n in range(plan.jobs)]
    now = kiosk.now
    while {kiosk.status(key, now) for key in keys} - {"done", "failed"}:
        now += 1.0
    lives = kiosk.lives(now)
    course = run(plan)
    assert course.makespan_s == max(life.ended_at or math.inf for life in lives.values())
    assert course.images_done == sum(life.images_done for life in lives.values())
    assert course.images_failed == sum(life.images_failed for life in lives.values())


def test_the_same_plan_gives_the_same_course_and_another_seed_another() -> None:
    plan = zips(20, of=10, spread=0.3, seed=1)
    other = replace(plan, cluster=replace(plan.cluster, seed=2))
    assert run(plan).makespan_s == run(plan).makespan_s != run(other).makespan_s


def test_the_collector_is_as_it_was_before() -> None:
    assert gc.isenabled()
    run(images(3))
    assert gc.isenabled()


def test_a_wanted_rate_of_a_gpu_is_the_rate_that_it_has() -> None:
    cluster = with_gpu_rate(ClusterSettings(min_nodes=1, max_nodes=1), 5.0)
    assert gpu_rate(cluster) == pytest.approx(5.0)
    course = run(ForecastPlan(3000, 1, zips=False, start_delay_s=0.0, cluster=cluster))
    assert course.images_per_s == pytest.approx(5.0, rel=0.02)
