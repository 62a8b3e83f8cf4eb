"""Locust patches the standard library at import; so do the tests, before anything else."""

import os

import gevent
from gevent import monkey

monkey.patch_all()


def _keep_awake() -> None:
    while True:
        gevent.sleep(0.02)


if "PYTEST_XDIST_WORKER" in os.environ:
    # What is to be tested next comes from a real thread; a hub without timers would take the
    # wait for it for a deadlock, and would not look for it.
    gevent.spawn(_keep_awake)
