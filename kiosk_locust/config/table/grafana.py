"""Settings of the servers that are queried for the cost."""

from __future__ import annotations

from collections.abc import Callable

from kiosk_locust.config import parsers
from kiosk_locust.config.table.setting import Setting


def _base_url(prefix: str, example: str) -> Callable[[str], str]:
    """Parser of a base URL, which may be empty; ``prefix`` is that of its login's settings."""

    def parse(text: str) -> str:
        if "@" in text:
            raise parsers.LoginError(
                f"must not hold a user or a password; set {prefix}_USER and {prefix}_PASSWORD"
            )
        try:
            return parsers.host(text) if text.strip() else ""
        except ValueError:
            raise ValueError(
                f"must be an address such as http://{example} or https://10.0.0.1:8080/path, with"
                " http or https, and without ? or #"
            ) from None

    return parse


SETTINGS = (
    Setting(
        "grafana_host",
        "",
        "The cluster's Grafana, such as https://grafana.example.org/monitoring; http:// is added "
        "where there is no scheme.",
        derived="in a cluster prometheus-operator-grafana, else kube-prometheus-stack-grafana",
        in_form=False,
        field="grafana.host",
        parse=_base_url("GRAFANA", "grafana.example.org"),
        for_workers=False,
    ),
    Setting(
        "prometheus_url",
        "",
        "The cluster's Prometheus, where there is no Grafana; it is asked instead of Grafana.",
        derived="the one behind Grafana",
        in_form=False,
        field="grafana.prometheus_url",
        parse=_base_url("PROMETHEUS", "prometheus.example.org:9090"),
        for_workers=False,
    ),
    Setting(
        "no_grafana_annotations",
        "false",
        "Do not mark the run in Grafana.",
        in_form=False,
        is_flag=True,
        field="grafana.annotations",
        parse=parsers.negated,
        write=parsers.negation,
        for_workers=False,
    ),
)
