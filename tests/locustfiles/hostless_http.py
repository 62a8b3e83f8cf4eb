"""Users of the Kiosk's other pages beside its jobs; they name no host."""

from locust import FastHttpUser, HttpUser, constant, task

from kiosk_locust import KioskUser, attach

attach()


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def look(self) -> None:
        self.client.get("/api/health-check")


class FastVisitor(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def look(self) -> None:
        self.client.get("/api/health-check")


class Kiosk(KioskUser):
    pass
