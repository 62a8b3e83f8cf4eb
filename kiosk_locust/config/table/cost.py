"""Settings of the cost estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kiosk_locust.config import parsers
from kiosk_locust.config.parsers import optional
from kiosk_locust.config.table.setting import Setting
from kiosk_locust.cost.price_file import read_price_file
from kiosk_locust.errors import PriceFileError
from kiosk_locust.model.node_type import NodeType, read_node_types

UNTIL_IDLE = "until-idle"


def _tail(text: str) -> float | None:
    """Seconds; None for ``until-idle``."""
    if text.strip().lower() == UNTIL_IDLE:
        return None
    try:
        return parsers.seconds(text)
    except ValueError as error:
        raise ValueError(f"{error}, or {UNTIL_IDLE}") from None


def _tail_text(tail_s: float | None) -> str:
    return UNTIL_IDLE if tail_s is None else str(tail_s)


def _prices(text: str) -> str:
    path = parsers.path(text)
    try:
        read_price_file(path)
    except PriceFileError as error:
        raise ValueError(str(error)) from error
    return str(path)


def _node_types_text(node_types: Sequence[Mapping[str, Any]]) -> str:
    return ",".join(str(NodeType(**node)) for node in node_types)


SETTINGS = (
    Setting(
        "cost_tail",
        "0",
        "How long to wait and count nodes after the run's end: a time, or until-idle for the "
        "autoscaler's scale-down.",
        unit="s, or until-idle",
        field="cost.tail_s",
        parse=_tail,
        write=_tail_text,
        for_workers=False,
    ),
    Setting(
        "images_per_job",
        "",
        "Images that a job counts for in the cost of an image where the Kiosk did not count them; "
        "its own count wins.",
        unit="images",
        derived="the jobs that the Kiosk makes of the ZIP where it can be read",
        field="cost.images_per_job",
        parse=optional(parsers.whole_number(1)),
        for_workers=False,
    ),
    Setting(
        "prices",
        "",
        "CSV file with prices of machine types or accelerators, which wins over all others.",
        derived="OpenCost's prices, else the tables of this package",
        is_path=True,
        field="cost.prices",
        parse=optional(_prices, ""),
        for_workers=False,
    ),
    Setting(
        "node_type",
        "",
        "What nodes are where the cluster does not tell, such as "
        "prediction-gpu=n1-highmem-2+nvidia-tesla-t4:spot; several with commas, or the flag "
        "several times.",
        derived="the labels of the nodes",
        repeats=True,
        field="cost.node_types",
        parse=optional(read_node_types, ()),
        write=_node_types_text,
        for_workers=False,
    ),
    Setting(
        "no_network_cost",
        "false",
        "Leave the bucket's storage and requests out of the cost.",
        is_flag=True,
        field="cost.network",
        parse=parsers.negated,
        write=parsers.negation,
        for_workers=False,
    ),
)
