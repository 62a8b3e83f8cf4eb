from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kiosk_locust.cost.price_file import read_prices
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.planning.pricing import bill, zone_traffic_usd
from kiosk_locust.planning.simulation import run
from tests.planning.plans import IMAGE_S, images

BOOK = PriceBook(
    read_prices(
        """\
machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour
gpu-host,here,10,1
consumer-host,here,100,2
other-host,here,0.5,
accelerator,region,on_demand_usd_per_hour,spot_usd_per_hour
a-gpu,here,20,4
""".splitlines(),
        source="by hand",
    ),
    read_prices(
        ["machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour", "x,here,1,1"],
        source="none",
    ),
)
PLACES: dict[str, Any] = {
    "machine_type": "gpu-host",
    "accelerator": "a-gpu",
    "cpu_machine_type": "other-host",
    "region": "here",
    "cpu_nodes": 3,
}
PLAN = replace(
    images(720, **PLACES), consumer_machine_type="consumer-host", consumer_nodes=2, network=False
)
HOUR = 720 * IMAGE_S / 3600


def test_an_hour_of_the_model_costs_what_its_nodes_cost_an_hour() -> None:
    found = bill(run(PLAN), BOOK)
    assert found.run.gpu_nodes_usd == pytest.approx(HOUR * (1 + 4))
    assert found.run.cpu_nodes_usd == pytest.approx(HOUR * (3 * 0.5 + 2 * 2))
    assert found.total_usd == pytest.approx(5 + 5.5)
    assert found.usd_per_image == pytest.approx(10.5 / 720)
    assert (found.gpu_node_hours, found.cpu_node_hours) == pytest.approx((1.0, 5.0))
    assert (found.run.at_least, found.lacking) == (False, ())


def test_nodes_on_demand_cost_what_they_cost_on_demand() -> None:
    cluster = replace(PLAN.cluster, spot=False)
    found = bill(run(replace(PLAN, cluster=cluster, consumer_spot=False)), BOOK)
    assert found.run.gpu_nodes_usd == pytest.approx(HOUR * (10 + 20))
    assert found.run.cpu_nodes_usd == pytest.approx(HOUR * (3 * 0.5 + 2 * 100))


def test_idle_nodes_cost_until_the_scale_down_and_so_do_their_consumers() -> None:
    cold: dict[str, Any] = {"min_nodes": 0, "autoscale_interval_s": 10.0, "node_startup_s": 100.0}
    plan = replace(PLAN, cluster=images(720, **PLACES, **cold).cluster)
    course = run(plan)
    found = bill(course, BOOK)
    (node,) = course.gpu_nodes
    assert node.deleted_at is not None
    alive_h = (node.deleted_at - 10.0) / 3600
    in_all = alive_h * (1 + 4 + 2 * 2) + node.deleted_at / 3600 * 3 * 0.5
    assert found.fully_loaded_usd == pytest.approx(in_all)
    assert found.gpu_node_hours == pytest.approx((course.makespan_s - 10.0) / 3600)


def test_what_has_no_price_is_named_and_the_rest_is_at_least() -> None:
    found = bill(run(replace(PLAN, consumer_machine_type="unheard-of")), BOOK)
    assert found.run.at_least
    assert found.total_usd == pytest.approx(5 + 1.5)
    assert len(found.lacking) == 1
    assert "no price is known of unheard-of, spot, in here" in found.lacking[0]


def test_traffic_between_two_zones_costs_what_the_kiosks_authors_worked_out() -> None:
    # 11.01 MB there and 22.02 MB back, a million times, half of it across zones, a cent a GB
    assert zone_traffic_usd(1_000_000, 2) == pytest.approx(33_030.144 * 0.01 / 2)
    assert zone_traffic_usd(1_000_000, 1) == 0


def test_the_bucket_costs_by_images_and_the_traffic_comes_on_top() -> None:
    found = bill(run(replace(PLAN, network=True, zones=1)), BOOK)
    requests = 720 * (0.05 + 0.004) / 10_000
    storage = 720 * 1.5e6 / 1e9 * 0.026 * HOUR / 730
    assert found.run.network_usd == pytest.approx(requests + storage)
    two = bill(run(replace(PLAN, network=True, zones=2)), BOOK)
    assert two.total_usd == pytest.approx((found.total_usd or 0) + zone_traffic_usd(720, 2))
