"""Settings of the cost estimate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiosk_locust.config import planned
from kiosk_locust.model.node_type import NodeType
from kiosk_locust.model.options import CostOptions, options_as_json
from tests.helpers.layered import make_layers, mistakes, resolve, resolve_layers

PRICES = "machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour\ne2-small,*,1,\n"
GPU = NodeType("gpu", "n1-highmem-2", "nvidia-tesla-t4", spot=True)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("prices.csv").write_text(PRICES, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("COST_TAIL", "90", CostOptions(tail_s=90)),
        ("COST_TAIL", "10m", CostOptions(tail_s=600)),
        ("COST_TAIL", "Until-Idle", CostOptions(tail_s=None)),
        ("IMAGES_PER_JOB", "100", CostOptions(images_per_job=100)),
        ("PRICES", "prices.csv", CostOptions(prices="prices.csv")),
        ("NODE_TYPE", "gpu=n1-highmem-2+nvidia-tesla-t4:spot", CostOptions(node_types=(GPU,))),
        ("NO_NETWORK_COST", "true", CostOptions(network=False)),
    ],
)
def test_settings_are_read_and_come_back_from_a_ledger(
    name: str, text: str, options: CostOptions
) -> None:
    resolved = resolve(env={name: text}).options
    assert resolved.cost == options
    ledger = json.loads(json.dumps(options_as_json(resolved)))
    again = make_layers(
        form=planned.setting_texts({"cost": ledger["cost"]}), cli={"--form-files": "."}
    )
    assert resolve_layers(again).options.cost == options


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        ("COST_TAIL", "soon", "1.5h, 1h30m, or until-idle"),
        ("IMAGES_PER_JOB", "0", "a whole number of at least 1"),
        ("PRICES", "none.csv", "there is no such file"),
        ("NODE_TYPE", "gpu", "must be PATTERN=MACHINE, such as prediction-gpu=n1-highmem-2"),
        ("NO_NETWORK_COST", "perhaps", "true or false"),
    ],
)
def test_a_mistake_says_what_would_be_right(name: str, text: str, advice: str) -> None:
    (mistake,) = mistakes(dotenv={name: text})
    assert mistake.startswith(f"{name} in .env = {text!r}: ")
    assert advice in mistake


def test_all_mistakes_of_a_price_file_are_told_before_the_run() -> None:
    Path("prices.csv").write_text(PRICES + "e2-small,*,2,\ne2-medium,*,a,b\n", encoding="utf-8")
    (mistake,) = mistakes(cli={"--prices": "prices.csv"})
    assert mistake.startswith("--prices = 'prices.csv': line 3: this machine_type has a price for")
    assert "; line 4: on_demand_usd_per_hour must be US dollars" in mistake
