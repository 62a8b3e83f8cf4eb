"""Whatever the network and the processes do: nothing lost, nothing doubled in silence."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from kiosk_locust.model.ticket_events import Submitted
from tests.distributed.model import ZERO, Trouble, World

WORKERS = 3
TICKETS = 60
#: A worker is lost after a lease; what it held is then begun anew, and may be lost again.
LIMIT_S = 120.0

#: To make a failing world smaller takes minutes, and its seed tells as much.
LIGHT = settings(max_examples=50, phases=(Phase.explicit, Phase.generate))

moments = st.floats(0, 15, allow_nan=False)
workers = st.integers(0, WORKERS - 1)


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, float, float]:
    begin = draw(moments)
    return draw(workers), begin, begin + draw(st.floats(0.1, 12))


@st.composite
def troubles(draw: st.DrawFn) -> Trouble:
    """At least worker 0 lives on."""
    others = st.integers(1, WORKERS - 1)
    ends = st.lists(st.tuples(others, moments), max_size=2).map(tuple)
    begin = draw(moments)
    return Trouble(
        seed=draw(st.integers(0, 2**32)),
        drop=draw(st.sampled_from([0.0, 0.05, 0.3, 0.6])),
        double=draw(st.sampled_from([0.0, 0.3])),
        slowest_s=draw(st.sampled_from([0.0, 0.1, 2.0, 6.0])),
        cut=draw(st.lists(spans(), max_size=3).map(tuple)),
        hang=draw(st.lists(spans(), max_size=3).map(tuple)),
        master_hang=(begin, begin + draw(st.sampled_from([0.0, 2.0, 10.0]))),
        death=draw(ends),
        leave=draw(ends),
        stale=draw(st.sampled_from([0.0, 0.2])),
    )


@LIGHT
@example(Trouble(seed=1), False)
@example(Trouble(seed=2, death=((1, 0.5), (2, 0.7))), False)
@example(Trouble(seed=2, death=((1, 0.5), (2, 0.7))), True)
@example(Trouble(seed=3, hang=((0, 0.5, 9.0), (1, 0.5, 9.0))), True)
@example(Trouble(seed=4, cut=((1, 0.3, 7.0),), drop=0.3, slowest_s=6.0, double=0.3), True)
@given(troubles(), st.booleans())
def test_every_ticket_is_closed_once_and_has_one_job_unless_it_says_that_it_may_have_two(
    trouble: Trouble, accounts: bool
) -> None:
    world = World(trouble, tickets=TICKETS, workers=WORKERS, users=25, accounts=accounts)
    world.run(LIMIT_S)
    assert sorted(world.closings) == list(range(TICKETS))
    assert set(world.closings.values()) == {1}
    jobs = Counter(ticket_id for ticket_id, _ in world.kiosk.submissions)
    assert set(jobs) == set(range(TICKETS))
    assert {t for t, count in jobs.items() if count > 1} <= world.ledger.ambiguous
    the_records = {record.job_id for record in world.ledger.closed.values()}
    for ticket_id, job_id in world.kiosk.submissions:
        assert job_id in the_records or ticket_id in world.ledger.ambiguous


@LIGHT
@given(troubles())
def test_when_the_network_heals_every_living_worker_drains_and_nobody_holds_anything(
    trouble: Trouble,
) -> None:
    world = World(trouble, tickets=TICKETS, workers=WORKERS, users=25)
    while world.now < ZERO + 2:
        world.step()
    world.drain(LIMIT_S)
    assert world.end.undrained == []
    held = sum(len(session.held) for session in world.end.leases.sessions)
    assert held == 0


def test_without_trouble_no_ticket_is_ambiguous_and_workers_share_evenly() -> None:
    world = World(Trouble(seed=1), tickets=300, workers=2, users=200)
    world.run(LIMIT_S)
    assert not world.ledger.ambiguous
    assert len(world.kiosk.submissions) == 300
    shares = [sum(isinstance(e, Submitted) for e in worker.said) for worker in world.workers]
    assert min(shares) > 100, shares


def test_a_master_that_stood_still_does_not_take_its_workers_for_dead() -> None:
    trouble = Trouble(seed=1, master_hang=(0.5, 30.0))
    world = World(trouble, tickets=TICKETS, workers=2, users=50)
    world.run(LIMIT_S)
    assert len(world.closings) == TICKETS
    assert not world.ledger.ambiguous


@pytest.mark.parametrize("when", [0.3, 0.8])
def test_the_jobs_of_a_worker_that_leaves_are_adopted_and_never_submitted_again(
    when: float,
) -> None:
    world = World(Trouble(seed=5, leave=((1, when),)), tickets=TICKETS, workers=2, users=60)
    world.run(LIMIT_S)
    assert len(world.closings) == len(world.kiosk.submissions) == TICKETS
    assert not world.ledger.ambiguous


@pytest.mark.parametrize("accounts", [False, True])
def test_by_their_accounts_few_tickets_of_dead_workers_are_ambiguous(accounts: bool) -> None:
    ambiguous = 0
    for seed in range(20):
        trouble = Trouble(seed=seed, death=((1, 0.5), (2, 0.7)))
        world = World(trouble, tickets=TICKETS, workers=WORKERS, users=25, accounts=accounts)
        world.run(LIMIT_S)
        ambiguous += len(world.ledger.ambiguous)
    assert ambiguous < 20 if accounts else ambiguous > 200
