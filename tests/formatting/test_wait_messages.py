"""A Kiosk that never answers is waited for with a word."""

from __future__ import annotations

import logging
from contextlib import ExitStack

import pytest

from kiosk_locust.assembly import connect
from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.clock import SystemClock
from kiosk_locust.errors import PreflightError
from kiosk_locust.formatting import wait_messages
from tests.helpers.scenarios import make_options
from tests.helpers.servers import RawServer, hanging


def test_what_is_waited_for_is_said_within_seconds_with_its_limit(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        connect, "announcing", lambda what: wait_messages.announcing(what, after_s=0.05)
    )
    caplog.set_level(logging.INFO)
    with RawServer(hanging) as server:
        options, clock = make_options(host=server.url, request_timeout_s=0.5), SystemClock()
        with ExitStack() as resources, pytest.raises(PreflightError) as caught:
            connect.connect(
                options,
                [],
                clock,
                calls=CallFailures(clock),
                on_request=lambda _: None,
                resources=resources,
            )
    (word,) = [each.message for each in caplog.records if "waiting for an answer" in each.message]
    assert word == f"waiting for an answer from {server.url}, at most 0.5 s (REQUEST_TIMEOUT)"
    assert "may have been processed" not in str(caught.value)
