"""The image of each job is named after its ticket, so that the server's log tells which it is."""

from dataclasses import replace

from kiosk_locust import JobRequest, KioskUser, Ticket, attach

attach()


class Named(KioskUser):
    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        name = f"{ticket.cycle}-{ticket.number}.tif"
        return replace(default, image_name=name, uploaded_name=f"uploads/{name}")
