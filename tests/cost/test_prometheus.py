"""A real Prometheus behind a Grafana: what is estimated of it, and how it is asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kiosk_locust.cost.endpoints import CostServers
from kiosk_locust.cost.grid import MOST_POINTS, Grid
from kiosk_locust.cost.prometheus import Prometheus
from kiosk_locust.errors import CostRefused
from tests.cost.asking import BEGINS_AT, asked_about, estimated
from tests.cost.scraped import History, random_histories
from tests.cost.servers import PASSWORD, GrafanaBefore, need_prometheus

HISTORIES = random_histories(seed=4, number=5, begins_at=BEGINS_AT, longest_s=2 * 3600.0)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CostServers, GrafanaBefore]]:
    need_prometheus()
    with asked_about(HISTORIES, tmp_path_factory.mktemp("prometheus")) as found:
        yield found


@pytest.mark.parametrize("history", HISTORIES, ids=lambda h: f"{h.end_at - h.start_at:.0f}s")
def test_an_estimate_is_off_by_no_more_than_a_scrape_a_boundary(
    real: tuple[CostServers, GrafanaBefore], history: History
) -> None:
    found = estimated(real[0], history)
    assert found.run.total_usd == pytest.approx(history.usd, abs=history.allowed_usd)
    assert not found.at_least


def test_the_password_stands_in_no_query(real: tuple[CostServers, GrafanaBefore]) -> None:
    estimated(real[0], HISTORIES[0])
    assert not [query for query in real[1].queries if PASSWORD in query or "opérator" in query]


def test_a_week_every_15_s_comes_in_pieces_that_prometheus_answers(
    real: tuple[CostServers, GrafanaBefore],
) -> None:
    week = Grid(int(BEGINS_AT), int(BEGINS_AT) + 7 * 24 * 3600, 15)
    assert week.points > MOST_POINTS
    (found,) = real[0].prometheus().query_range("vector(1)", week)
    assert [at for at, _ in found.samples] == [week.start_at + 15 * n for n in range(week.points)]


def test_what_prometheus_refuses_is_told_in_its_words(
    real: tuple[CostServers, GrafanaBefore],
) -> None:
    with pytest.raises(CostRefused, match=r"400 .*“.*parse error") as caught:
        real[0].prometheus().query("kube_node_created{", BEGINS_AT)
    assert caught.value.status == 400
    assert isinstance(real[0].prometheus(), Prometheus)
