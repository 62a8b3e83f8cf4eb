"""A class that cannot say what to submit, beside one that can."""

from kiosk_locust.plugin import attach
from kiosk_locust.record import JobRequest, Ticket
from kiosk_locust.user import KioskUser

attach()


class Sound(KioskUser):
    pass


class Broken(KioskUser):
    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        raise KeyError("the list of files ended")
