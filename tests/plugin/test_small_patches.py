"""The small changes to what Locust, gevent and Flask do by themselves: theirs beside ours.

A test of theirs that fails says that the change in ``locust_patches`` can go.
"""

from __future__ import annotations

import json
import logging
import time
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from flask import Flask, render_template_string, request
from gevent.hub import Hub
from locust import log
from locust.exception import StopTest
from locust.runners import WorkerRunner

from kiosk_locust.execution.gc_tuning import calm
from kiosk_locust.plugin import locust_patches

KEYS = {"z": 1, "a": 2}


@pytest.fixture
def tracebacks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The errors of which gevent prints a traceback, by its own list of those it spares."""
    hub, printed = gevent.get_hub(), list[str]()
    monkeypatch.setattr(hub, "NOT_ERROR", Hub.NOT_ERROR)
    monkeypatch.setattr(
        hub, "print_exception", lambda _context, kind, *_: printed.append(kind.__name__)
    )
    return printed


def die_of(error: type[BaseException]) -> None:
    def die() -> None:
        raise error

    gevent.spawn(die).join()


def test_gevent_prints_a_traceback_for_stop_test(tracebacks: list[str]) -> None:
    die_of(StopTest)
    assert tracebacks == ["StopTest"]


def test_a_spared_kind_has_no_traceback_and_others_keep_theirs(tracebacks: list[str]) -> None:
    locust_patches.spare_tracebacks(StopTest)
    die_of(StopTest)
    die_of(KeyError)
    assert tracebacks == ["KeyError"]


def heartbeat_checks(monkeypatch: pytest.MonkeyPatch, runner: Any) -> list[str]:
    """What Locust's own check of heartbeats logs and does in its first two looks."""
    happened: list[str] = []
    runner.quit = lambda: happened.append("quits")
    looks = iter([None, None])

    def sleep(_s: float) -> None:
        next(looks)

    monkeypatch.setattr("locust.runners.gevent.sleep", sleep)
    with pytest.raises(StopIteration):
        WorkerRunner.heartbeat_timeout_checker(runner)
    return happened


def test_locusts_worker_waits_for_ever_for_the_first_heartbeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = SimpleNamespace(last_heartbeat_timestamp=None)
    monkeypatch.setattr("locust.runners.time.time", lambda: 1e12)
    assert heartbeat_checks(monkeypatch, runner) == []


def test_with_the_plugin_it_ends_where_no_first_heartbeat_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner: Any = SimpleNamespace(last_heartbeat_timestamp=None)
    locust_patches.start_heartbeat(runner)
    assert heartbeat_checks(monkeypatch, runner) == []
    later = time.time() + 3600
    monkeypatch.setattr("locust.runners.time.time", lambda: later)
    assert heartbeat_checks(monkeypatch, runner) == ["quits", "quits"]


def test_a_heartbeat_that_came_is_kept() -> None:
    runner: Any = SimpleNamespace(last_heartbeat_timestamp=7.0)
    locust_patches.start_heartbeat(runner)
    assert runner.last_heartbeat_timestamp == 7.0


def test_a_greenlet_that_died_is_forgotten_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "unhandled_greenlet_exception", False)
    tell_locust = log.greenlet_exception_logger(logging.getLogger("a test"))
    tell_locust(SimpleNamespace(exc_info=(None, None, None)))
    assert locust_patches.has_dead_greenlets()
    locust_patches.forget_dead_greenlets()
    assert not locust_patches.has_dead_greenlets()


def test_locust_reads_what_is_posted_instead() -> None:
    with Flask(__name__).test_request_context(method="POST", data={"users": "1", "x": "2"}):
        locust_patches.post_instead({"users": ["3"], "user_classes": ["A", "B"]})
        assert dict(request.form.lists()) == {"users": ["3"], "user_classes": ["A", "B"]}
        assert request.form.getlist("user_classes") == ["A", "B"]


def keys_of(app: Flask) -> list[list[str]]:
    """The order of keys in an app's JSON, and in that of its templates."""
    with app.app_context():
        texts = (app.json.dumps(KEYS), render_template_string("{{ keys | tojson }}", keys=KEYS))
    return [list(json.loads(text)) for text in texts]


def test_flask_sorts_the_keys_of_json() -> None:
    assert keys_of(Flask(__name__)) == [["a", "z"], ["a", "z"]]


def test_a_page_keeps_the_order_of_keys() -> None:
    app = Flask(__name__)
    locust_patches.keep_key_order(app)
    assert keys_of(app) == [["z", "a"], ["z", "a"]]


def test_gevent_notes_who_made_a_greenlet_until_it_is_told_not_to() -> None:
    assert gevent.spawn(lambda: None).spawning_greenlet is not None
    restore = calm()
    try:
        made = gevent.spawn(lambda: None)
    finally:
        restore()
    assert not hasattr(made, "spawning_greenlet") or made.spawning_greenlet is None
    assert gevent.spawn(lambda: None).spawning_greenlet is not None
