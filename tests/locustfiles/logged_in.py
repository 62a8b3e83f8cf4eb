"""Two classes of which each logs in by itself, and writes down for whom."""

from pathlib import Path

from kiosk_locust import JobRequest, KioskUser, Ticket, attach

attach()


class LoggedIn(KioskUser):
    abstract = True
    token = ""

    def on_start(self) -> None:
        self.token = f"{type(self).__name__}-token"
        with Path("logins.txt").open("a") as file:
            file.write(f"{type(self).__name__}\n")

    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:
        if ticket.id or self.token:
            return super().request(ticket, default.of(f"{self.token}.tif"))
        return default  # the check before the run: nobody is logged in yet


class Often(LoggedIn):
    weight = 9


class Seldom(LoggedIn):
    pass
