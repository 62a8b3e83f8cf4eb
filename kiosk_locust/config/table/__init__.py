"""Every setting once: its flag, its name in the environment, its default, unit and meaning.

Values are strings here, as people give them; `kiosk_locust.config.resolve` makes them numbers.
Passwords and tokens are not settings: they stay in the environment and in ``.env``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from kiosk_locust.config.table import (
    cost,
    files,
    grafana,
    kiosk,
    locusts,
    output,
    outside,
    page,
    plan,
    transfers,
    trim,
    trust,
    waiting,
)
from kiosk_locust.config.table.secrets import SECRETS, Secret
from kiosk_locust.config.table.setting import Setting

__all__ = ["GROUPS", "SECRETS", "SETTINGS", "Secret", "Setting"]

#: Title of each group and its settings, in the order that people read them.
GROUPS: tuple[tuple[str, tuple[Setting, ...]], ...] = (
    ("Locust's own", locusts.SETTINGS),
    ("The Kiosk and its jobs", kiosk.SETTINGS),
    ("How many jobs, and when", plan.SETTINGS),
    ("Polling and waiting", waiting.SETTINGS),
    ("What summaries are over", trim.SETTINGS),
    ("Uploads and downloads", transfers.SETTINGS),
    ("Files", files.SETTINGS),
    ("Progress and files", output.SETTINGS),
    ("The web page", page.SETTINGS),
    ("Figures for a Prometheus", outside.SETTINGS),
    ("Trust", trust.SETTINGS),
    ("Cost", cost.SETTINGS),
    ("Where the cost is asked for", grafana.SETTINGS),
)


def _all(groups: Iterable[tuple[str, tuple[Setting, ...]]]) -> Mapping[str, Setting]:
    return MappingProxyType({s.name: s for _, settings in groups for s in settings})


#: Every setting by its name.
SETTINGS = _all(GROUPS)
