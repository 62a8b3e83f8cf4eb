"""Client for the parts of Prometheus's HTTP API that a cost needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from kiosk_locust.cost.grid import Grid
from kiosk_locust.cost.http import JsonClient
from kiosk_locust.cost.series import Series
from kiosk_locust.errors import CostError

Samples = list[tuple[float, float]]
Key = tuple[tuple[str, str], ...]


class Prometheus:
    """Queries below a base path, such as a proxy's; methods raise CostError."""

    def __init__(self, web: JsonClient, path: str = "") -> None:
        self._web = web
        self._path = path

    def query(self, expression: str, at: float) -> tuple[Series, ...]:
        """Series of ``expression`` at ``at`` (epoch seconds), each with its one sample."""
        query = {"query": expression, "time": f"{at:.3f}"}
        return _joined(self._results("/api/v1/query", query), _SampleCache())

    def query_range(self, expression: str, grid: Grid) -> tuple[Series, ...]:
        """Series of ``expression``, sampled at each moment of the grid where they have a value."""

        def results() -> Iterable[Mapping[str, Any]]:
            for piece in grid.pieces():
                query = {
                    "query": expression,
                    "start": str(piece.start_at),
                    "end": str(piece.end_at),
                    "step": str(piece.step_s),
                }
                yield from self._results("/api/v1/query_range", query)

        return _joined(results(), _SampleCache())

    def _results(self, call: str, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        answer = self._web.get(self._path + call, query)
        try:
            results = answer["data"]["result"]
            if answer["status"] == "success" and isinstance(results, list):
                return results
        except (KeyError, TypeError):
            pass
        raise CostError(
            f"{self._web.target} answered {self._path}{call} with JSON that is no Prometheus's:"
            " is the address right, and is the data source a Prometheus?"
        )


class _SampleCache:
    """Interned samples: most series are 1 all the time, so equal samples share memory."""

    def __init__(self) -> None:
        self._samples: dict[tuple[float, float], tuple[float, float]] = {}
        self._numbers: dict[float, float] = {}

    def sample(self, at: float, value: float) -> tuple[float, float]:
        numbers = self._numbers
        pair = (numbers.setdefault(at, at), numbers.setdefault(value, value))
        return self._samples.setdefault(pair, pair) if value in (0.0, 1.0) else pair


def _joined(results: Iterable[Mapping[str, Any]], cache: _SampleCache) -> tuple[Series, ...]:
    """Series merged from the results of several queries, by labels."""
    by_labels: dict[Key, Samples] = {}
    try:
        for result in results:
            labels = tuple(sorted((str(k), str(v)) for k, v in result["metric"].items()))
            samples = by_labels.setdefault(labels, [])
            for at, text in result.get("values") or [result["value"]]:
                value = float(text)
                if math.isfinite(value):
                    samples.append(cache.sample(float(at), value))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CostError(f"an answer of a Prometheus cannot be read: {error!r}") from None
    return tuple(Series(dict(labels), tuple(samples)) for labels, samples in by_labels.items())
