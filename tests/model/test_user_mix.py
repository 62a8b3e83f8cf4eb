"""The class of each ticket, against the definition: the shares of every prefix."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust import User

from kiosk_locust.errors import PreflightError
from kiosk_locust.model.user_mix import MOST_PARTS, Mix
from kiosk_locust.plugin.user import KioskUser, mix_of
from tests.helpers.scenarios import make_options

README = {"Segmentation": Fraction(3), "Mesmer": Fraction(1)}
WEIGHTS = st.lists(st.integers(1, 30), min_size=1, max_size=7)


def classes_of(mix: Mix, count: int) -> list[str]:
    return [mix.class_of(ticket_id) for ticket_id in range(count)]


def farthest(classes: list[str], weights: dict[str, Fraction]) -> Fraction:
    """The most jobs by which the share of a class in some prefix differs from its weight's."""
    total = sum(weights.values())
    had: Counter[str] = Counter()
    most = Fraction(0)
    for jobs, name in enumerate(classes, 1):
        had[name] += 1
        differences = [abs(had[n] - jobs * weight / total) for n, weight in weights.items()]
        most = max(most, *differences)
    return most


@given(WEIGHTS, st.integers(0, 1_000_000))
def test_in_every_prefix_each_class_is_within_one_job_of_its_share(
    parts: list[int], seed: int
) -> None:
    weights = {f"Class{i}": Fraction(part) for i, part in enumerate(parts)}
    assert farthest(classes_of(Mix.of(weights, seed), 2 * sum(parts)), weights) < 1


def test_the_examples_mesmer_stands_at_each_place_of_four_equally_often() -> None:
    places: Counter[int] = Counter()
    for seed in range(4_000):
        places[classes_of(Mix.of(README, seed), 4).index("Mesmer")] += 1
    assert all(abs(places[place] - 1_000) < 130 for place in range(4))  # 4.7 standard deviations


def test_the_order_goes_by_the_seed_and_differs_from_block_to_block() -> None:
    one, again, other = (classes_of(Mix.of(README, seed), 80) for seed in (7, 7, 8))
    assert one == again != other
    assert len({tuple(one[at : at + 4]) for at in range(0, 80, 4)}) > 1


def test_the_order_in_which_classes_are_listed_does_not_count() -> None:
    turned = dict(reversed(README.items()))
    assert classes_of(Mix.of(README, 3), 40) == classes_of(Mix.of(turned, 3), 40)


def test_a_ticket_has_the_same_class_whatever_was_looked_up_before() -> None:
    mix = Mix.of({"A": Fraction(7), "B": Fraction(5), "C": Fraction(1)}, 4)
    forwards = classes_of(mix, 2_000)
    assert [mix.class_of(n) for n in reversed(range(2_000))] == forwards[::-1]


def test_what_is_written_down_makes_the_same_mix_again() -> None:
    mix = Mix.of(README, 9)
    assert Mix.from_text(mix.as_text(), 9) == mix


@pytest.mark.parametrize(
    ("weights", "parts"),
    [
        ({"A": 0.3, "B": 0.1}, {"A": 3, "B": 1}),
        ({"A": 1.5, "B": 1}, {"A": 3, "B": 2}),
        ({"A": 30, "B": 10}, {"A": 3, "B": 1}),
        ({"A": 1, "B": 5_000}, {"A": 1, "B": MOST_PARTS - 1}),
        ({"A": 0, "B": 2}, {"B": 1}),
    ],
)
def test_weights_become_parts(weights: dict[str, float], parts: dict[str, int]) -> None:
    exact = {name: Fraction(weight).limit_denominator(1_000) for name, weight in weights.items()}
    assert dict(Mix.of(exact, 1).parts) == parts


# -- Locust's classes


def a_class(name: str, base: type[User] = KioskUser, **attributes: Any) -> type[User]:
    return type(name, (base,), {"abstract": False, **attributes})


def parts_of(*classes: type[User], users: int = 40) -> dict[str, int]:
    return dict(mix_of(classes, replace(make_options(), users=users)).parts)


def test_weights_may_be_fractions_and_other_sites_users_get_no_jobs() -> None:
    visitor = a_class("Visitor", User, weight=5)
    assert parts_of(a_class("A", weight=0.3), a_class("B", weight=0.1), visitor) == {"A": 3, "B": 1}


def test_a_class_that_gets_no_user_has_its_share_all_the_same() -> None:
    assert parts_of(a_class("A", weight=9), a_class("B"), users=3) == {"A": 9, "B": 1}


def test_a_fixed_count_is_a_share_of_the_users() -> None:
    classes = (a_class("A", weight=3), a_class("B"), a_class("Fixed", fixed_count=8, weight=100))
    assert parts_of(*classes, users=40) == {"A": 3, "B": 1, "Fixed": 1}


def test_where_all_users_are_fixed_the_others_have_no_job() -> None:
    assert parts_of(a_class("A"), a_class("Fixed", fixed_count=5), users=5) == {"Fixed": 1}


@pytest.mark.parametrize("weight", ["much", float("nan"), float("inf"), None])
def test_a_weight_that_is_no_number_is_refused(weight: object) -> None:
    with pytest.raises(PreflightError, match=r"Odd has the weight .* must be a number"):
        parts_of(a_class("Odd", weight=weight))


def test_without_a_class_that_submits_jobs_nothing_starts() -> None:
    with pytest.raises(PreflightError, match="nobody would submit"):
        parts_of(a_class("Visitor", User))
