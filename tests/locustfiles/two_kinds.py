"""Two kinds of jobs, three to one."""

from typing import ClassVar

from kiosk_locust.plugin.plugin import attach
from kiosk_locust.plugin.user import KioskUser

attach()


class Plain(KioskUser):
    weight = 3


class Mesmer(KioskUser):
    weight = 1
    overrides: ClassVar[dict[str, str]] = {"job_type": "mesmer"}
