"""What happens to the jobs of one run, told to its observers and to users' listeners."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from kiosk_locust import events
from kiosk_locust.callbacks import TracebackOnce
from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.ports import JobObserver
from kiosk_locust.model.record import Download, Record, StatusChange

logger = logging.getLogger(__name__)


class JobBus:
    """Tells everybody who observes the jobs of one run; each run has its own.

    First the essential observers, then users' listeners (`kiosk_locust.events`), then the others;
    each of these groups in the order in which they were added, each of them whatever others raise.
    Whoever publishes has written the event into the `JobLog` before.

    Methods raise the first thing that an essential observer raised, once everybody was told:
    numbers are lost, and the run cannot go on. What observers raise is logged, each one's with its
    traceback once.
    """

    def __init__(self) -> None:
        self._essential: list[JobObserver] = []
        self._others: list[JobObserver] = []
        self._errors = TracebackOnce(logger)

    def add(self, observer: JobObserver, *, is_essential: bool = False) -> None:
        """Tell ``observer`` of all that happens from now on."""
        (self._essential if is_essential else self._others).append(observer)

    def adopted(self, record: Record) -> None:
        """A job that an earlier session of the run submitted is polled on."""
        self._tell(events.job_adopted, lambda observer: observer.on_adopted(record), record=record)

    def submitted(self, record: Record) -> None:
        """A job was accepted; its id is known."""
        self._tell(
            events.job_submitted, lambda observer: observer.on_submitted(record), record=record
        )

    def status(self, record: Record, change: StatusChange) -> None:
        """A poll saw something new."""
        self._tell(
            events.job_status,
            lambda observer: observer.on_status(record, change),
            record=record,
            change=change,
        )

    def closed(self, record: Record, measures: Measures) -> None:
        """A ticket is closed."""
        self._tell(
            events.job_closed, lambda observer: observer.on_closed(record, measures), record=record
        )

    def downloaded(self, record: Record, download: Download) -> None:
        """What a closed job made was downloaded, or could not be."""
        self._tell(
            events.job_downloaded,
            lambda observer: observer.on_downloaded(record, download),
            record=record,
            download=download,
        )

    def _tell(
        self, hook: events.EventHook, tell: Callable[[JobObserver], None], **payload: Any
    ) -> None:
        first: Exception | None = None
        for observer in self._essential:
            try:
                tell(observer)
            except Exception as error:  # noqa: BLE001  it comes out below
                self._log(hook, observer)
                first = first or error
        hook.fire(**payload)
        for observer in self._others:
            try:
                tell(observer)
            except Exception:  # noqa: BLE001  it must not harm the run
                self._log(hook, observer)
        if first is not None:
            raise first

    def _log(self, hook: events.EventHook, observer: JobObserver) -> None:
        name = type(observer).__qualname__
        self._errors.log(observer, "an observer of %s raised: %s", hook.name, name)
