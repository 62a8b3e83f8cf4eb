"""The JSON of options, in ledgers and results, is byte for byte what was recorded once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.model.options import Options, from_json, options_as_json
from tests.helpers.layered import resolve

RECORDED = [
    json.loads(line)
    for line in Path(__file__).with_name("stored_options.jsonl").read_text("utf-8").splitlines()
]
PRICES = "machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour\ne2-small,*,1,\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("times.txt").write_text("0\n0.5\n2.25\n", encoding="utf-8")
    Path("prices.csv").write_text(PRICES, encoding="utf-8")


@pytest.mark.parametrize("recorded", RECORDED)
def test_options_are_stored_as_ever(recorded: dict[str, Any]) -> None:
    options = resolve(env=recorded["environment"]).options
    assert json.dumps(options_as_json(options)) == recorded["options"]


@pytest.mark.parametrize("recorded", RECORDED)
def test_what_is_stored_makes_the_same_options_again(recorded: dict[str, Any]) -> None:
    options = from_json(Options, json.loads(recorded["options"]))
    assert json.dumps(options_as_json(options)) == recorded["options"]
    assert type(options.output_dir) is type(Path())
