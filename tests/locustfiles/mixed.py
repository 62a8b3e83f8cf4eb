"""Three segmentations for each Mesmer, each with an image named after its ticket."""

from typing import ClassVar

from kiosk_locust import JobRequest, KioskUser, Ticket, attach

attach()


class Named(KioskUser):
    abstract = True

    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        return super().request(ticket, default.of(f"{ticket.id:03}.tif"))


class Segmentation(Named):
    weight = 3


class Mesmer(Named):
    overrides: ClassVar[dict[str, str]] = {"job_type": "mesmer"}
