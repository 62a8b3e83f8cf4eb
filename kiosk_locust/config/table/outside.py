"""Settings of what others may look at while a run goes on."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "metrics",
        "METRICS",
        "false",
        "Serve the run's figures to a Prometheus: at /metrics of the web UI, or of a server of its "
        "own where there is none.",
        is_flag=True,
        in_form=False,
    ),
    Setting(
        "metrics_address",
        "METRICS_ADDRESS",
        "127.0.0.1",
        "Where that server listens: 0.0.0.0 for all that can reach this machine or pod.",
        in_form=False,
    ),
    Setting(
        "metrics_port",
        "METRICS_PORT",
        "9646",
        "The port of that server.",
        in_form=False,
    ),
    Setting(
        "metrics_linger",
        "METRICS_LINGER",
        "0",
        "How long that server goes on after the run's end at most, so that its last figures and "
        "its verdict are scraped: until all who scraped the run have done so twice more.",
        unit="s",
        in_form=False,
    ),
)
