"""Settings of metrics for other programs."""

from __future__ import annotations

import ipaddress

from kiosk_locust.config import parsers
from kiosk_locust.config.table.setting import Resume, Setting

_HIGHEST_PORT = 65_535


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise ValueError("must be an address such as 127.0.0.1, 0.0.0.0 or ::") from None


def _port(text: str) -> int:
    port = parsers.whole_number(1)(text)
    if port > _HIGHEST_PORT:
        raise ValueError(f"must be a port, from 1 to {_HIGHEST_PORT:,}")
    return port


SETTINGS = (
    Setting(
        "metrics",
        "false",
        "Serve the run's figures to a Prometheus: at /metrics of the web UI, or of a server of its "
        "own where there is none.",
        is_flag=True,
        in_form=False,
        field="outside.metrics",
        parse=parsers.boolean,
        resume=Resume.PROCESS,
        for_workers=False,
    ),
    Setting(
        "metrics_address",
        "127.0.0.1",
        "Where that server listens: 0.0.0.0 for all that can reach this machine or pod.",
        in_form=False,
        field="outside.address",
        parse=_address,
        resume=Resume.PROCESS,
        for_workers=False,
    ),
    Setting(
        "metrics_port",
        "9646",
        "The port of that server.",
        in_form=False,
        field="outside.port",
        parse=_port,
        resume=Resume.PROCESS,
        for_workers=False,
    ),
    Setting(
        "metrics_linger",
        "0",
        "How long that server goes on after the run's end at most, so that its last figures and "
        "its verdict are scraped: until all who scraped the run have done so twice more.",
        unit="s",
        in_form=False,
        field="outside.linger_s",
        parse=parsers.seconds,
        resume=Resume.PROCESS,
        for_workers=False,
    ),
)
