from __future__ import annotations

from typing import Any

import msgpack  # type: ignore[import-untyped]  # it ships no types
import pytest
from locust.event import Events
from locust.stats import RequestStats, setup_distributed_stats_event_listeners

from kiosk_locust.model.record import Outcome
from kiosk_locust.plugin.request_stats import (
    LONGEST_TEXT,
    MOST_TEXTS,
    OTHER_TEXT,
    LocustStatistics,
    describe,
)
from tests.helpers.records import FIELDS, record, tell_closed


def statistics() -> tuple[LocustStatistics, RequestStats]:
    stats = RequestStats()
    return LocustStatistics(stats), stats


def test_a_job_is_an_entry_of_its_job_type_in_milliseconds() -> None:
    listener, stats = statistics()
    tell_closed(listener, record(job_type="mesmer"))
    entry = stats.entries[("mesmer", "JOB")]
    assert (entry.num_requests, entry.num_failures, entry.max_response_time) == (1, 0, 5000)


def test_each_stage_that_was_timed_is_an_entry() -> None:
    listener, stats = statistics()
    tell_closed(listener, record())
    times = {
        name: entry.max_response_time
        for (name, kind), entry in stats.entries.items()
        if kind == "STAGE"
    }
    assert times == {"queue wait": 1500, "total": 3500, "download": 250}


def test_a_zip_logs_each_childs_time() -> None:
    listener, stats = statistics()
    tell_closed(listener, record(fields={**FIELDS, "upload_time": "1,2,3"}, file="a.zip"))
    assert stats.entries[("upload", "STAGE")].num_requests == 3


def test_the_aggregated_row_stays_that_of_http() -> None:
    listener, stats = statistics()
    stats.log_request("POST", "/api/predict", 4, 10)
    tell_closed(listener, record())
    tell_closed(listener, record(1, Outcome.FAILED, reason="no"))
    assert (stats.num_requests, stats.num_failures, stats.total.max_response_time) == (1, 0, 4)


def test_a_failed_job_is_a_failure_with_the_last_line_of_the_reason() -> None:
    listener, stats = statistics()
    tell_closed(
        listener, record(0, Outcome.FAILED, reason="Traceback:\n  File x\nValueError: bad\n")
    )
    (error,) = stats.errors.values()
    assert (error.method, error.name, error.error) == (
        "JOB",
        "segmentation",
        "failed: ValueError: bad",
    )
    assert stats.entries[("segmentation", "JOB")].num_failures == 1


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.DONE])
def test_every_outcome_but_done_is_a_failure(outcome: Outcome) -> None:
    listener, stats = statistics()
    tell_closed(listener, record(0, outcome, None))
    assert stats.entries[("segmentation", "JOB")].num_failures == 1
    assert [error.error for error in stats.errors.values()] == [outcome.value]


def test_a_job_without_a_duration_is_counted_without_a_time() -> None:
    listener, stats = statistics()
    tell_closed(listener, record())
    tell_closed(listener, record(1, Outcome.VANISHED, None))
    entry = stats.entries[("segmentation", "JOB")]
    assert (entry.num_requests, entry.num_none_requests) == (2, 1)
    assert entry.avg_response_time == 5000


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("job 17 of 4.25 GB", "failed: job # of # GB"),
        ("key a:f789a3bc-80a8-4190-8e15-1762fd04cb4b", "failed: key a:<uuid>"),
        ("object at 0x7f00dead", "failed: object at <hex>"),
        ("hash d41d8cd98f00b204e9800998ecf8427e", "failed: hash <hex>"),
        (
            "POST /api/predict answered 400 after 12 ms",
            "failed: POST /api/predict answered 400 after # ms",
        ),
        ("got HTTP 503", "failed: got HTTP 503"),
        ("", "failed"),
        ("\n \n", "failed"),
    ],
)
def test_what_differs_from_job_to_job_is_folded(reason: str, text: str) -> None:
    assert describe(Outcome.FAILED, reason) == text


def test_a_text_has_a_longest_length() -> None:
    assert len(describe(Outcome.ERROR, "x" * 10_000)) == LONGEST_TEXT


def test_the_number_of_distinct_errors_is_bounded() -> None:
    listener, stats = statistics()
    for number in range(1000):
        word = "".join(chr(97 + int(digit)) for digit in str(number))
        tell_closed(listener, record(number, Outcome.FAILED, reason=word))
    assert len(stats.errors) == MOST_TEXTS + 1
    others = [error for error in stats.errors.values() if error.error == OTHER_TEXT]
    assert [error.occurrences for error in others] == [1000 - MOST_TEXTS]


def test_a_workers_entries_and_errors_arrive_at_the_master() -> None:
    listener, stats = statistics()
    hooks: Any = Events  # Locust leaves them untyped
    worker, master, merged = hooks(), hooks(), RequestStats()
    setup_distributed_stats_event_listeners(worker, stats)
    setup_distributed_stats_event_listeners(master, merged)
    for number in range(2):  # two reports: the worker forgets what it has sent
        tell_closed(listener, record(number))
        tell_closed(listener, record(number, Outcome.FAILED, reason=f"job {number} is bad"))
        data: dict[str, Any] = {}
        worker.report_to_master.fire(client_id="w", data=data)
        sent = msgpack.loads(msgpack.dumps(data), strict_map_key=False)
        master.worker_report.fire(client_id="w", data=sent)
    entry = merged.entries[("segmentation", "JOB")]
    assert (entry.num_requests, entry.num_failures, entry.max_response_time) == (4, 2, 5000)
    assert merged.entries[("queue wait", "STAGE")].num_requests == 4
    assert [(e.error, e.occurrences) for e in merged.errors.values()] == [
        ("failed: job # is bad", 2)
    ]
    assert merged.total.num_requests == 0
