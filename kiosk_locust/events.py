"""The plugin's own events, in the manner of Locust's.

Listeners get keyword arguments and should take ``**kwargs``, so that more can be added::

    from kiosk_locust import events

    @events.job_closed.add_listener
    def on_closed(record, **kwargs):
        print(record.ticket.number, record.outcome)

What a listener raises is logged, once with its traceback, then in a line, and less and less often.
SystemExit, KeyboardInterrupt and Locust's StopTest end the run, with results.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from kiosk_locust.callbacks import RAISED, CallingOut, TracebackOnce, ends_run

logger = logging.getLogger(__name__)

Listener = TypeVar("Listener", bound=Callable[..., None])


class EventHook:
    """One event: listeners that are called, in order, each time it is fired."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._listeners: list[Callable[..., None]] = []
        self._errors = TracebackOnce(logger)

    def add_listener(self, listener: Listener) -> Listener:
        """Call ``listener`` at each firing; returns it, so it works as a decorator."""
        self._listeners.append(listener)
        return listener

    def remove_listener(self, listener: Callable[..., None]) -> None:
        """Stop calling ``listener``; raises ValueError if it was not added."""
        self._listeners.remove(listener)

    def fire(self, **payload: Any) -> None:
        """Call the listeners, each of them whatever others raise."""
        if not self._listeners:
            return
        with CallingOut():
            for listener in tuple(self._listeners):
                try:
                    listener(**payload)
                except RAISED as error:  # a user's listener must not harm the run
                    name = _name(listener)
                    if not ends_run(f"{name}, a listener of {self.name}", error):
                        self._errors.log(listener, "a listener of %s raised: %s", self.name, name)


def _name(listener: Callable[..., None]) -> str:
    return getattr(listener, "__qualname__", repr(listener))


job_submitted = EventHook("job_submitted")
"""``record``: a job was accepted; its job id is known."""

job_adopted = EventHook("job_adopted")
"""``record``: a job that an earlier session of the run submitted is polled on."""

job_status = EventHook("job_status")
"""``record``, ``change``: a poll saw a status for the first time, or, while the status stayed the
same, another consumer at work on an image or the next phase of a ZIP (``change.phase``)."""

job_closed = EventHook("job_closed")
"""``record``: the ticket is closed, and its record is durable."""

job_downloaded = EventHook("job_downloaded")
"""``record``, ``download``: what a closed job made was downloaded, or could not be; in the process
that ran the job."""

run_closed = EventHook("run_closed")
"""``run``: every ticket is closed; the results are written. ``run`` is a frozen ``RunClosed``; its
``run.judgement`` has ``verdict`` (VALID or INVALID), ``reasons`` and ``thresholds``. Where the
process dies before, the one that resumes the run fires it, once it has made up what was missing."""
