"""Who hears of a run's jobs, in which order, and what becomes of what an observer raises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kiosk_locust import events
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.model.job_metrics import NOTHING, Measures
from kiosk_locust.model.ports import JobObserver
from kiosk_locust.model.record import Download, Outcome, Record, StatusChange
from tests.helpers.scenarios import make_record


class Observer(JobObserver):
    """Notes what it hears under its name; one that is broken raises then."""

    def __init__(self, name: str, heard: list[str], *, is_broken: bool = False) -> None:
        self.name = name
        self.heard = heard
        self.is_broken = is_broken

    def _hear(self, event: str) -> None:
        self.heard.append(f"{self.name}: {event}")
        if self.is_broken:
            raise RuntimeError(f"{self.name} lost count")

    def on_adopted(self, record: Record) -> None:
        self._hear("adopted")

    def on_submitted(self, record: Record) -> None:
        self._hear(f"submitted {record.job_id}")

    def on_status(self, record: Record, change: StatusChange) -> None:
        self._hear(change.status)

    def on_closed(self, record: Record, measures: Measures) -> None:
        self._hear(f"closed {record.outcome}")

    def on_downloaded(self, record: Record, download: Download) -> None:
        self._hear(f"downloaded {download.size}")


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Everything that was heard, also by a user's listener."""
    noted: list[str] = []

    def listen(**_: Any) -> None:
        noted.append("a user's listener")

    events.job_closed.add_listener(listen)
    yield noted
    events.job_closed.remove_listener(listen)


def closed() -> Record:
    return make_record(job_id="a", outcome=Outcome.DONE)


def test_essential_observers_hear_first_then_users_then_the_others(heard: list[str]) -> None:
    bus = JobBus()
    bus.add(Observer("page", heard))
    bus.add(Observer("counts", heard), is_essential=True)
    bus.add(Observer("statistics", heard), is_essential=True)
    bus.closed(closed(), NOTHING)
    assert heard == [
        "counts: closed done", "statistics: closed done", "a user's listener", "page: closed done",
    ]  # fmt: skip


def test_an_essential_observer_that_raises_keeps_no_other_from_hearing(heard: list[str]) -> None:
    bus = JobBus()
    bus.add(Observer("counts", heard, is_broken=True), is_essential=True)
    bus.add(Observer("statistics", heard, is_broken=True), is_essential=True)
    bus.add(Observer("page", heard))
    with pytest.raises(RuntimeError, match="counts lost count"):
        bus.closed(closed(), NOTHING)
    assert len(heard) == 4


def test_what_another_observer_raises_is_logged_with_its_traceback_once(
    heard: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    bus = JobBus()
    bus.add(Observer("page", heard, is_broken=True))
    bus.add(Observer("spans", heard))
    for _ in range(3):
        bus.closed(closed(), NOTHING)
    assert heard.count("spans: closed done") == 3
    assert caplog.text.count("an observer of job_closed raised: Observer") == 3
    assert caplog.text.count("Traceback") == 1


def test_an_observer_hears_of_its_own_run_alone(heard: list[str]) -> None:
    one, other = JobBus(), JobBus()
    one.add(Observer("one", heard), is_essential=True)
    other.add(Observer("other", heard), is_essential=True)
    other.closed(closed(), NOTHING)
    assert heard == ["other: closed done", "a user's listener"]


def test_each_event_comes_with_what_it_is_about() -> None:
    heard: list[str] = []
    bus = JobBus()
    bus.add(Observer("it", heard))
    record = closed()
    bus.adopted(record)
    bus.submitted(record)
    bus.status(record, StatusChange("started", 2.0, 1.0, None, ""))
    bus.closed(record, NOTHING)
    bus.downloaded(record, Download(1.0, 2.0, 7, 1))
    assert heard == [
        "it: adopted", "it: submitted a", "it: started", "it: closed done", "it: downloaded 7",
    ]  # fmt: skip


def test_an_observer_need_not_hear_of_everything() -> None:
    class Closings(JobObserver):
        count = 0

        def on_closed(self, record: Record, measures: Measures) -> None:
            self.count += 1

    bus, closings = JobBus(), Closings()
    bus.add(closings, is_essential=True)
    bus.submitted(closed())
    bus.closed(closed(), NOTHING)
    assert closings.count == 1
