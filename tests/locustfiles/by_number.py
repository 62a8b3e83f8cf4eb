"""Each job has a file of its own."""

from dataclasses import replace

from kiosk_locust.model.record import JobRequest, Ticket
from kiosk_locust.plugin.plugin import attach
from kiosk_locust.plugin.user import KioskUser

attach()


class Numbered(KioskUser):
    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        name = f"{ticket.number:03}.tif"
        return replace(default, image_name=name, uploaded_name=f"uploads/{name}")
