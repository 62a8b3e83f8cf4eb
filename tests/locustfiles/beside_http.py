"""Jobs beside users of another site."""

import os

from locust import FastHttpUser, HttpUser, constant, task

from kiosk_locust import KioskUser, attach

attach()


class Visitor(HttpUser):
    host = os.environ["VISITED"]
    wait_time = constant(0.1)

    @task
    def look(self) -> None:
        self.client.get("/visited")


class FastVisitor(FastHttpUser):
    host = os.environ["VISITED"]
    wait_time = constant(0.1)

    @task
    def look(self) -> None:
        self.client.get("/visited-fast")


class Kiosk(KioskUser):
    pass
