"""What a run cost."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kiosk_locust.cost.estimate import estimate, is_idle
from kiosk_locust.cost.node_types import read_node_types
from kiosk_locust.cost.price_file import read_prices
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.types import CostEstimate, CostFigure, Window, WorkDone
from tests.cost.clusters import STEP_S, ZERO, Cluster, every, labels

BOOK = PriceBook.of(
    read_prices(
        """# date: 2019-06-17
machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour
n1-highmem-2,*,0.1184,0.025
n1-standard-1,*,3.6,1.8
accelerator,region,on_demand_usd_per_hour,spot_usd_per_hour
nvidia-tesla-v100,*,2.48,0.74
nvidia-tesla-t4,*,34.2,34.2""".splitlines(),
        source="2019.csv",
    )
)
#: At these prices a CPU node costs a thousandth of a dollar a second, a GPU node ten.
CPU = labels("n1-standard-1")
GPU = labels("n1-standard-1", spot=True, accelerator="nvidia-tesla-t4")
RUN = Window(ZERO, ZERO + 300)
WORK = WorkDone(jobs=10, images=1000)


def cost(
    cluster: Cluster, run: Window = RUN, work: WorkDone = WORK, **more: object
) -> CostEstimate:
    given = {"network": False, **more}
    return estimate(cluster.series(), run, work, BOOK, **given)  # type: ignore[arg-type]  # of tests


def kiosk(end_s: float = 600.0) -> Cluster:
    """A node that stays, and GPU nodes: one from before, one of the run to 450 s."""
    cluster = Cluster(end_s)
    cluster.node("default", labels=CPU)
    cluster.node("gpu-before", gpus=1, labels=GPU)
    cluster.node("gpu-of-run", born_s=100, seen=(105, min(450, end_s)), gpus=1, labels=GPU)
    return cluster


def some(figure: CostFigure | None) -> CostFigure:
    assert figure is not None
    return figure


# --- the older client's example ---------------------------------------------------------------


def test_the_older_clients_example_comes_out_the_same() -> None:
    cluster = Cluster(end_s=10)
    gpu = labels("n1-highmem-2", spot=True, accelerator="nvidia-tesla-v100", region="")
    for name, what in (("gpu", gpu), ("cpu", labels("n1-highmem-2", region=""))):
        cluster.node(name, seen=(0, 0), labels=what)
    found = cost(cluster, Window(ZERO, ZERO + 10)).legacy_fields()
    assert float(found["gpu_node_cost"]) == pytest.approx(0.002125, rel=1e-9)
    assert float(found["cpu_node_cost"]) == pytest.approx(0.000328889, rel=1e-6)
    assert float(found["total_node_and_networking_costs"]) == pytest.approx(0.002453889, rel=1e-6)
    assert found["costs_are_at_least"] is False


# --- three figures ----------------------------------------------------------------------------


def test_the_runs_figure_counts_all_nodes_in_its_window() -> None:
    found = cost(kiosk()).run
    assert found.cpu_nodes_usd == pytest.approx(0.3)
    assert found.gpu_nodes_usd == pytest.approx(3.0 + 2.0)
    assert found.total_usd == pytest.approx(5.3)
    assert (found.name, found.window, found.at_least) == ("run", RUN, False)
    assert found.usd_per_job == pytest.approx(0.53)
    assert found.usd_per_image == pytest.approx(0.0053)
    assert found.usd_per_million_images == pytest.approx(5300)


def test_fully_loaded_counts_to_the_scale_down() -> None:
    found = some(cost(kiosk()).fully_loaded)
    gone_s = 450 + STEP_S / 2
    assert found.window == Window(ZERO, ZERO + gone_s)
    assert found.total_usd == pytest.approx(gone_s * 0.011 + (gone_s - 100) * 0.01)
    assert not found.at_least


def test_marginal_leaves_out_who_was_there_and_stayed() -> None:
    found = some(cost(kiosk()).marginal)
    assert found.total_usd == pytest.approx((450 + STEP_S / 2 - 100) * 0.01)
    assert found.window == some(cost(kiosk()).fully_loaded).window


def test_marginal_counts_who_was_there_and_went() -> None:
    cluster = kiosk()
    cluster.node("gone", seen=(0, 150), labels=CPU)
    before = some(cost(kiosk()).marginal).total_usd or 0
    assert some(cost(cluster).marginal).total_usd == pytest.approx(before + 0.1575)


def test_without_a_tail_there_is_no_fully_loaded_figure_while_nodes_stand() -> None:
    found = cost(kiosk(end_s=300))
    assert found.fully_loaded is None
    assert some(found.marginal).window == RUN
    assert not found.run.at_least
    assert not some(found.marginal).at_least
    assert any("1 node that came with the run stood when the run ended" in n for n in found.notes)


def test_a_tail_that_is_too_short_makes_an_at_least() -> None:
    found = cost(kiosk(end_s=400))
    assert some(found.fully_loaded).window.end_at == ZERO + 400
    assert some(found.fully_loaded).at_least
    assert some(found.marginal).at_least
    assert not found.run.at_least
    assert any("--cost-tail until-idle" in reason for reason in found.reasons)


def test_a_run_that_brought_no_nodes_is_fully_loaded_by_itself() -> None:
    cluster = Cluster()
    cluster.node("default", labels=CPU)
    found = cost(cluster)
    assert some(found.fully_loaded) == replace(
        found.run, name="fully loaded", meaning=some(found.fully_loaded).meaning
    )
    assert some(found.marginal).total_usd == 0


@pytest.mark.parametrize(("end_s", "idle"), [(300, False), (450, False), (465, True), (600, True)])
def test_the_cluster_is_idle_once_the_runs_gpu_nodes_are_gone(end_s: float, *, idle: bool) -> None:
    assert is_idle(kiosk(end_s).series(), RUN) == idle


def test_a_cluster_that_nobody_sees_any_more_is_not_idle() -> None:
    cluster = kiosk(end_s=400)
    assert not is_idle(replace(cluster.series(), end_at=ZERO + 4000), RUN)


def test_where_no_node_has_gpus_all_that_came_are_waited_for() -> None:
    cluster = Cluster()
    cluster.node("default")
    cluster.node("of-run", born_s=100, seen=(105, 450))
    assert is_idle(cluster.series(), RUN)
    assert not is_idle(replace(cluster.series(), end_at=ZERO + 440), RUN)


# --- what is missing --------------------------------------------------------------------------


def test_a_node_without_a_price_is_listed_and_the_sum_says_at_least() -> None:
    cluster = kiosk()
    cluster.node("new", labels=labels("x9-huge"))
    found = cost(cluster)
    (new,) = [node for node in found.nodes if node.name == "new"]
    assert (new.usd, new.machine_type) == (None, "x9-huge")
    assert new.hours == pytest.approx(300 / 3600)
    assert found.run.total_usd == pytest.approx(5.3)
    assert found.at_least
    assert found.legacy_fields()["costs_are_at_least"] is True
    (reason,) = found.reasons
    assert reason.startswith("1 node (0.127 h; new) without a price: no price is known of x9-huge")
    assert "machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour" in reason


def test_without_labels_the_setting_is_told_that_mends_it() -> None:
    cluster = Cluster()
    cluster.node("gke-c-prediction-gpu-0-a", gpus=1)
    cluster.node("gke-c-default-0-b")
    found = cost(cluster)
    assert found.legacy_fields() == {
        "cpu_node_cost": "",
        "gpu_node_cost": "",
        "total_node_and_networking_costs": "",
        "costs_are_at_least": True,
    }
    assert found.reasons[0].startswith("2 nodes (0.167 h;")
    told = found.reasons[1]
    assert "--metric-labels-allowlist=nodes=[node.kubernetes.io/instance-type," in told
    assert "cloud.google.com/gke-accelerator]" in told
    assert 'kube-state-metrics: {metricLabelsAllowlist: ["nodes=[' in told
    assert "--node-type 'prediction-gpu=" in told


def test_half_the_nodes_without_labels_make_an_at_least() -> None:
    cluster = kiosk()
    cluster.node("bare")
    found = cost(cluster)
    assert found.legacy_fields()["total_node_and_networking_costs"] == str(found.run.total_usd)
    assert found.run.total_usd == pytest.approx(5.3)
    assert found.at_least


def test_the_user_names_the_pools_meanwhile() -> None:
    cluster = Cluster()
    cluster.node("gke-c-prediction-gpu-0-a", gpus=1, provider_id="gce://p/us-west1-b/x")
    told = read_node_types("prediction-gpu=n1-highmem-2+nvidia-tesla-v100:spot,other=e2-small")
    found = cost(cluster, node_types=told)
    assert found.run.total_usd == pytest.approx(0.765 * 300 / 3600)
    assert not found.at_least
    assert found.notes == ("--node-type other=e2-small matches no node",)


def test_no_series_are_no_costs() -> None:
    found = cost(Cluster(), network=True)
    assert set(found.legacy_fields().values()) == {"", True}
    assert (found.run.total_usd, found.nodes, found.run.usd_per_job) == (None, (), None)
    assert any("is kube-state-metrics running, and scraped?" in reason for reason in found.reasons)


def test_a_time_without_samples_is_told() -> None:
    cluster = Cluster(end_s=2000)
    cluster.node("a", seen=(0, 600), labels=CPU)
    found = cost(cluster, Window(ZERO, ZERO + 2000))
    assert found.run.total_usd == pytest.approx(0.6075)
    assert found.at_least
    assert any("no samples of nodes for 1400 s" in reason for reason in found.reasons)


def test_an_accelerator_that_nobody_counted_is_noted() -> None:
    cluster = Cluster()
    cluster.node("a", labels=GPU)
    assert any(
        "1 node (a) with an accelerator that nobody counted" in n for n in cost(cluster).notes
    )


# --- the rest ---------------------------------------------------------------------------------


def test_the_network_is_added_once_to_each_figure() -> None:
    found = cost(kiosk(), work=WorkDone(jobs=1, images=10_000), network=True)
    assert found.network is not None
    assert found.network.operations_usd == pytest.approx(0.054)
    assert found.run.total_usd == pytest.approx(5.3 + found.network.usd)
    assert found.run.network_usd == found.network.usd
    assert some(found.marginal).network_usd == pytest.approx(found.network.usd, rel=0.01)
    assert any("between regions" in line for line in found.left_out)


def test_without_the_network_it_is_listed_as_left_out() -> None:
    found = cost(kiosk())
    assert (found.network, found.run.network_usd) == (None, None)
    assert "the bucket's storage and requests (--no-network-cost)" in found.left_out


def test_prices_are_shown_with_source_and_date() -> None:
    found = cost(kiosk())
    assert found.sources == ("2019.csv (2019-06-17)",)
    assert {(n.price_source, n.price_date) for n in found.nodes} == {("2019.csv", "2019-06-17")}


def test_nodes_are_told_with_what_they_cost_in_both_windows() -> None:
    (node,) = [node for node in cost(kiosk()).nodes if node.name == "gpu-of-run"]
    assert node.hours == pytest.approx(200 / 3600)
    assert node.usd == pytest.approx(2.0)
    assert node.full_hours == pytest.approx((350 + STEP_S / 2) / 3600)
    assert node.full_usd == pytest.approx(3.5 + STEP_S / 200)
    assert (node.created_at, node.ended_at) == (ZERO + 100, ZERO + 450 + STEP_S / 2)
    assert (node.was_there, node.stayed, node.is_gpu, node.spot) == (False, False, True, True)


def test_nodes_that_lived_before_the_run_only_are_left_out() -> None:
    cluster = kiosk()
    cluster.node("earlier", seen=(0, 45), labels=CPU)
    found = cost(cluster, Window(ZERO + 100, ZERO + 300))
    assert "earlier" not in {node.name for node in found.nodes}


def test_jobs_and_images_that_are_none_have_no_price_each() -> None:
    found = cost(kiosk(), work=WorkDone()).run
    assert (found.usd_per_job, found.usd_per_image, found.usd_per_million_images) == (None,) * 3


def test_an_estimate_is_plain_json() -> None:
    cluster = kiosk()
    cluster.add("gpu_utilization", every(0, 300, 50.0), node="gpu-before")
    found = cost(cluster, network=True).as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["at_least"] is False
    assert found["run"]["total_usd"] == cost(cluster, network=True).run.total_usd
    assert len(found["nodes"]) == 3
