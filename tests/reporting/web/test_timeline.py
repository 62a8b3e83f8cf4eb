from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.reporting.web.timeline import MOST_BINS, Timeline, parts, width_for

MOMENTS = st.lists(st.floats(0, 100_000), min_size=1, max_size=60)
T0 = 1_800_000_000.0


def close(line: Timeline, at: float, **given: object) -> None:
    by_part: Mapping[str, Sequence[float]] = {}
    values: dict[str, object] = {
        "was_submitted": True,
        "is_done": True,
        "duration_s": None,
        "queue_wait_s": None,
        "by_part": by_part,
    }
    line.close(at, **{**values, **given})  # type: ignore[arg-type]  # as close() takes them


@given(MOMENTS)
def test_intervals_stay_bounded_and_lose_nothing(moments: list[float]) -> None:
    line = Timeline(T0)
    for moment in moments:
        line.at(T0 + moment).submitted += 1
        close(line, T0 + moment, duration_s=1.0)
    course = line.course()
    assert len(course.submitted) <= MOST_BINS
    assert sum(course.submitted) == sum(course.closed) == line.durations.count == len(moments)


@given(MOMENTS)
def test_each_count_stands_in_the_interval_of_its_moment(moments: list[float]) -> None:
    line = Timeline(T0)
    for moment in moments:
        line.at(T0 + moment).due += 1
    course = line.course()
    for place, number in enumerate(course.due):
        begin, end = place * course.width_s, (place + 1) * course.width_s
        assert number == sum(begin <= (T0 + moment) - T0 < end for moment in moments)


@given(st.floats(0, 1e7))
def test_a_width_chosen_for_a_span_is_the_one_that_merging_comes_to(span_s: float) -> None:
    line = Timeline(0.0)
    line.at(span_s)
    assert line.width_s == width_for(span_s)


def test_in_flight_is_what_was_submitted_and_not_closed_at_the_end_of_each_interval() -> None:
    line = Timeline(T0)
    line.in_flight_before = 2
    for moment in (0.1, 0.2, 1.5):
        line.at(T0 + moment).submitted += 1
    close(line, T0 + 1.9)
    close(line, T0 + 2.5, was_submitted=False, is_done=False)
    close(line, T0 + 3.5)
    course = line.course()
    assert course.in_flight == (4, 4, 4, 3)
    assert course.failed == (0, 0, 1, 0)


def test_what_was_before_the_begin_counts_in_the_first_interval() -> None:
    line = Timeline(T0)
    line.at(T0 - 5).submitted += 1
    assert line.course().submitted == (1,)


def test_parts_add_up_to_the_time_without_the_queue() -> None:
    found = parts(
        {"queue_wait": (9.0,), "total": (4.0,), "download": (0.5,), "predict": (2.0,), "upload": ()}
    )
    assert sum(sum(times) for name, times in found.items() if name != "queue_wait") == 4.0
    assert found["other"] == (1.5,)
    assert "other" not in parts({"total": (4.0, 5.0), "download": (1.0, 1.0)})


def test_the_means_of_parts_are_over_all_times_of_an_interval() -> None:
    line = Timeline(T0)
    close(line, T0, by_part={"predict": (1.0, 2.0)})
    close(line, T0, by_part={"predict": (6.0,), "upload": ()})
    assert line.course().parts_s == {"predict": (3.0,)}
    line.at(T0 + MOST_BINS)  # merges
    close(line, T0 + 1, by_part={"predict": (3.0,)})
    assert line.course().parts_s["predict"][0] == pytest.approx(3.0)
