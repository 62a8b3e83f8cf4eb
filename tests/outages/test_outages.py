"""What a run stands on goes away for some seconds: nothing is lost, and nothing is silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.plays import sees
from tests.outages.network import NotPermitted
from tests.outages.plays import Seen, clock_back, dns_down, frontend_away, jobs_for, network_cut

pytestmark = pytest.mark.resilience  # scripts/resilience runs it


def cut_off(folder: Path) -> Seen | str:
    """The network between master and workers; the reason where none can be made here."""
    try:
        return network_cut(folder)
    except NotPermitted as error:
        return str(error)


@sees(cut_off)
def test_a_network_that_is_cut_between_master_and_workers_loses_nothing(seen: Seen | str) -> None:
    if isinstance(seen, str):
        pytest.skip(seen)
    assert seen.judgement.complaints == (), seen.output
    assert (seen.codes, seen.outcomes) == ((0,), {"done": jobs_for(2.0)}), seen.output


@sees(frontend_away)
def test_a_frontend_that_is_away_costs_no_job_and_makes_none_twice(seen: Seen) -> None:
    assert seen.judgement.complaints == (), seen.output
    assert (seen.codes, seen.outcomes) == ((0,), {"done": jobs_for(2.0)}), seen.output
    refused = seen.sql("SELECT count(*) FROM attempts WHERE error LIKE '%connection refused%'")
    assert refused > [(10,)]


@sees(dns_down)
def test_a_name_that_is_not_found_for_a_while_costs_no_job_and_makes_none_twice(
    seen: Seen,
) -> None:
    assert seen.judgement.complaints == (), seen.output
    assert (seen.codes, seen.outcomes) == ((0,), {"done": jobs_for(2.0)}), seen.output
    unknown = seen.sql("SELECT count(*) FROM attempts WHERE error LIKE '%name is not known%'")
    assert unknown > [(10,)]


@sees(clock_back)
def test_a_clock_that_is_put_back_by_an_hour_changes_no_time_and_no_order(seen: Seen) -> None:
    assert seen.judgement.complaints == (), seen.output
    jobs = jobs_for(1.0)
    assert (seen.codes, seen.outcomes) == ((0,), {"done": jobs}), seen.output
    rows = seen.sql("SELECT due_at, submitted_at, closed_at, duration_s FROM tickets ORDER BY id")
    for due_at, submitted_at, closed_at, duration_s in rows:
        assert -0.05 <= submitted_at - due_at < 5
        assert 0.5 <= closed_at - submitted_at < 10
        assert 0.5 <= duration_s < 10
    assert rows == sorted(rows)
    ((begun, ended),) = seen.sql(
        "SELECT (SELECT value FROM meta WHERE key = 'started_at'),"
        " (SELECT value FROM meta WHERE key = 'ended_at')"
    )
    assert 0 < float(ended) - float(begun) < 60
