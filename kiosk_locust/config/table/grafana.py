"""Settings of where the cost is asked for."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "grafana_host",
        "GRAFANA_HOST",
        "",
        "The cluster's Grafana, such as https://grafana.example.org/monitoring; http:// is added "
        "where there is no scheme.",
        derived="in a cluster prometheus-operator-grafana, else kube-prometheus-stack-grafana",
        in_form=False,
    ),
    Setting(
        "prometheus_url",
        "PROMETHEUS_URL",
        "",
        "The cluster's Prometheus, where there is no Grafana; it is asked instead of Grafana.",
        derived="the one behind Grafana",
        in_form=False,
    ),
    Setting(
        "no_grafana_annotations",
        "NO_GRAFANA_ANNOTATIONS",
        "false",
        "Do not mark the run in Grafana.",
        in_form=False,
        is_flag=True,
    ),
)
