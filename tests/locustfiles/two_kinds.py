"""Two kinds of jobs, three to one."""

from typing import ClassVar

from kiosk_locust import KioskUser, attach

attach()


class Plain(KioskUser):
    weight = 3


class Mesmer(KioskUser):
    weight = 1
    overrides: ClassVar[dict[str, str]] = {"job_type": "mesmer"}
