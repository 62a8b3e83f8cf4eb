"""What the transport makes of each fault on real sockets: the matrix takes it for granted."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk_locust.client.body import Body, FileForm
from kiosk_locust.client.transport import MAX_ANSWER_BYTES, Transport
from kiosk_locust.clock import SystemClock
from kiosk_locust.errors import KioskError
from tests.helpers.servers import RawServer, refusing_url
from tests.hostile.faults import BY_NAME, FAULTS, Fault, behaviour

LIMIT_S = 0.4
#: The same where nobody waits for it: a busy machine takes a while to read what is too large.
LONG_LIMIT_S = 10.0


@contextlib.contextmanager
def played(fault: Fault) -> Iterator[Transport]:
    """A transport to a server that does nothing but this."""
    with contextlib.ExitStack() as stack:
        if fault.name == "refused":
            url = stack.enter_context(refusing_url())
        else:
            url = stack.enter_context(RawServer(behaviour(fault, time.time))).url
        limit_s = LIMIT_S if fault.waits else LONG_LIMIT_S
        made = Transport(url, pool_size=1, request_timeout_s=limit_s, clock=SystemClock())
        stack.callback(made.close)
        yield made


@pytest.mark.parametrize("kind", ["JSON", "a file"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_is_told_as_the_matrix_has_it(fault: Fault, kind: str, tmp_path: Path) -> None:
    body: bytes | Body = b"{}"
    if kind == "a file":
        (tmp_path / "a.png").write_bytes(b"png")
        body = FileForm(tmp_path / "a.png", "a.png", 3)
    begun = time.monotonic()
    with played(fault) as transport:
        if fault.answer is None:
            with pytest.raises(fault.errors) as caught:
                transport.request("POST", "/api/x", body)
            assert caught.type in fault.errors
        else:
            exchange = transport.request("POST", "/api/x", body)
            assert exchange.status == fault.answer.status
            assert exchange.body == (b"{}" if fault.answer.body is None else fault.answer.body)
            wanted = fault.answer.headers_at(time.time(), "/api/x")
            assert {name.lower() for name in wanted} <= set(exchange.headers)
    took_s = time.monotonic() - begun
    assert not fault.waits or took_s >= LIMIT_S


@pytest.mark.parametrize("name", ["100 MB body", "gzip bomb"])
def test_an_answer_takes_no_more_memory_than_the_limit_and_its_copy(name: str) -> None:
    with played(BY_NAME[name]) as transport:
        tracemalloc.start()
        try:
            with pytest.raises(KioskError):
                transport.request("POST", "/api/x", b"{}")
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak_bytes < 2.5 * MAX_ANSWER_BYTES
