"""Real simulator processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk
from tests.simulator.clients import Client


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A simulated Kiosk with defaults but a seed, for all tests of a module."""
    with EmbeddedKiosk("--seed", "7") as base:
        yield base


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """A client of it; the rules of the test before are gone."""
    one = Client(url)
    one.faults()
    yield one
    one.close()
