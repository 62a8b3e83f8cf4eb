"""Jobs on a Kiosk with Locust alone, records gathered the customary way; for bare_locust.py.

Each user runs one job. Workers add what they have recorded to the report that Locust sends to the
master every 3 s, and the master puts it together.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from locust import FastHttpUser, events, task
from locust.env import Environment
from locust.runners import MasterRunner

POLL_S = 0.4
recorded: list[dict[str, Any]] = []  # at a worker, since its last report
gathered: list[dict[str, Any]] = []  # at the master


class Submitter(FastHttpUser):
    """Submits one job, polls it until it is final, and records it."""

    @task
    def run_one_job(self) -> None:
        """The only one that this user runs."""
        began = time.time()
        body = {"jobType": "segmentation", "imageName": "a.tif", "uploadedName": "uploads/a.tif"}
        with self.client.post("/api/predict", json=body, catch_response=True) as answer:
            key = answer.json()["hash"]
        status = ""
        while status not in ("done", "failed"):
            gevent.sleep(POLL_S)
            with self.client.post("/api/status", json={"hash": key}, catch_response=True) as answer:
                status = answer.json()["status"]
        recorded.append({"hash": key, "status": status, "seconds": time.time() - began})
        Event().wait()  # a user that ends would be replaced, and run one more


def on_report_to_master(data: dict[str, Any], **_: Any) -> None:
    """Hand on what was recorded."""
    data["records"] = list(recorded)
    recorded.clear()


def on_worker_report(data: dict[str, Any], **_: Any) -> None:
    """Take it in."""
    gathered.extend(data.get("records", []))


def on_init(environment: Environment, **_: Any) -> None:
    """The master writes what it has as the last thing it does."""

    def write(**_: Any) -> None:
        Path("records.json").write_text(json.dumps(gathered))

    if isinstance(environment.runner, MasterRunner):
        environment.events.quit.add_listener(write)


events.report_to_master.add_listener(on_report_to_master)
events.worker_report.add_listener(on_worker_report)
events.init.add_listener(on_init)
