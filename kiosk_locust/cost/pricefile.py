"""Prices from CSV files: those shipped with the package, and the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ANY_REGION = "*"


@dataclass(frozen=True, slots=True)
class Rate:
    """USD an hour; None where the file leaves the cell empty."""

    on_demand_usd: float | None
    spot_usd: float | None
    source: str
    date: str  # empty: undated


Key = tuple[str, str]  # machine type or accelerator, region


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Rates of machine types and of accelerators (one GPU), by name and region."""

    machines: Mapping[Key, Rate] = field(default_factory=dict)
    accelerators: Mapping[Key, Rate] = field(default_factory=dict)


def read_price_file(path: Path) -> PriceTable:
    """The prices in a file of the user's; raises PriceFileError with all mistakes."""
    raise NotImplementedError


def shipped() -> PriceTable:
    """The tables of this package."""
    raise NotImplementedError
