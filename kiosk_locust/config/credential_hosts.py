"""Binds each login to the servers that the operator of the process named, and to no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kiosk_locust.config import parsers
from kiosk_locust.config.sources import Layers
from kiosk_locust.cost.credentials import Credentials, Secrets
from kiosk_locust.cost.endpoints import DEFAULT_HOSTS, in_cluster
from kiosk_locust.model.options import GrafanaOptions


def bound(secrets: Secrets, given: Layers, environ: Mapping[str, str]) -> Secrets:
    """The logins, each for the server that flags, environment or configuration files name.

    In a cluster the built-in names of its Grafana count, where no other is named. What a form or a
    ledger says in ``given`` does not count.
    """
    operators = given.operators
    grafana = _url(operators.text("grafana_host"))
    built_in = () if grafana or not in_cluster(environ) else DEFAULT_HOSTS
    return Secrets(
        secrets.grafana.bound([grafana, *(f"http://{name}" for name in built_in)]),
        secrets.prometheus.bound([_url(operators.text("prometheus_url"))]),
    )


def withheld(secrets: Secrets, asked: GrafanaOptions) -> Iterator[str]:
    """A line for each login that a run has, and does not send to the server that it asks."""
    questions = (
        ("GRAFANA", "GRAFANA_HOST", secrets.grafana, asked.host),
        ("PROMETHEUS", "PROMETHEUS_URL", secrets.prometheus, asked.prometheus_url),
    )
    for prefix, setting, login, url in questions:
        if url and login and not login.may_go_to(url):
            yield (
                f"{_name(prefix, login)} is not sent to {url}, which the ledger names and nobody"
                f" else: set {setting}={url} if it is the right one"
            )


def _name(prefix: str, login: Credentials) -> str:
    return f"{prefix}_TOKEN" if login.token else f"{prefix}_PASSWORD"


def _url(text: str) -> str:
    """A base URL; empty where there is none, or it is none, which is a mistake of its own."""
    try:
        return parsers.host(text) if text else ""
    except ValueError:
        return ""
