"""Runs that go on side by side, since most of their time is waiting; each test looks at its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., None])
Play = Callable[[Path], Any]

#: More at once would only make each of them slow; other files may have theirs at the same time.
AT_ONCE = 2 if "PYTEST_XDIST_WORKER" in os.environ else 3


def sees(play: Play) -> Callable[[Test], Test]:
    """The test gets what ``play`` returned, as its argument ``seen``."""

    def mark(test: Test) -> Test:
        test.play = play  # type: ignore[attr-defined]  # read by `started` and `look`
        return test

    return mark


def started(
    request: pytest.FixtureRequest, folders: pytest.TempPathFactory
) -> Iterator[dict[Play, Future[Any]]]:
    """Start what the tests of this module will look at, in their order, each play once."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    tests = [item.function for item in items if item.module is request.module]
    plays = dict.fromkeys(test.play for test in tests if hasattr(test, "play"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {play: pool.submit(play, folders.mktemp(play.__name__)) for play in plays}


def look(request: pytest.FixtureRequest, plays: dict[Play, Future[Any]]) -> Any:
    """What the play of this test returned; what it raised fails the test."""
    return plays[request.function.play].result()
