"""How far a closed workload may go by a checkpoint."""

from __future__ import annotations

from collections.abc import Callable

from kiosk_locust.checkpoint.horizon import Horizon
from kiosk_locust.model.record import Ticket


class Handed:
    """Tickets of which ``given_until`` were handed out; notes how far they may go."""

    def __init__(self) -> None:
        self.has_begun = True
        self.given_until = 0
        self.on_horizon: Callable[[], None] = lambda: None
        self.held_from: list[int | None] = []

    @property
    def next(self) -> Ticket | None:
        return Ticket(self.given_until, 1, self.given_until, None, "a.png")

    def hold_from(self, horizon: int | None) -> None:
        self.held_from.append(horizon)


def test_the_first_checkpoint_covers_eight_tickets_a_user() -> None:
    mark = Horizon(Handed(), users=5, every_s=60.0).mark(100.0, "p", None)
    assert mark.horizon == 40
    assert mark.held_until == 700.0


def test_a_later_one_covers_ten_intervals_of_work_and_a_fifth_more() -> None:
    tickets = Handed()
    horizon = Horizon(tickets, users=5, every_s=60.0)
    first = horizon.mark(100.0, "p", None)
    tickets.given_until = 120  # two a second
    assert horizon.mark(160.0, "p", first).horizon == 120 + 2 * 600 * 1.2


def test_the_fastest_pace_counts() -> None:
    tickets = Handed()
    horizon = Horizon(tickets, users=5, every_s=60.0)
    first = horizon.mark(100.0, "p", None)
    tickets.given_until = 120
    second = horizon.mark(160.0, "p", first)
    tickets.given_until = 121
    assert horizon.mark(220.0, "p", second).horizon == 121 + 2 * 600 * 1.2


def test_tickets_are_held_from_where_the_checkpoint_ends_until_they_are_released() -> None:
    tickets = Handed()
    horizon = Horizon(tickets, users=5, every_s=60.0)
    horizon.hold(horizon.mark(100.0, "p", None))
    horizon.release()
    assert tickets.held_from == [40, None]


def test_nothing_of_an_open_workload_is_held_back() -> None:
    tickets = Handed()
    horizon = Horizon(tickets, users=None, every_s=60.0)
    mark = horizon.mark(100.0, "p", None)
    horizon.hold(mark)
    horizon.release()
    assert (mark.horizon, tickets.held_from) == (None, [])
