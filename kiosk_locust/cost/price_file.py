"""Prices from CSV files: those shipped with the package, and the user's.

A file has sections, each under a header line: ``machine_type`` or ``accelerator`` (the price of
one), ``region`` (``*``: any), ``on_demand_usd_per_hour``, ``spot_usd_per_hour`` (one of the two
may be empty), and if need be ``source`` and ``date``. Blank lines and comments
(``#``) are skipped, except ``# source: …`` and ``# date: …``, which apply to all lines below.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib import resources
from pathlib import Path

from kiosk_locust.errors import PriceFileError, TextFileError
from kiosk_locust.filesystem.text_files import read_text

ANY_REGION = "*"
MACHINES, ACCELERATORS = "machine_type", "accelerator"
ON_DEMAND, SPOT = "on_demand_usd_per_hour", "spot_usd_per_hour"
REQUIRED = ("region", ON_DEMAND, SPOT)
OPTIONAL = ("source", "date")
MAX_USD_PER_HOUR = 100_000.0  # a larger value is a mistaken unit

Key = tuple[str, str]  # machine type or accelerator, region


@dataclass(frozen=True, slots=True)
class Rate:
    """USD an hour; None where the file leaves the cell empty."""

    on_demand_usd: float | None
    spot_usd: float | None
    source: str
    date: str  # as YYYY-MM-DD; empty: undated


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Rates of machine types and of accelerators (of one), by name and region."""

    machines: Mapping[Key, Rate] = field(default_factory=dict)
    accelerators: Mapping[Key, Rate] = field(default_factory=dict)

    def machine(self, name: str, region: str) -> Rate | None:
        """Rate of a machine type in a region, else its rate for any region."""
        return self.machines.get((name, region)) or self.machines.get((name, ANY_REGION))

    def accelerator(self, name: str, region: str) -> Rate | None:
        """Rate of one accelerator in a region, else its rate for any region."""
        return self.accelerators.get((name, region)) or self.accelerators.get((name, ANY_REGION))


def read_price_file(path: Path) -> PriceTable:
    """Prices in a user's file.

    Raises:
        PriceFileError: The file cannot be read or has mistakes; it lists all, by line number and
            without quoting the file, since a web form may have named it.

    """
    try:
        text = read_text(path)
    except TextFileError as error:
        raise PriceFileError([f"{error} ({path}); name a CSV file"]) from error
    return read_prices(text.split("\n"), source=path.name)


@functools.cache
def shipped() -> PriceTable:
    """Price tables shipped with the package."""
    folder = resources.files("kiosk_locust.cost") / "data"
    lines: list[str] = []
    for name in ("machine_types.csv", "accelerators.csv"):
        lines += (folder / name).read_text(encoding="utf-8").splitlines()
    return read_prices(lines, source="kiosk_locust")


def read_prices(lines: Iterable[str], *, source: str) -> PriceTable:
    """Prices in the lines of a file.

    Args:
        lines: The file's lines.
        source: Price source for lines that name none.

    Raises:
        PriceFileError: It lists all mistakes, each with its line number.

    """
    reader = _Reader(source)
    for number, line in enumerate(lines, start=1):
        try:
            reader.take(line.strip())
        except (ValueError, csv.Error) as error:
            reader.mistakes.append(f"line {number}: {error}")
    if not reader.mistakes and not reader.rates[MACHINES] and not reader.rates[ACCELERATORS]:
        reader.mistakes.append(
            f"the file holds no prices; write a header ({MACHINES},{','.join(REQUIRED)} or "
            f"{ACCELERATORS},…) and a line for each"
        )
    if reader.mistakes:
        raise PriceFileError(reader.mistakes)
    return PriceTable(reader.rates[MACHINES], reader.rates[ACCELERATORS])


class _Reader:
    """Parser of a price file; `take` raises ValueError for an invalid line."""

    def __init__(self, source: str) -> None:
        self.rates: dict[str, dict[Key, Rate]] = {MACHINES: {}, ACCELERATORS: {}}
        self.mistakes: list[str] = []
        self._columns: list[str] | None = None
        self._skipping = False  # below an invalid header
        self._defaults = {"source": source, "date": ""}

    def take(self, line: str) -> None:
        """Parse one line."""
        if line.startswith("#"):
            self._remark(line.lstrip("# "))
        elif line.strip(","):
            cells = [cell.strip() for cell in next(csv.reader([line], strict=True))]
            if {MACHINES, ACCELERATORS} & {cell.lower() for cell in cells}:
                self._header([cell.lower() for cell in cells])
            elif self._columns is not None:
                self._row(dict(zip(self._columns, cells, strict=False)), len(cells))
            elif not self._skipping:
                self._skipping = True
                raise ValueError(
                    f"a header must stand above the prices: {MACHINES},{','.join(REQUIRED)} or "
                    f"{ACCELERATORS},{','.join(REQUIRED)}"
                )

    def _remark(self, text: str) -> None:
        name, colon, value = (part.strip() for part in text.partition(":"))
        if colon and name.lower() in self._defaults:
            self._defaults[name.lower()] = _date(value) if name.lower() == "date" else value

    def _header(self, columns: list[str]) -> None:
        self._columns, self._skipping = None, True
        kinds = [name for name in columns if name in (MACHINES, ACCELERATORS)]
        if len(kinds) > 1:
            raise ValueError(f"a header has either {MACHINES} or {ACCELERATORS}")
        missing = [name for name in REQUIRED if name not in columns]
        unknown = [name for name in columns if name not in (*kinds, *REQUIRED, *OPTIONAL)]
        if missing or unknown or len(set(columns)) < len(columns):
            problems = [f"the column {name} is missing" for name in missing]
            if unknown:
                problems.append(f"columns are {', '.join((*kinds, *REQUIRED, *OPTIONAL))} alone")
            raise ValueError("; ".join(problems) or "the header has a column twice")
        self._columns, self._skipping = columns, False

    def _row(self, row: dict[str, str], cells: int) -> None:
        columns = self._columns or []
        if cells != len(columns):
            raise ValueError(f"has {cells} cells, the header has {len(columns)}")
        kind = MACHINES if MACHINES in row else ACCELERATORS
        key = row[kind].lower(), row["region"].lower()
        if not all(key):
            raise ValueError(f"{kind} and region must not be empty; * is any region")
        rate = Rate(
            on_demand_usd=_usd(ON_DEMAND, row[ON_DEMAND]),
            spot_usd=_usd(SPOT, row[SPOT]),
            source=row.get("source") or self._defaults["source"],
            date=_date(row.get("date", "")) or self._defaults["date"],
        )
        if rate.on_demand_usd is None and rate.spot_usd is None:
            raise ValueError(f"{ON_DEMAND} or {SPOT} must be given")
        if key in self.rates[kind]:
            raise ValueError(f"this {kind} has a price for that region above already")
        self.rates[kind][key] = rate


def _usd(column: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_USD_PER_HOUR:
        raise ValueError(
            f"{column} must be US dollars an hour, a number from 0 to {MAX_USD_PER_HOUR:,.0f}"
        )
    return value + 0.0


def _date(text: str) -> str:
    if not text:
        return ""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("the date must be YYYY-MM-DD") from None
