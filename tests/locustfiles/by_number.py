"""Each job has a file of its own."""

from dataclasses import replace

from kiosk_locust import JobRequest, KioskUser, Ticket, attach

attach()


class Numbered(KioskUser):
    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        name = f"{ticket.number:03}.tif"
        return replace(default, image_name=name, uploaded_name=f"uploads/{name}")
