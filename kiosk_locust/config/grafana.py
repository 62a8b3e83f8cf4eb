"""Settings of where the cost is asked for, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kiosk_locust.config import parsing
from kiosk_locust.config.sources import masked
from kiosk_locust.config.validation import Checker
from kiosk_locust.model.options import GrafanaOptions


def grafana(check: Checker) -> GrafanaOptions:
    """What was given of where to ask."""
    return GrafanaOptions(
        host=_address(check, "grafana_host", "GRAFANA", "grafana.example.org"),
        prometheus_url=_address(
            check, "prometheus_url", "PROMETHEUS", "prometheus.example.org:9090"
        ),
        annotations=not check.take("no_grafana_annotations", parsing.boolean, otherwise=False),
    )


def texts(grafana: Mapping[str, Any]) -> dict[str, str]:
    """Settings, as people write them, that make these options in a ledger again."""
    found = {
        "grafana_host": grafana["host"],
        "prometheus_url": grafana["prometheus_url"],
        "no_grafana_annotations": str(not grafana["annotations"]).lower(),
    }
    return {name: text for name, text in found.items() if text}


def _address(check: Checker, name: str, prefix: str, example: str) -> str:
    """A base URL; one with a password in it is refused, and the password told to nobody."""
    given = check.layers.get(name)
    if given is not None and "@" in given.text:
        check.failed.add(name)
        check.sources[name] = given.source
        advice = f"must not hold a user or a password; set {prefix}_USER and {prefix}_PASSWORD"
        check.refuse(replace(given, text=masked(given.text)), advice)
        return ""

    def read(text: str) -> str:
        try:
            return parsing.host(text)
        except ValueError:
            raise ValueError(
                f"must be an address such as http://{example} or https://10.0.0.1:8080/path, with"
                " http or https, and without ? or #"
            ) from None

    return check.take_if_given(name, read) or ""
