"""Three segmentations for each Mesmer, each with an image named after its ticket."""

from typing import ClassVar

from kiosk_locust.model.record import JobRequest, Ticket
from kiosk_locust.plugin.plugin import attach
from kiosk_locust.plugin.user import KioskUser

attach()


class Named(KioskUser):
    abstract = True

    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        return super().request(ticket, default.of(f"{ticket.id:03}.tif"))


class Segmentation(Named):
    weight = 3


class Mesmer(Named):
    overrides: ClassVar[dict[str, str]] = {"job_type": "mesmer"}
