"""Settings of Locust's web page and of the pages below it."""

from __future__ import annotations

from kiosk_locust.config import parsers
from kiosk_locust.config.table.setting import Resume, Setting


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, parsers.host_names(text).split(",")))


SETTINGS = (
    Setting(
        "web_allowed_host",
        "",
        "Names by which the web page may be asked for, beside IP addresses, localhost and this "
        "machine's own: that of an ingress, such as bench.example.org; several with commas, or the "
        "flag several times.",
        derived="none",
        in_form=False,
        repeats=True,
        field="outside.allowed_hosts",
        parse=_names,
        resume=Resume.PROCESS,
        for_workers=False,
    ),
)
