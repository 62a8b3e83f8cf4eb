"""Prometheus's HTTP API, as far as a cost needs it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from kiosk_locust.cost.grid import Grid
from kiosk_locust.cost.http import Web
from kiosk_locust.cost.series import Series
from kiosk_locust.errors import CostError

Samples = list[tuple[float, float]]
Key = tuple[tuple[str, str], ...]


class Prometheus:
    """Queries by a base path, which a proxy may have put before the API; raises CostError."""

    def __init__(self, web: Web, path: str = "") -> None:
        self._web = web
        self._path = path

    def query(self, expression: str, at: float) -> tuple[Series, ...]:
        """The series of ``expression`` at a moment, each with its one sample."""
        query = {"query": expression, "time": f"{at:.3f}"}
        return _joined(self._results("/api/v1/query", query), _Shared())

    def query_range(self, expression: str, grid: Grid) -> tuple[Series, ...]:
        """The series of ``expression`` at each moment of the grid at which they have a value."""

        def results() -> Iterable[Mapping[str, Any]]:
            for piece in grid.pieces():
                query = {
                    "query": expression,
                    "start": str(piece.start_at),
                    "end": str(piece.end_at),
                    "step": str(piece.step_s),
                }
                yield from self._results("/api/v1/query_range", query)

        return _joined(results(), _Shared())

    def _results(self, call: str, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        answer = self._web.get(self._path + call, query)
        try:
            found = answer["data"]["result"]
            if answer["status"] == "success" and isinstance(found, list):
                return found
        except (KeyError, TypeError):
            pass
        raise CostError(
            f"{self._web.target} answered {self._path}{call} with JSON that is no Prometheus's:"
            " is the address right, and is the data source a Prometheus?"
        )


class _Shared:
    """Samples that are equal are one object: most series have the value 1 all the time."""

    def __init__(self) -> None:
        self._known: dict[tuple[float, float], tuple[float, float]] = {}
        self._numbers: dict[float, float] = {}

    def sample(self, at: float, value: float) -> tuple[float, float]:
        numbers = self._numbers
        pair = (numbers.setdefault(at, at), numbers.setdefault(value, value))
        return self._known.setdefault(pair, pair) if value in (0.0, 1.0) else pair


def _joined(results: Iterable[Mapping[str, Any]], shared: _Shared) -> tuple[Series, ...]:
    """Series from the results of several queries, the samples of each labels in their order."""
    found: dict[Key, Samples] = {}
    try:
        for result in results:
            labels = tuple(sorted((str(k), str(v)) for k, v in result["metric"].items()))
            samples = found.setdefault(labels, [])
            for at, text in result.get("values") or [result["value"]]:
                value = float(text)
                if math.isfinite(value):
                    samples.append(shared.sample(float(at), value))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CostError(f"an answer of a Prometheus cannot be read: {error!r}") from None
    return tuple(Series(dict(labels), tuple(samples)) for labels, samples in found.items())
