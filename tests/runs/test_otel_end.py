"""``--otel`` with nobody there to take what it sends: it is told, and the end is brief."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.helpers.real import Locust, simulator

try:
    from opentelemetry.exporter.otlp.proto import http as _http  # noqa: F401  all that is needed
except ImportError:
    if os.environ.get("CI") == "true":
        raise
    pytest.skip("no OpenTelemetry: pip install kiosk-locust[otel]", allow_module_level=True)

#: The libraries' own patience is 10 s for each of spans, metrics and logs, and for each flush.
BRIEF_S = 15.0


@contextmanager
def mute() -> Iterator[str]:
    """A port that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def nobody() -> Iterator[str]:
    """A port that refuses connections."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("collector", [nobody, mute])
def test_a_run_whose_collector_takes_nothing_ends_soon_and_says_what_is_missing(
    tmp_path: Path, collector: Callable[[], AbstractContextManager[str]]
) -> None:
    with simulator() as kiosk, collector() as url:
        finished = Locust(
            tmp_path, "--otel", "-u", "3", "-r", "20",
            host=kiosk.url,
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        ).finish()  # fmt: skip
        over_at = time.time()
    assert finished.code == 0, finished.output
    assert finished.outcomes == {"done": 3}
    ((ended_at,),) = finished.sql("SELECT value FROM meta WHERE key = 'ended_at'")
    assert over_at - float(ended_at) < BRIEF_S
    said = re.search(r"--otel: (\d+) of (\d+) spans have not reached", finished.output)
    assert said is not None, finished.output
    assert said[1] == said[2]
    assert int(said[2]) >= 3 * 3  # of each job itself, its submission, its last status
    is_refused = f"--otel: no collector at {url} (connection refused)" in finished.output
    assert is_refused == (collector is nobody)
    assert finished.output.rstrip().splitlines()[-1].startswith("exit code 0: all 3 jobs are done")


def test_a_start_that_is_refused_does_not_wait_for_the_collector(tmp_path: Path) -> None:
    with mute() as url:
        began = time.monotonic()
        finished = Locust(
            tmp_path, "--otel", "-u", "0",
            host="http://127.0.0.1:9",
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        ).finish()  # fmt: skip
    assert finished.code == 2, finished.output
    assert time.monotonic() - began < BRIEF_S
