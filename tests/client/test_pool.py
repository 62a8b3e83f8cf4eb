"""Places in the pool: who gets one, and that none is lost."""

from __future__ import annotations

import random

import gevent
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk_locust.client.pool import Places


def test_a_place_is_free_until_it_is_taken() -> None:
    places = Places(2)
    places.take()
    assert (places.in_use, places.waiting) == (1, 0)
    places.give_back()
    assert (places.in_use, places.waiting) == (0, 0)


def test_who_comes_just_as_a_place_is_given_back_does_not_overtake_the_queue() -> None:
    places, order = Places(1), list[str]()
    places.take()

    def take(name: str) -> None:
        places.take()
        order.append(name)
        places.give_back()

    first = gevent.spawn(take, "waited")
    gevent.sleep(0)
    places.give_back()  # the one who waits was told, but has not run yet
    take("came just now")
    first.join()
    assert order == ["waited", "came just now"]


def test_who_is_killed_with_a_place_just_handed_over_gives_it_back() -> None:
    places = Places(1)
    places.take()
    waiter = gevent.spawn(places.take)
    gevent.sleep(0)
    waiter.kill(block=False)  # comes first, since it is asked for first
    places.give_back()
    waiter.join()
    assert (places.in_use, places.waiting) == (0, 0)


def test_who_is_killed_while_waiting_leaves_the_queue() -> None:
    places = Places(1)
    places.take()
    waiter = gevent.spawn(places.take)
    gevent.sleep(0)
    waiter.kill()
    assert (places.in_use, places.waiting) == (1, 0)


@settings(max_examples=30)
@given(count=st.integers(1, 4), seed=st.integers())
def test_however_many_come_and_are_killed_no_place_is_lost_or_given_twice(
    count: int, seed: int
) -> None:
    places, rng, inside = Places(count), random.Random(seed), [0]

    def visit() -> None:
        places.take()
        inside[0] += 1
        try:
            assert inside[0] <= count
            gevent.sleep(0)
        finally:
            inside[0] -= 1
            places.give_back()

    visitors = [gevent.spawn(visit) for _ in range(20)]
    for visitor in rng.sample(visitors, 8):
        gevent.sleep(0)
        visitor.kill(block=False)
    gevent.joinall(visitors, raise_error=True)
    assert (places.in_use, places.waiting) == (0, 0)
