"""What others may look at while a run goes on, as one value."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from kiosk_locust.config import parsing
from kiosk_locust.config.validation import Checker
from kiosk_locust.model.options import OutsideOptions

_HIGHEST_PORT = 65_535


def outside(check: Checker) -> OutsideOptions:
    """The options of it; notes mistakes."""
    return OutsideOptions(
        metrics=check.take("metrics", parsing.boolean, otherwise=False),
        address=check.take("metrics_address", _address, ""),
        port=check.take("metrics_port", _port, 0),
        linger_s=check.take("metrics_linger", parsing.seconds, 0.0),
        allowed_hosts=check.take("web_allowed_host", _names, ()),
    )


def texts(planned: Mapping[str, Any]) -> dict[str, str]:
    """None: they are of a process, and not of its run."""
    del planned
    return {}


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise ValueError("must be an address such as 127.0.0.1, 0.0.0.0 or ::") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, parsing.host_names(text).split(",")))


def _port(text: str) -> int:
    port = parsing.whole(1)(text)
    if port > _HIGHEST_PORT:
        raise ValueError(f"must be a port, from 1 to {_HIGHEST_PORT:,}")
    return port
