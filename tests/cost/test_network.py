"""What the bucket costs."""

from __future__ import annotations

import pytest

from kiosk_locust.cost.network import network_cost
from kiosk_locust.cost.types import Window, WorkDone

HOUR_S = 3600.0
MILLION = WorkDone(images=1_000_000)


@pytest.mark.parametrize(("hours", "usd"), [(5.5, 5.69), (30, 7.00), (48, 7.96)])
def test_a_million_images_cost_about_what_the_older_client_charged(
    hours: float, usd: float
) -> None:
    found = network_cost(MILLION, Window(0, hours * HOUR_S), ["us-west1"])
    assert found.usd == pytest.approx(usd, abs=0.005)
    assert found.operations_usd == pytest.approx(5.40)
    assert found.reads_usd is None
    assert found.stored_bytes == 1.5e12


def test_it_scales_with_images_and_bytes() -> None:
    work = WorkDone(images=7, images_stored=10_000, stored_bytes=730e9)
    found = network_cost(work, Window(0, HOUR_S), [])
    assert found.operations_usd == pytest.approx(0.054)
    assert found.storage_usd == pytest.approx(0.026)


@pytest.mark.parametrize(
    ("bucket", "regions", "usd"),
    [
        ("us-east1", ["us-west1"], 15.0),
        ("US-West1", ["us-west1"], 0.0),
        ("", ["us-west1"], None),
        ("us-west1", [], None),
    ],
)
def test_reads_cost_where_the_bucket_is_known_to_be_elsewhere(
    bucket: str, regions: list[str], usd: float | None
) -> None:
    work = WorkDone(images=1_000_000, bucket_region=bucket)
    assert network_cost(work, Window(0, 0), regions).reads_usd == usd


def test_no_images_cost_nothing() -> None:
    assert network_cost(WorkDone(), Window(0, HOUR_S), []).usd == 0
