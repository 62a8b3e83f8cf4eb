"""A class that cannot say what to submit, beside one that can."""

from kiosk_locust.model.record import JobRequest, Ticket
from kiosk_locust.plugin.plugin import attach
from kiosk_locust.plugin.user import KioskUser

attach()


class Sound(KioskUser):
    pass


class Broken(KioskUser):
    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        raise KeyError("the list of files ended")
