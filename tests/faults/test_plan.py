"""What a seed plans."""

from tests.faults.plan import KINDS, plan


def test_a_seed_plans_the_same_each_time_and_another_one_something_else() -> None:
    assert plan(7) == plan(7)
    assert plan(7) != plan(8)


def test_300_seeds_have_every_kind_of_fault_several_times() -> None:
    kinds = [fault.kind for seed in range(1, 301) for fault in plan(seed).faults]
    assert all(kinds.count(kind) >= 10 for kind in KINDS)
