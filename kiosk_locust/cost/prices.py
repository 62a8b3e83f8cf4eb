"""What a node costs an hour, and who says so."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk_locust.cost.pricefile import PriceTable, shipped


@dataclass(frozen=True, slots=True)
class PriceBook:
    """All tables, highest first: the user's file wins over OpenCost, and that over ours."""

    user: PriceTable
    tables: PriceTable

    @classmethod
    def of(cls, user: PriceTable | None = None) -> PriceBook:
        """The tables of this package, below the user's file where there is one."""
        return cls(user or PriceTable(), shipped())
