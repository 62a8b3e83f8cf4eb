"""Binding of each login to the servers that the operator named, and to no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kiosk_locust.config import parsers
from kiosk_locust.config.sources import Layers
from kiosk_locust.cost.credentials import Credentials, Secrets
from kiosk_locust.cost.endpoints import DEFAULT_HOSTS, in_cluster
from kiosk_locust.model.options import GrafanaOptions


def bind_logins(secrets: Secrets, layers: Layers, environ: Mapping[str, str]) -> Secrets:
    """The logins, each bound to the servers that flags, environment or configuration files name.

    In a cluster, the built-in names of its Grafana count if no other is set. Entries of a form or a
    ledger in ``layers`` do not count.
    """
    operators = layers.operators
    grafana = _url(operators.text("grafana_host"))
    built_in = () if grafana or not in_cluster(environ) else DEFAULT_HOSTS
    return Secrets(
        secrets.grafana.bound([grafana, *(f"http://{name}" for name in built_in)]),
        secrets.prometheus.bound([_url(operators.text("prometheus_url"))]),
    )


def withheld_logins(secrets: Secrets, grafana_options: GrafanaOptions) -> Iterator[str]:
    """One line for each login that is not sent to the server queried by the run."""
    servers = (
        ("GRAFANA", "GRAFANA_HOST", secrets.grafana, grafana_options.host),
        ("PROMETHEUS", "PROMETHEUS_URL", secrets.prometheus, grafana_options.prometheus_url),
    )
    for prefix, setting, login, url in servers:
        if url and login and not login.may_go_to(url):
            yield (
                f"{_name(prefix, login)} is not sent to {url}, which the ledger names and nobody"
                f" else: set {setting}={url} if it is the right one"
            )


def _name(prefix: str, login: Credentials) -> str:
    return f"{prefix}_TOKEN" if login.token else f"{prefix}_PASSWORD"


def _url(text: str) -> str:
    """A base URL; empty if there is none or it is invalid, which is reported elsewhere."""
    try:
        return parsers.host(text) if text else ""
    except ValueError:
        return ""
