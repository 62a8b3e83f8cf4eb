from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust.errors import OptionsError
from kiosk_locust.planning.arguments import read
from kiosk_locust.planning.plan import VCPUS_PER_GPU, gpu_rate


def mistakes(*words: str) -> list[str]:
    with pytest.raises(OptionsError) as caught:
        read(words)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_several_values_make_the_grid_gpus_first() -> None:
    asked = read(["--gpus", "1", "4", "--images", "1000", "10000"])
    assert [(plan.gpus, plan.images, plan.jobs) for plan in asked.plans] == [
        (1, 1000, 10), (1, 10_000, 100), (4, 1000, 10), (4, 10_000, 100),
    ]  # fmt: skip


def test_the_defaults_are_the_papers_largest_run() -> None:
    (plan,) = read([]).plans
    assert (plan.gpus, plan.images, plan.images_per_job) == (8, 1_000_000, 100)
    assert (plan.start_delay_s, plan.cluster.machine_type) == (0.5, "n1-highmem-2")
    assert (plan.cluster.accelerator, plan.cluster.spot) == ("nvidia-tesla-t4", True)
    assert plan.is_papers
    assert 5 < gpu_rate(plan.cluster) < 10


def test_the_consumer_nodes_hold_what_the_kiosks_consumers_ask_for() -> None:
    (plan,) = read([]).plans
    assert plan.consumer_machine_type.endswith("-8")
    assert plan.consumer_nodes == VCPUS_PER_GPU // 8


def test_there_are_a_hundred_zip_consumers_a_gpu_unless_it_is_said() -> None:
    assert read(["--gpus", "4"]).plans[0].cluster.zip_consumers == 400
    assert read(["--gpus", "4", "--zip-consumers", "7"]).plans[0].cluster.zip_consumers == 7


def test_jobs_of_one_image_need_no_multiple() -> None:
    (plan,) = read(["--job-kind", "image", "--images", "123"]).plans
    assert (plan.jobs, plan.images_per_job, plan.zips) == (123, 1, False)
    assert not plan.is_papers


def test_all_mistakes_are_told_at_once_with_what_would_be_right(tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text("n1,here,1,1\n")
    found = mistakes(
        "--gpus", "0", "4", "--images", "many", "--start-delay", "-1", "--zones", "none",
        "--spread", "wide", "--failure-rate", "2", "--prices", str(prices), "--spot", "perhaps",
    )  # fmt: skip
    assert {each.partition(" =")[0] for each in found} == {
        "--gpus", "--images", "--start-delay", "--zones", "--spread", "--failure-rate", "--spot",
        "--prices",
    }  # fmt: skip
    assert "--gpus = '0': must be a whole number of at least 1" in found


def test_images_that_do_not_fill_their_zips_are_a_mistake_with_its_cure() -> None:
    assert mistakes("--images", "150", "1000") == [
        "--images = '150': must be a multiple of --images-per-job (100), such as 200"
    ]


def test_what_the_model_refuses_is_told_under_the_options_own_name() -> None:
    (mistake,) = mistakes("--gpus", "2", "--min-nodes", "3")
    assert mistake == "--gpus = '2': give at least 1 and at least --min-nodes (3)"


def test_a_price_file_wins_over_the_packages_tables(tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text(
        "machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour\nn1-highmem-2,*,7,7\n"
    )
    rate = read(["--prices", str(prices)]).book.user.machine("n1-highmem-2", "anywhere")
    assert rate is not None
    assert rate.spot_usd == 7


def test_a_rate_of_stages_that_take_no_time_is_a_mistake() -> None:
    stages = ("download", "preprocess", "predict", "postprocess", "save")
    none = [word for stage in stages for word in (f"--{stage}-s", "0")]
    assert mistakes("--gpu-rate", "5", *none) == [
        "--gpu-rate = '5': needs stages that take some time; give --predict-s, say"
    ]
