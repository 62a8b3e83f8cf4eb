"""A test suite of somebody's own, which runs jobs in its tests."""

import os

from locust.env import Environment

from kiosk_locust import KioskUser, attach


class Kiosk(KioskUser):
    """Submits what the settings say."""


def run(count: int) -> Environment:
    os.environ["COUNT"] = str(count)
    attach()
    environment = Environment(user_classes=[Kiosk])
    runner = environment.create_local_runner()
    runner.start(count, spawn_rate=20)
    runner.greenlet.join()
    return environment


def test_five_jobs_are_done() -> None:
    environment = run(5)
    assert environment.process_exit_code == 0
    assert environment.stats.get("segmentation", "JOB").num_requests == 5


def test_two_jobs_are_done_in_the_same_process() -> None:
    environment = run(2)
    assert environment.process_exit_code == 0
    assert environment.stats.get("segmentation", "JOB").num_requests == 2
