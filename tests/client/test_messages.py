"""Words about calls that failed: settings and the Kiosk's parts are named in one module."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust import client

CLIENT = Path(client.__file__).parent
TRANSPORT = (
    *("body", "exchange", "header_cache", "pool", "request", "response_parser", "timeouts"),
    *("transport", "answers"),
)


@pytest.mark.parametrize("word", ["API_HOST", "REQUEST_TIMEOUT", "UPLOAD_VIA", "Redis", "ingress"])
def test_the_transport_names_neither_settings_nor_parts_of_a_cluster(word: str) -> None:
    naming = [name for name in TRANSPORT if word in (CLIENT / f"{name}.py").read_text("utf-8")]
    assert naming == []
