"""Waits between tries, and how long they may go on."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.client.retry import LONGEST_HINT_S, Backoff, Budget
from kiosk_locust.errors import Busy, NoAnswer
from tests.helpers.clocks import ManualClock


class Highest(random.Random):
    """Draws the upper end each time."""

    def uniform(self, a: float, b: float) -> float:
        return b


def busy(retry_after_s: float | None) -> Busy:
    return Busy("busy", status=429, retry_after_s=retry_after_s)


def test_the_ceiling_doubles_from_half_a_second_to_half_a_minute() -> None:
    backoff = Backoff(Highest())
    assert [backoff.delay() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_after_an_answer_the_waits_are_short_again() -> None:
    backoff = Backoff(Highest())
    for _ in range(5):
        backoff.delay()
    backoff.reset()
    assert backoff.delay() == 0.5


@given(seed=st.integers(), failures=st.integers(0, 60))
def test_every_wait_lies_between_nothing_and_the_ceiling(seed: int, failures: int) -> None:
    backoff = Backoff(random.Random(seed))
    waits = [backoff.delay() for _ in range(failures + 1)]
    assert 0 <= waits[-1] <= min(30.0, 0.5 * 2**failures)


def test_waits_can_be_told_to_have_a_share_of_the_ceiling_at_least() -> None:
    backoff = Backoff(random.Random(1), base_s=8.0, least=0.5)
    assert 4.0 <= backoff.delay() <= 8.0 <= backoff.delay() <= 16.0


def test_two_that_failed_together_wait_differently() -> None:
    first, second = Backoff(random.Random(1)), Backoff(random.Random(2))
    assert first.delay() != second.delay()


def test_the_same_seed_gives_the_same_waits() -> None:
    first, second = Backoff(random.Random(7)), Backoff(random.Random(7))
    assert [first.delay() for _ in range(5)] == [second.delay() for _ in range(5)]


def test_days_of_failures_do_not_overflow() -> None:
    backoff = Backoff(Highest())
    assert [backoff.delay() for _ in range(5_000)][-1] == 30


@given(asked_s=st.floats(0, LONGEST_HINT_S), seed=st.integers())
def test_no_try_comes_before_retry_after(asked_s: float, seed: int) -> None:
    delay_s = Backoff(random.Random(seed)).delay(busy(asked_s))
    assert asked_s <= delay_s <= asked_s + 0.5


def test_an_absurd_retry_after_is_not_believed() -> None:
    assert Backoff(Highest()).delay(busy(1e9)) == LONGEST_HINT_S + 0.5
    assert Backoff(Highest()).delay(busy(-5.0)) == 0.5


def test_other_errors_ask_for_no_wait() -> None:
    assert Backoff(Highest()).delay(busy(None)) == 0.5
    assert Backoff(Highest()).delay(NoAnswer("nothing")) == 0.5


def test_a_budget_is_spent_by_time_without_an_answer() -> None:
    clock = ManualClock()
    budget = Budget(clock, 3_600)
    clock.sleep(3_599)
    assert (budget.spent_s, budget.is_spent) == (3_599, False)
    clock.sleep(1)
    assert budget.is_spent


def test_an_answer_fills_the_budget_again() -> None:
    clock = ManualClock()
    budget = Budget(clock, 10)
    clock.sleep(9)
    budget.reset()
    clock.sleep(9)
    assert not budget.is_spent
