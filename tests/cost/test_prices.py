"""What a node costs an hour."""

from __future__ import annotations

import pytest

from kiosk_locust.cost.node_lifetimes import Life
from kiosk_locust.cost.nodes import Node, includes_gpus
from kiosk_locust.cost.price_file import PriceTable, read_prices, shipped
from kiosk_locust.cost.prices import Price, PriceBook

T4 = "nvidia-tesla-t4"
OURS = read_prices(
    """# date: 2020-01-01
machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour
n1-highmem-2,us-west1,1.0,0.5
n1-highmem-4,us-west1,2.0,
g2-standard-4,us-west1,7.0,3.0
accelerator,region,on_demand_usd_per_hour,spot_usd_per_hour
nvidia-tesla-t4,us-west1,0.4,0.2""".splitlines(),
    source="ours",
)


def user(*lines: str, kind: str = "machine_type") -> PriceTable:
    head = f"{kind},region,on_demand_usd_per_hour,spot_usd_per_hour"
    return read_prices(["# date: 2021-01-01", head, *lines], source="mine")


def node(
    machine_type: str = "n1-highmem-2",
    accelerator: str = "",
    gpus: int = 0,
    *,
    region: str = "us-west1",
    spot: bool = False,
    opencost: tuple[float, float, float] | None = None,
) -> Node:
    total, of_gpu, count = opencost or (None, None, None)
    is_gpu = bool(gpus or accelerator or includes_gpus(machine_type))
    return Node(
        life=Life("a", 0.0, None),
        declared_type=None,
        machine_type=machine_type,
        region=region,
        zone="",
        spot=spot,
        accelerator=accelerator,
        gpus=gpus or int(is_gpu),
        is_gpu=is_gpu,
        gpus_assumed=False,
        opencost_usd=total,
        opencost_gpu_usd=of_gpu,
        opencost_gpus=count,
    )


def price(of: Node, table: PriceTable | None = None) -> Price:
    return PriceBook(table or PriceTable(), OURS).price(of)


@pytest.mark.parametrize(
    ("of", "usd"),
    [
        (node(), 1.0),
        (node(spot=True), 0.5),
        (node(accelerator=T4, gpus=1), 1.4),
        (node(accelerator=T4, gpus=4), 2.6),
        (node(accelerator=T4, gpus=2, spot=True), 0.9),
        (node("g2-standard-4", "nvidia-l4", 1), 7.0),
        (node("g2-standard-4", "nvidia-l4", 1, spot=True), 3.0),
    ],
)
def test_accelerators_are_added_unless_the_machine_has_them(of: Node, usd: float) -> None:
    found = price(of)
    assert found.usd_per_hour == pytest.approx(usd)
    assert (found.source, found.date, found.lacks) == ("ours", "2020-01-01", "")


@pytest.mark.parametrize(
    ("of", "lacks"),
    [
        (node(""), "their machine type is not known"),
        (node("x9-huge"), "no price is known of x9-huge, on demand, in us-west1: add a line"),
        (node("n1-highmem-4", spot=True), "no price is known of n1-highmem-4, spot, in us-west1"),
        (node(region="mars-1"), "no price is known of n1-highmem-2, on demand, in mars-1"),
        (node(region=""), "their region is not known"),
        (node(accelerator="nvidia-b9"), "no price is known of nvidia-b9, on demand, in us-west1"),
        (node(gpus=1), "which GPU stands beside their n1-highmem-2 is not known"),
    ],
)
def test_what_has_no_price_says_what_to_add(of: Node, lacks: str) -> None:
    found = price(of)
    assert found.usd_per_hour is None
    assert found.lacks.startswith(lacks)


def test_the_users_file_wins() -> None:
    found = price(node(), user("n1-highmem-2,us-west1,9,8"))
    assert found == Price(9.0, "mine", "2021-01-01")


def test_the_users_machine_takes_the_tables_gpu_and_names_both() -> None:
    found = price(node(accelerator=T4, gpus=1), user("n1-highmem-2,*,9,8"))
    assert found == Price(9.4, "mine + ours", "2021-01-01 + 2020-01-01")


def test_the_users_gpu_takes_the_tables_machine() -> None:
    found = price(node(accelerator=T4, gpus=2), user(f"{T4},*,5,", kind="accelerator"))
    assert found == Price(11.0, "ours + mine", "2020-01-01 + 2021-01-01")


def test_a_spot_price_that_the_user_leaves_empty_is_the_tables() -> None:
    assert price(node(spot=True), user("n1-highmem-2,us-west1,9,")).usd_per_hour == 0.5


def test_a_price_of_nothing_is_a_price() -> None:
    assert price(node(), user("n1-highmem-2,*,0,0")).usd_per_hour == 0


def test_opencost_wins_over_the_tables_and_includes_gpus() -> None:
    of = node("", gpus=1, region="", opencost=(3.3, 1.1, 1.0))
    assert price(of) == Price(3.3, "OpenCost", "during the run")


def test_the_users_file_wins_over_opencost() -> None:
    of = node(accelerator=T4, gpus=2, opencost=(3.3, 1.1, 2.0))
    assert price(of, user("n1-highmem-2,*,9,8")).usd_per_hour == pytest.approx(9.8)
    found = price(of, user(f"{T4},*,5,", kind="accelerator"))
    assert found.usd_per_hour == pytest.approx(3.3 - 2.2 + 10)
    assert found.source == "OpenCost + mine"


def test_the_book_has_the_packages_tables() -> None:
    assert PriceBook.of() == PriceBook(PriceTable(), shipped())
    found = PriceBook.of().price(node(accelerator=T4, gpus=1, spot=True))
    assert found.usd_per_hour == pytest.approx(0.041722 + 0.175)
    assert found.date == "2026-07-30 + undated"
