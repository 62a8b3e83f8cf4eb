"""What every test may ask for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import settings

from tests.helpers import plays

# A busy machine makes no property wrong: times are measured in benchmarks/.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")


@pytest.fixture(scope="session", autouse=True)
def arguments_of_locust() -> Iterator[None]:
    """No test reads how pytest was called: Locust's page and its parsers read ``sys.argv``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["locust"])
        yield


@pytest.fixture(scope="module")
def all_plays(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[plays.Play, Future[Any]]]:
    """The runs that the tests of this module look at, all begun."""
    yield from plays.started(request, tmp_path_factory)


@pytest.fixture
def seen(request: pytest.FixtureRequest, all_plays: dict[plays.Play, Future[Any]]) -> Any:
    """What the run that this test is marked to see left behind."""
    return plays.look(request, all_plays)
