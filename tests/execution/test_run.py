"""Users that come and go, and who takes over what they leave."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from kiosk_locust.client.exchange import Exchange
from kiosk_locust.client.kiosk import Reading, Submission
from kiosk_locust.clock import SystemClock
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.run import Run
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.record import JobRequest, Ticket
from kiosk_locust.model.user_mix import Mix
from tests.helpers.scenarios import make_options

USERS = 60


class QuickKiosk:
    """Takes every job and has done it by the first poll."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self.submitted: list[str] = []

    def _exchange(self) -> Exchange:
        now = self._clock.now()
        return Exchange("POST", "/", 200, {}, b"", now, now, now, now)

    def predict(self, request: JobRequest, wanted: Any) -> Submission:
        self.submitted.append(request.image_name)
        return Submission(f"key:{request.image_name}", self._exchange())

    def read(self, _job_id: str, *, zipped: bool) -> Reading:
        return Reading(Snapshot({"status": "done"}), self._exchange())

    def expire(self, _job_id: str, _seconds: int) -> bool:
        return True


class Scene:
    """A run with users that are greenlets, as Locust's are."""

    def __init__(self, folder: Path) -> None:
        self.clock = SystemClock()
        self.kiosk = QuickKiosk(self.clock)
        self.ledger = Ledger.create(folder / "run.db", {})
        self.asked: list[int] = []
        self.state = RunState()
        self.run = Run(
            make_options(count=USERS, users=USERS, start_delay_s=0.02, update_interval_s=0.05),
            self.state,
            ledger=self.ledger,
            bus=JobBus(),
            kiosk=self.kiosk,  # type: ignore[arg-type]  # it has the calls that a job makes
            clock=self.clock,
            rng=random.Random(1),
            mix=Mix((("Kiosk", 1),)),
        )
        self.users = [gevent.spawn(self._use) for _ in range(USERS)]

    def _use(self) -> None:
        while True:
            self.run.work(self._request)

    def _request(self, _user_class: str, ticket: Ticket) -> JobRequest:
        self.asked.append(ticket.number)
        return JobRequest("segmentation", str(ticket.number), "")

    def close(self) -> None:
        gevent.killall(self.users)
        self.ledger.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.close()


@pytest.mark.alone
@pytest.mark.parametrize("killed", [slice(0, 1), slice(0, 35), slice(25, 60), slice(1, 60, 2)])
def test_users_that_stay_take_the_tickets_of_those_that_go_in_order_and_ask_once(
    scene: Scene, killed: slice
) -> None:
    scene.run.start(scene.clock.now() + 0.3)
    gevent.sleep(0.1)  # every user holds a ticket and waits for its slot
    gevent.killall(scene.users[killed])
    assert scene.state.all_closed.wait(20)
    assert scene.kiosk.submitted == [str(number) for number in range(USERS)]
    assert sorted(scene.asked) == list(range(USERS))
    with closing(sqlite3.connect(scene.ledger.path)) as opened:
        (late,) = opened.execute("SELECT max(taken_at - due_at) FROM tickets").fetchone()
    assert late <= 0


def test_an_orphan_that_ended_meanwhile_hides_no_other_from_a_user(scene: Scene) -> None:
    gevent.killall(scene.users)
    goes_on = Event()
    ended, waiting = gevent.spawn(int), gevent.spawn(goes_on.wait)
    ended.join()
    for job in (ended, waiting):
        scene.run._users.leave(job)
    scene.users = [gevent.spawn(scene._use)]
    gevent.sleep(0.01)
    assert scene.run.tickets.takers == 0
    goes_on.set()
    gevent.sleep(0.01)
    assert scene.run.tickets.takers == 1


def test_the_job_of_a_user_that_goes_lives_on(scene: Scene) -> None:
    scene.run.start(scene.clock.now())
    while len(scene.kiosk.submitted) < 10:
        gevent.sleep(0.001)
    gevent.killall(scene.users[: USERS - 1])
    assert scene.state.all_closed.wait(20)
    # A disk that is slow at the start can send the first few, late already, in another order.
    assert sorted(map(int, scene.kiosk.submitted)) == list(range(USERS))
