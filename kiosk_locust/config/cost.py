"""Settings of the cost estimate, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kiosk_locust.config import parsing
from kiosk_locust.config.validation import Checker
from kiosk_locust.cost.price_file import read_price_file
from kiosk_locust.errors import PriceFileError
from kiosk_locust.model.node_type import NodeType, read_node_types
from kiosk_locust.model.options import CostOptions

UNTIL_IDLE = "until-idle"


def cost(check: Checker) -> CostOptions:
    """What was given of the cost estimate."""
    none: float | None = None
    return CostOptions(
        tail_s=check.take("cost_tail", _tail, none),
        images_per_job=check.take_if_given("images_per_job", parsing.whole(1)),
        prices=check.take_if_given("prices", _prices) or "",
        node_types=check.take_if_given("node_type", read_node_types) or (),
        network=not check.take("no_network_cost", parsing.boolean, otherwise=False),
    )


def texts(cost: Mapping[str, Any]) -> dict[str, str]:
    """Settings, as people write them, that make the cost options in a ledger again."""
    found = {
        "cost_tail": UNTIL_IDLE if cost["tail_s"] is None else str(cost["tail_s"]),
        "no_network_cost": str(not cost["network"]).lower(),
        "prices": cost["prices"],
        "node_type": ",".join(str(NodeType(**node)) for node in cost["node_types"]),
    }
    if cost["images_per_job"] is not None:
        found["images_per_job"] = str(cost["images_per_job"])
    return {name: text for name, text in found.items() if text}


def _tail(text: str) -> float | None:
    if text.strip().lower() == UNTIL_IDLE:
        return None
    try:
        return parsing.seconds(text)
    except ValueError as error:
        raise ValueError(f"{error}, or {UNTIL_IDLE}") from None


def _prices(text: str) -> str:
    path = parsing.path(text)
    try:
        read_price_file(path)
    except PriceFileError as error:
        raise ValueError(str(error)) from error
    return str(path)
