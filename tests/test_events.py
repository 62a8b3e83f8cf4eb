"""Who is told of an event, and what becomes of what a listener raises."""

from __future__ import annotations

from typing import Any

import pytest

from kiosk_locust.events import EventHook


def broken(**_: Any) -> None:
    raise RuntimeError("not my day")


def test_what_a_users_listener_raises_is_logged_with_its_traceback_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hook = EventHook("job_closed")
    hook.add_listener(broken)
    for _ in range(3):
        hook.fire(record=None)
    assert caplog.text.count("a listener of job_closed raised: broken") == 3
    assert caplog.text.count("Traceback") == 1


def test_a_listener_that_was_removed_is_told_no_more() -> None:
    hook, told = EventHook("job_closed"), list[int]()

    def count(number: int, **_: Any) -> None:
        told.append(number)

    hook.add_listener(count)
    hook.fire(number=1)
    hook.remove_listener(count)
    hook.fire(number=2)
    assert told == [1]
    with pytest.raises(ValueError, match="not in list"):
        hook.remove_listener(count)
