"""Declarations of all settings; see `Setting` for their parts.

The command line, the form, the options, their JSON, the settings of a ledger, the documentation
and `.env.example` follow from the declarations; `kiosk_locust.config.resolve` handles values that
depend on several settings. Passwords and tokens are not settings: they stay in the environment and
in ``.env``.
"""

from __future__ import annotations

from collections.abc import Mapping
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

#: Title of each group and its settings, in reading order.
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


_BY_NAME = {setting.name: setting for _, settings in GROUPS for setting in settings}
#: Every setting by its name.
SETTINGS: Mapping[str, Setting] = MappingProxyType(_BY_NAME)
