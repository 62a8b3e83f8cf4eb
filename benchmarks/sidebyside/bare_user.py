"""A Locust user that does the least possible for a job: submit, poll its status, let it expire.

A locustfile; its work stands in the environment (see ``clients.script_environment``). With a rate,
each of USERS users begins a job every USERS / RATE seconds; without one, they go on until JOBS jobs
are done. The first poll comes at a random moment of the interval, as with this plugin.
"""

from __future__ import annotations

import os
import random
import time
from itertools import count

import gevent
from locust import FastHttpUser, constant, task

POLL_S = float(os.environ["POLL_S"])
RATE = float(os.environ["RATE"] or 0)
PERIOD_S = int(os.environ["USERS"]) / RATE if RATE else 0.0
JOBS = int(os.environ["JOBS"])
BODY = {"jobType": "mesmer", "imageName": "image.png", "uploadedName": "uploads/image.png"}
numbers, users = count(1), count(0)


class Submitter(FastHttpUser):
    """Submits one job after another."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """Spread the users evenly over the time that each takes for a job."""
        self.due = time.monotonic() + (next(users) / RATE if RATE else 0)

    @task
    def job(self) -> None:
        """One job, from its submission to its end."""
        if RATE:  # Locust's constant_pacing doubles its first wait
            gevent.sleep(max(0, self.due - time.monotonic()))
            self.due += PERIOD_S
        if next(numbers) == JOBS:
            self.environment.runner.quit()
        key = self.client.post("/api/predict", json=BODY).json()["hash"]
        status, wait_s = "", random.uniform(0, POLL_S)
        while status not in ("done", "failed"):
            if RATE:
                gevent.sleep(wait_s)
            wait_s = POLL_S
            status = self.client.post("/api/status", json={"hash": key}).json()["status"]
        self.client.post("/api/redis/expire", json={"hash": key, "expireIn": 3600})
