"""A class that cannot say what to submit, beside one that can."""

from kiosk_locust import JobRequest, KioskUser, Ticket, attach

attach()


class Sound(KioskUser):
    pass


class Broken(KioskUser):
    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        raise KeyError("the list of files ended")
