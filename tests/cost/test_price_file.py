"""Price files."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust.cost.price_file import PriceTable, Rate, read_price_file, read_prices, shipped
from kiosk_locust.errors import PriceFileError

HEAD = "machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour"
GPU_HEAD = "accelerator,region,on_demand_usd_per_hour,spot_usd_per_hour"


def read(*lines: str) -> PriceTable:
    return read_prices(lines, source="my.csv")


def mistakes(*lines: str) -> list[str]:
    with pytest.raises(PriceFileError) as caught:
        read(*lines)
    return caught.value.mistakes


def test_machine_types_and_accelerators_are_told_by_their_headers() -> None:
    table = read(
        HEAD, "n1-highmem-2,us-west1,0.1184,0.025", GPU_HEAD, "nvidia-tesla-t4,*,0.95,0.29"
    )
    assert table.machine("n1-highmem-2", "us-west1") == Rate(0.1184, 0.025, "my.csv", "")
    assert table.accelerator("nvidia-tesla-t4", "us-west1") == Rate(0.95, 0.29, "my.csv", "")
    assert table.machine("n1-highmem-2", "us-east1") is None


def test_a_region_stands_above_any_region() -> None:
    table = read(HEAD, "e2-small,*,2,1", "e2-small,us-west1,4,3")
    assert [table.machine("e2-small", region) for region in ("us-west1", "us-east1", "*")] == [
        Rate(4, 3, "my.csv", ""),
        Rate(2, 1, "my.csv", ""),
        Rate(2, 1, "my.csv", ""),
    ]


def test_source_and_date_stand_above_all_lines_or_in_them() -> None:
    table = read(
        "# source: our contract", "# date: 2025-01-31", "", f"{HEAD},source,date",
        "e2-small,*,2,1,,", "e2-medium,*,2,1,the invoice,2025-02-28",
    )  # fmt: skip
    assert table.machine("e2-small", "x") == Rate(2, 1, "our contract", "2025-01-31")
    assert table.machine("e2-medium", "x") == Rate(2, 1, "the invoice", "2025-02-28")


def test_columns_may_stand_in_any_order_and_one_price_may_be_empty() -> None:
    table = read(
        "spot_usd_per_hour,Region,machine_type,on_demand_usd_per_hour", ",us-west1,E2-Small,0"
    )
    assert table.machine("e2-small", "us-west1") == Rate(0, None, "my.csv", "")


def test_all_mistakes_are_told_with_their_lines() -> None:
    found = mistakes(
        HEAD, "e2-small,us-west1,cheap,1", "e2-small,us-west1,1", "# a remark", ",us-west1,1,1",
        "e2-small,us-west1,,", "e2-small,us-west1,-1,1", "e2-small,us-west1,1,1",
        "e2-small,us-west1,2,1", "e2-medium,us-west1,nan,1", f"{GPU_HEAD},colour", "t4,*,1,1",
        "machine_type,region", "e2-small,*,1e9,1",
    )  # fmt: skip
    assert [mistake.partition(":")[0] for mistake in found] == [
        f"line {number}" for number in (2, 3, 5, 6, 7, 9, 10, 11, 13)
    ]
    assert "on_demand_usd_per_hour must be US dollars an hour" in found[0]
    assert "has 3 cells, the header has 4" in found[1]
    assert "must not be empty" in found[2]
    assert "must be given" in found[3]
    assert "has a price for that region above already" in found[5]
    assert "columns are accelerator, region, on_demand_usd_per_hour" in found[7]
    assert "the column on_demand_usd_per_hour is missing; the column spot_usd" in found[8]


def test_prices_without_a_header_are_one_mistake() -> None:
    (mistake,) = mistakes("e2-small,us-west1,1,1", "e2-medium,us-west1,1,1")
    assert mistake.startswith("line 1: a header must stand above the prices: machine_type,region,")


def test_a_date_that_is_none_is_a_mistake() -> None:
    (mistake,) = mistakes("# date: yesterday", HEAD, "e2-small,*,1,1")
    assert mistake == "line 1: the date must be YYYY-MM-DD"


def test_a_file_without_prices_is_a_mistake() -> None:
    assert "holds no prices" in mistakes(HEAD)[0]
    assert "holds no prices" in mistakes()[0]


def test_of_many_mistakes_the_first_are_told() -> None:
    with pytest.raises(PriceFileError, match="; and 80 more mistakes") as caught:
        read(HEAD, *["e2-small,us-west1,x,1"] * 100)
    assert len(caught.value.mistakes) == 100


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"\xe9,\n")
    for name, advice in (
        ("none.csv", "no such file"),
        ("", "it is a folder"),
        ("latin.csv", "UTF-8"),
    ):
        with pytest.raises(PriceFileError, match=advice):
            read_price_file(tmp_path / name)


def test_a_file_is_its_own_source(tmp_path: Path) -> None:
    path = tmp_path / "2019.csv"
    path.write_text(f"\ufeff{HEAD}\r\ne2-small,*,1,\r\n", encoding="utf-8")
    assert read_price_file(path).machine("e2-small", "us-west1") == Rate(1, None, "2019.csv", "")


def test_the_packages_tables_are_dated_and_know_the_papers_nodes() -> None:
    machine = shipped().machine("n1-highmem-2", "us-west1")
    assert machine == Rate(0.118303, 0.041722, "google-cloud-pricing-cost-calculator", "2026-07-30")
    assert shipped().accelerator("nvidia-tesla-t4", "us-west1") == Rate(
        0.35, 0.175, "skypilot-catalog v8", ""
    )
    k80 = shipped().accelerator("nvidia-tesla-k80", "us-central1")
    assert k80 is not None
    assert k80.date == "2019-06-17"
    assert len({name for name, _ in shipped().machines}) > 300
    assert len({region for _, region in shipped().machines}) > 40
