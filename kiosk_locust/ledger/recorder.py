"""Writes what the events tell into the ledger, near or far."""

from __future__ import annotations

from typing import Any

from kiosk_locust import events
from kiosk_locust.model.ports import EventBook
from kiosk_locust.model.record import Download, Record, StatusChange


class Recorder:
    """A critical listener: without it, what happened is lost."""

    def __init__(self, book: EventBook) -> None:
        self._book = book

    def attach(self) -> None:
        """Listen to every event of a job."""
        events.job_submitted.add_listener(self.on_submitted, critical=True)
        events.job_status.add_listener(self.on_status, critical=True)
        events.job_closed.add_listener(self.on_closed, critical=True)
        events.job_downloaded.add_listener(self.on_downloaded, critical=True)

    def detach(self) -> None:
        """Listen no more."""
        events.job_submitted.remove_listener(self.on_submitted)
        events.job_status.remove_listener(self.on_status)
        events.job_closed.remove_listener(self.on_closed)
        events.job_downloaded.remove_listener(self.on_downloaded)

    def on_submitted(self, record: Record, **_: Any) -> None:
        """A job has its id."""
        self._book.submit(record)

    def on_status(self, record: Record, change: StatusChange, **_: Any) -> None:
        """A poll saw a new status."""
        self._book.change(record, change)

    def on_closed(self, record: Record, **_: Any) -> None:
        """A ticket is closed."""
        self._book.close_ticket(record)

    def on_downloaded(self, record: Record, download: Download, **_: Any) -> None:
        """What a job made is here, or not."""
        self._book.downloaded(record, download)
