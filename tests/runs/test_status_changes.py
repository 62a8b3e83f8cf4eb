"""A Kiosk that gives a job ever new statuses: some are kept, and its end in any case."""

from __future__ import annotations

import logging
from itertools import count

import pytest

from kiosk_locust.execution.job import MOST_CHANGES
from kiosk_locust.model.record import Outcome
from tests.execution.test_job import DONE, Scene


def test_of_ever_new_statuses_the_first_and_the_final_one_are_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    invented = [{"status": f"status {number}"} for number in range(300)]
    scene.kiosk.reads = [*invented, DONE]
    with caplog.at_level(logging.WARNING, "kiosk_locust.execution.job"):
        record = scene.live(update_interval_s=1.0)
    assert MOST_CHANGES == 200
    statuses = [change.status for change in record.changes]
    assert statuses == [f"status {number}" for number in range(200)] + ["done"]
    assert record.outcome is Outcome.DONE
    assert record.status == "done"
    assert caplog.text.count("has changed 200 times: further changes are not kept") == 1


def test_as_many_changes_as_a_real_kiosk_makes_are_all_kept() -> None:
    scene = Scene()
    life = ("started", "pre-processing", "predicting", "saving-results")
    numbers = count()
    requeued = [
        {"status": status, "updated_by": f"pod-{next(numbers)}"}
        for _ in range(40)
        for status in life
    ]
    scene.kiosk.reads = [*requeued, DONE]
    assert len(scene.live(update_interval_s=1.0).changes) == 161
