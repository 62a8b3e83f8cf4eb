"""Settings of Locust's page and of ours below it."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "web_allowed_host",
        "WEB_ALLOWED_HOST",
        "",
        "Names by which the web page may be asked for, beside IP addresses, localhost and this "
        "machine's own: that of an ingress, such as bench.example.org; several with commas, or the "
        "flag several times.",
        derived="none",
        in_form=False,
        repeats=True,
    ),
)
