"""Batches over a bad network: everything once, in order, and not too much at a time."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.distributed.messages import Terms
from kiosk_locust.distributed.reliable_delivery import (
    HURRY_S,
    MOST_ENTRIES,
    MOST_TEXT,
    WINDOW,
    Receiver,
    Sender,
)
from kiosk_locust.model.record import Outcome, StatusChange
from kiosk_locust.model.ticket_events import Batch, Closed, Entry


def entry(number: int) -> Entry:
    return Entry(1, number, StatusChange("started", 2.0, 1.0, None, ""))


def sender() -> Sender:
    return Sender(Terms(linger_s=0.2, resend_s=1.0))


@given(
    count=st.integers(1, 400),
    loss=st.floats(0, 0.8),
    rng=st.randoms(use_true_random=True),
)
def test_all_entries_come_once_and_in_order_however_batches_are_lost_doubled_and_mixed(
    count: int, loss: float, rng: random.Random
) -> None:
    near, far = sender(), Receiver()
    heard: list[int] = []
    said, now = 0, 0.0
    flying: list[Batch] = []
    while not (said == count and near.is_empty):
        now += 0.1
        assert now < 2000, "it does not drain"
        for _ in range(min(rng.randrange(20), count - said)):
            near.say(entry(said), now, urgent=rng.random() < 0.1)
            said += 1
        flying += [b for b in near.outgoing(now) for _ in range(rng.choice([1, 1, 2]))]
        rng.shuffle(flying)
        arriving = [b for b in flying[: rng.randrange(8)] if rng.random() >= loss]
        flying = flying[8:]
        heard += [e.ticket_id for e in far.receive(arriving)]
        if rng.random() >= loss:
            near.acknowledge(far.taken)
    assert heard == list(range(count))


def test_entries_wait_for_company_and_urgent_ones_do_not() -> None:
    near = sender()
    near.say(entry(1), 0.0)
    assert near.outgoing(0.1) == ()
    near.say(entry(2), 0.1, urgent=True)
    (batch,) = near.outgoing(0.1)
    assert [e.ticket_id for e in batch.entries] == [1, 2]


def closed(number: int, characters: int) -> Entry:
    fields = {"children": "x" * characters}
    return Entry(1, number, Closed("zip:1", Outcome.PARTIAL, "", 0.0, 1, None, None, fields))


def test_what_is_large_comes_in_several_messages() -> None:
    near, sizes = sender(), [600_000, 10, 700_000, 5_000_000, 10, 10]
    for number, size in enumerate(sizes):
        near.say(closed(number, size), 0.0, urgent=True)
    messages = []
    while batches := near.outgoing(0.1):
        messages.append([each for batch in batches for each in batch.entries])
    assert [[entry.ticket_id for entry in entries] for entries in messages] == [
        [0, 1],
        [2],
        [3],
        [4, 5],
    ]
    texts = [sum(sizes[entry.ticket_id] for entry in entries) for entries in messages]
    assert all(text <= MOST_TEXT for text in texts if text != 5_000_000)


def test_what_somebody_waits_for_is_sent_soon() -> None:
    near = sender()
    near.say(entry(1), 0.0)
    near.hurry(0.01)
    assert len(near.outgoing(0.01 + HURRY_S)) == 1


def test_a_batch_is_sent_again_only_after_a_time_out_and_never_once_acknowledged() -> None:
    near = sender()
    near.say(entry(1), 0.0, urgent=True)
    first = near.outgoing(0.0)
    assert near.outgoing(0.9) == ()
    assert near.outgoing(1.0) == first
    near.acknowledge(1)
    assert near.outgoing(9.0) == ()
    assert near.is_empty


def test_no_more_than_a_window_of_batches_is_under_way() -> None:
    near = sender()
    for number in range((WINDOW + 5) * MOST_ENTRIES):
        near.say(entry(number), 0.0)
    assert len(near.outgoing(1.0)) == WINDOW
    assert near.outgoing(1.1) == ()
    near.acknowledge(2)
    assert [b.number for b in near.outgoing(1.2)] == [WINDOW + 1, WINDOW + 2]


def test_one_can_wait_until_an_entry_has_arrived() -> None:
    near = sender()
    wanted = near.say(entry(1), 0.0)
    near.outgoing(0.2)
    near.say(entry(2), 0.2)
    near.outgoing(0.4)
    assert near.acknowledged < wanted
    near.acknowledge(1)
    assert near.acknowledged == wanted
