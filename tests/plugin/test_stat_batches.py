from __future__ import annotations

import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from locust.env import Environment
from locust.stats import RequestStats, StatsEntry

from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.plugin.request_event import tell_of_request
from kiosk_locust.plugin.stat_batches import Tallies

TIMES = st.one_of(st.none(), st.floats(0, 30_000))


def state(entry: StatsEntry) -> tuple[Any, ...]:
    """What an entry has counted, but for moments."""
    return (
        entry.num_requests,
        entry.num_none_requests,
        round(entry.total_response_time, 3),
        entry.min_response_time,
        entry.max_response_time,
        dict(entry.response_times),
        sum(entry.num_reqs_per_sec.values()),
        entry.total_content_length,
    )


@given(st.lists(st.tuples(st.sampled_from("ab"), TIMES, st.integers(0, 99)), max_size=40))
def test_a_group_leaves_what_locusts_own_logging_would(
    requests: list[tuple[str, Any, int]],
) -> None:
    grouped, plain = RequestStats(), RequestStats()
    tallies = Tallies(grouped)
    tallies.start()
    for name, time_ms, length in requests:
        tallies.add(name, "GET", time_ms, length, is_request=True)
        plain.log_request("GET", name, time_ms, length)
    tallies.stop()
    assert state(grouped.total) == state(plain.total)
    assert {key: state(entry) for key, entry in grouped.entries.items()} == {
        key: state(entry) for key, entry in plain.entries.items()
    }


def test_each_request_counts_in_the_second_in_which_it_ended() -> None:
    stats, moments = RequestStats(), iter([100.2, 100.9, 101.1])
    tallies = Tallies(stats, lambda: next(moments))
    tallies.start()
    for _ in range(3):
        tallies.add("a", "GET", 1.0, is_request=True)
    tallies.stop()
    assert dict(stats.entries["a", "GET"].num_reqs_per_sec) == {100: 2, 101: 1}
    assert stats.total.last_request_timestamp == 101.1


def test_users_listeners_hear_of_each_request() -> None:
    environment, heard = Environment(), []
    environment.create_local_runner()
    tallies = Tallies(environment.stats)
    sample = RequestSample("POST", "/x", 0.1, 7, None, time.time(), 0.0)
    tell_of_request(environment, sample, tallies)
    environment.events.request.add_listener(lambda **told: heard.append(told["name"]))
    tell_of_request(environment, sample, tallies)
    assert heard == ["/x"]
    assert environment.stats.entries["/x", "POST"].num_requests == 2
