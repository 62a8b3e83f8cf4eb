from __future__ import annotations

import gc
import json
import math
import re
import tracemalloc
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kiosk_locust.cost.estimate import estimate
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.serialisation import Priced, RunCost
from kiosk_locust.cost.series import ClusterSeries, Series
from kiosk_locust.cost.types import Window, WorkDone
from kiosk_locust.errors import LedgerError
from kiosk_locust.reporting import results_json
from tests.helpers.ledgers import IMAGE_FIELDS, RUN_ID, T0, Row, make, never_leased

SCHEMA: dict[str, Any] = json.loads(
    resources.files("kiosk_locust.reporting").joinpath("results.schema.json").read_text("utf-8")
)
LEGACY_JOB = {
    *("input_file", "status", "total_time", "total_jobs", "download_url", "created_at"),
    *("finished_at", "prediction_time", "postprocess_time", "upload_time", "download_time"),
    *("predict_retries", "cleanup_time", "children_upload_time", "model", "postprocess"),
    *("preprocess", "reason", "job_id"),
}
ZIP_FIELDS = {
    "status": "done",
    "created_at": "2027-01-15T08:00:00.000Z",
    "finished_at": "2027-01-15T08:01:00.000000+00:00",
    "total_time": "3.5,4.5",
    "download_time": "0.25",
    "upload_time": "0.5,oops,0.75",
    "children_upload_time": "2.5",
    "cleanup_time": "0.5",
    "failures": "k%3A1=ValueError",
}
ZIP = Row(
    number=1,
    file="images.zip",
    job_id="segmentation-zip:images.zip:2",
    outcome="partial",
    duration_s=60.0,
    queue_wait_s=None,
    images_done=2,
    images_failed=1,
    fields=ZIP_FIELDS,
)
FULL = Row(
    attempts=(
        (1, T0, T0 + 1, None, "maybe", None, "connection reset", None),
        (2, T0 + 2, T0 + 2.25, T0 + 2.75, "accepted", 200, None, "segmentation:a.png:1"),
    ),
    changes=(
        (T0 + 3, T0 + 2, "started", T0 + 2.5, "pod-1"),
        (T0 + 6, T0 + 5, "done", None, None),
    ),
    ambiguous=1,
)
FAILED = Row(number=2, outcome="failed", status="failed", reason='Traceback,\n "x"\nValueError: é')


def written(tmp_path: Path, *rows: Row, cycle: int | None = 1, **given: Any) -> dict[str, Any]:
    paths = results_json.write_all(make(tmp_path / "run.db", rows, **given), tmp_path / "out").paths
    files: list[dict[str, Any]] = [json.loads(path.read_text("utf-8")) for path in paths]
    (of_cycle,) = [file for file in files if file["cycle"] == cycle]
    return of_cycle


def name(tmp_path: Path, *rows: Row, **given: Any) -> str:
    (path,) = results_json.write_all(make(tmp_path / "run.db", rows, **given), tmp_path).paths
    return path.name


def validate(found: dict[str, Any]) -> None:
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_the_schema_is_a_valid_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_what_is_written_obeys_the_schema(tmp_path: Path) -> None:
    validate(written(tmp_path, FULL, ZIP, FAILED, never_leased(3)))


def test_a_file_without_a_single_job_obeys_the_schema(tmp_path: Path) -> None:
    found = written(tmp_path, cycles=())
    validate(found)
    assert (found["num_jobs"], found["job_data"], found["time_elapsed"]) == (0, [], None)


def test_the_schema_refuses_the_word_none_for_a_timing(tmp_path: Path) -> None:
    found = written(tmp_path, FULL)
    found["job_data"][0]["prediction_time"] = "None"
    with pytest.raises(jsonschema.ValidationError):
        validate(found)


def test_every_key_of_the_schema_is_described_in_the_docs() -> None:
    pages = (Path(__file__).parents[2] / "docs" / "reference").glob("results*.md")
    docs = "".join(path.read_text("utf-8") for path in pages if "schema" not in path.name)
    keys = {
        key for part in (SCHEMA, *SCHEMA["$defs"].values()) for key in part.get("properties", ())
    }
    keys |= set(SCHEMA["$defs"]["summary"]["properties"]["percentiles_s"]["properties"])
    assert {key for key in keys if f"`{key}`" not in docs} == set()


def test_the_older_clients_keys_are_all_there(tmp_path: Path) -> None:
    found = written(tmp_path, FULL, ZIP, never_leased(2))
    head = {"cpu_node_cost", "gpu_node_cost", "total_node_and_networking_costs", "start_delay"}
    assert head | {"num_jobs", "time_elapsed", "job_data"} <= set(found)
    assert all(set(job) >= LEGACY_JOB for job in found["job_data"])


def test_an_image_jobs_timings_are_numbers_or_null(tmp_path: Path) -> None:
    job = written(tmp_path, Row())["job_data"][0]
    assert (job["total_time"], job["download_time"], job["total_jobs"]) == (3.5, 0.25, 1.0)
    assert (job["prediction_time"], job["cleanup_time"]) == (None, None)


def test_a_zips_timings_are_lists_even_of_one_number_or_none(tmp_path: Path) -> None:
    job = written(tmp_path, ZIP)["job_data"][0]
    assert (job["total_time"], job["download_time"]) == ([3.5, 4.5], [0.25])
    assert (job["upload_time"], job["prediction_time"]) == ([0.5, 0.75], [])
    assert (job["children_upload_time"], job["cleanup_time"]) == (2.5, 0.5)


def test_a_zip_that_never_ran_has_empty_lists(tmp_path: Path) -> None:
    job = written(tmp_path, never_leased(0, file="images.zip"))["job_data"][0]
    assert job["total_time"] == []


def test_the_model_is_name_and_version_as_requested(tmp_path: Path) -> None:
    options = {"model_name": "Mesmer", "model_version": "9"}
    jobs = written(tmp_path, Row(), never_leased(1), options=options)["job_data"]
    assert [job["model"] for job in jobs] == ["NuclearSegmentation:3", "Mesmer:9"]


def test_the_kiosks_own_times_are_left_as_it_wrote_them(tmp_path: Path) -> None:
    job = written(tmp_path, Row())["job_data"][0]
    assert job["created_at"] == IMAGE_FIELDS["created_at"]
    assert job["finished_at"] == IMAGE_FIELDS["finished_at"]


def test_a_reason_keeps_its_commas_quotes_and_lines(tmp_path: Path) -> None:
    assert written(tmp_path, FAILED)["job_data"][0]["reason"] == FAILED.reason


def test_attempts_tell_the_wait_for_a_socket_and_the_time_of_the_request(tmp_path: Path) -> None:
    lost, accepted = written(tmp_path, FULL)["job_data"][0]["attempts"]
    assert (lost["result"], lost["error"], lost["http_s"]) == ("maybe", "connection reset", None)
    assert (accepted["socket_wait_s"], accepted["http_s"]) == (0.25, 0.5)


def test_status_changes_are_in_order_with_the_servers_time(tmp_path: Path) -> None:
    changes = written(tmp_path, FULL)["job_data"][0]["status_changes"]
    assert [change["status"] for change in changes] == ["started", "done"]
    assert [change["updated_at"] for change in changes] == [T0 + 2.5, None]


def test_attempts_and_changes_stand_with_their_own_job(tmp_path: Path) -> None:
    rows = [
        Row(
            number=i,
            cycle=1 + i % 2,
            attempts=tuple((k + 1, T0 + i, None, None, "maybe", None, "", None) for k in range(i)),
            changes=tuple((T0 + k, T0, f"s{i}", None, None) for k in range(i)),
        )
        for i in range(5)
    ]
    for job in written(tmp_path, *rows, cycle=2, options={"num_cycles": 2})["job_data"]:
        assert [a["asked_at"] for a in job["attempts"]] == [T0 + job["ticket"]] * job["ticket"]
        expected = [f"s{job['ticket']}"] * job["ticket"]
        assert [change["status"] for change in job["status_changes"]] == expected


def test_jobs_are_in_the_order_of_their_tickets(tmp_path: Path) -> None:
    found = written(tmp_path, *(Row(number=i, closed_at=T0 - i) for i in range(5)))
    assert [job["ticket"] for job in found["job_data"]] == [0, 1, 2, 3, 4]


def test_the_configuration_has_no_secrets(tmp_path: Path) -> None:
    options = {"grafana_password": "hush", "GRAFANA_TOKEN": "hush", "scale": "1"}
    found = written(tmp_path, Row(), options=options)
    assert "hush" not in json.dumps(found)
    assert found["configuration"]["scale"] == "1"


def test_the_time_elapsed_goes_from_the_cycles_start_to_the_last_closing(tmp_path: Path) -> None:
    cycles = [(1, T0, T0 + 9), (2, T0 + 10, None)]
    rows = [Row(cycle=1, closed_at=T0 + 9), Row(cycle=2, closed_at=T0 + 25)]
    found = written(tmp_path, *rows, cycle=2, cycles=cycles, options={"num_cycles": 2})
    assert found["time_elapsed"] == 15.0


def test_a_run_on_one_kind_of_gpu_count_is_named_as_notebooks_match_it(tmp_path: Path) -> None:
    rows = [Row(), Row()]
    found = name(tmp_path, *rows, options={"num_gpus": 4, "start_delay_s": 5.0})
    assert found == f"4gpu_2jobs_5.0delay_{RUN_ID}.json"


def test_without_gpus_the_name_begins_with_the_jobs(tmp_path: Path) -> None:
    assert name(tmp_path, Row()) == f"1jobs_0.05delay_{RUN_ID}.json"


@pytest.mark.parametrize(
    ("delay_s", "told"), [(1 / 6, "0.166667"), (0.12345, "0.12345"), (0, "0.0"), (3600, "3600.0")]
)
def test_a_delay_is_named_as_people_write_it(tmp_path: Path, delay_s: float, told: str) -> None:
    ledger = make(tmp_path / "r.db", [Row()], options={"start_delay_s": delay_s})
    (path,) = results_json.write_all(ledger, tmp_path).paths
    assert path.name == f"1jobs_{told}delay_{RUN_ID}.json"
    assert json.loads(path.read_text())["start_delay"] == delay_s


def test_other_arrivals_are_named_by_the_mean_gap_of_their_due_times(tmp_path: Path) -> None:
    rows = [Row(due_at=T0 + offset) for offset in (0.0, 1.0, 1.5)]
    found = name(tmp_path, *rows, options={"arrival": "trace", "start_delay_s": 0.05})
    assert found == f"3jobs_0.75delay_{RUN_ID}.json"


def test_a_simulated_run_says_so_in_its_files_name_and_in_the_file(tmp_path: Path) -> None:
    ledger = make(tmp_path / "r.db", [Row()], simulated="true")
    (path,) = results_json.write_all(ledger, tmp_path).paths
    assert path.name == f"simulated_1jobs_0.05delay_{RUN_ID}.json"
    assert json.loads(path.read_text())["simulated"] is True


def test_several_cycles_have_a_file_each_and_one_over_all(tmp_path: Path) -> None:
    rows = [Row(cycle=1), Row(cycle=2), Row(cycle=2, number=1)]
    ledger = make(tmp_path / "run.db", rows, options={"num_cycles": 2}, simulated="true")
    paths = results_json.write_all(ledger, tmp_path / "out").paths
    assert [path.name for path in paths] == [
        f"simulated_1jobs_0.05delay_{RUN_ID}_cycle1.json",
        f"simulated_2jobs_0.05delay_{RUN_ID}_cycle2.json",
        "simulated_a-run.json",
    ]
    assert [len(json.loads(path.read_text())["job_data"]) for path in paths] == [1, 2, 3]
    assert json.loads(paths[2].read_text())["cycle"] is None


def test_one_cycle_has_one_file(tmp_path: Path) -> None:
    ledger = make(tmp_path / "run.db", [Row()])
    assert len(results_json.write_all(ledger, tmp_path / "out").paths) == 1
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_run_stopped_in_its_first_cycle_still_names_it(tmp_path: Path) -> None:
    ledger = make(tmp_path / "run.db", [Row()], options={"num_cycles": 3})
    names = [path.name for path in results_json.write_all(ledger, tmp_path / "out").paths]
    assert names == [f"1jobs_0.05delay_{RUN_ID}_cycle1.json", "a-run.json"]


def test_a_file_that_cannot_be_written_whole_leaves_the_one_before(tmp_path: Path) -> None:
    ledger = make(tmp_path / "run.db", [Row()])
    (path,) = results_json.write_all(ledger, tmp_path / "out").paths
    before = path.read_text()
    make(tmp_path / "bad.db", [Row(due_at=math.inf)])  # JSON has no infinity
    with pytest.raises(ValueError, match="not JSON compliant"):
        results_json.write_all(tmp_path / "bad.db", tmp_path / "out")
    assert [each.name for each in (tmp_path / "out").iterdir()] == [path.name]
    assert path.read_text() == before


def test_a_ledger_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"none\.db cannot be read"):
        results_json.write_all(tmp_path / "none.db", tmp_path)


@pytest.mark.proof
def test_a_job_more_takes_less_than_200_bytes_of_memory(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        ledger = make(tmp_path / f"{count}.db", (Row(number=i) for i in range(count)))
        gc.collect()
        tracemalloc.start()
        results_json.write_all(ledger, tmp_path)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(10)  # what the first call alone needs is not counted
    assert peak(12_000) - peak(1_200) < 200 * 10_800


def test_a_notebook_of_the_kiosk_paper_reads_it(tmp_path: Path) -> None:
    rows = [
        Row(file="zip100.zip", job_id="segmentation-zip:z:1", fields=ZIP_FIELDS, number=i)
        for i in range(3)
    ]
    ledger = make(tmp_path / "run.db", rows, options={"num_gpus": 8, "start_delay_s": 0.5})
    (path,) = results_json.write_all(ledger, tmp_path).paths
    text = path.read_text()
    priced = json.loads(
        text.replace('_cost": ""', '_cost": "1.25"').replace('costs": ""', 'costs": "9.5"')
    )
    gpus = re.match(r"^([0-9]+)gpu", path.name)
    assert gpus is not None
    assert int(gpus.group(1)) == 8
    assert float(priced["cpu_node_cost"]) + float(priced["gpu_node_cost"]) == 2.5
    assert float(priced["total_node_and_networking_costs"]) == 9.5
    uploads = [time for job in priced["job_data"] for time in job["upload_time"]]
    assert sum(uploads) == pytest.approx(3.75)
    assert len(priced["job_data"]) * 100 == priced["num_jobs"] * 100 == 300


def costed(*cycles: int, scraped: bool = True) -> str:
    """A cost as the ledger has it: of one node, with a label or without."""
    moments = [(T0 + 15.0 * n, 1.0) for n in range(9)]
    labels = {"label_node_kubernetes_io_instance_type": "n1-standard-4"}
    labels["label_topology_kubernetes_io_region"] = "us-west1"
    series = ClusterSeries(
        T0,
        T0 + 120,
        15.0,
        kube_node_created=(Series({"node": "n"}, tuple((at, T0 - 60) for at, _ in moments)),),
        kube_node_labels=(Series({"node": "n"} | (labels if scraped else {}), tuple(moments)),),
    )

    def of(end_at: float) -> Priced:
        window = Window(T0, end_at)
        return Priced.of(estimate(series, window, WorkDone(1, 1), PriceBook.of(), network=False))

    by_cycle = {cycle: of(T0 + 36.0 * cycle) for cycle in cycles}
    return RunCost("GRAFANA_HOST (http://g)", run=of(T0 + 108), cycles=by_cycle).as_text()


def test_a_cost_stands_in_the_results_and_obeys_the_schema(tmp_path: Path) -> None:
    found = written(tmp_path, Row(), cost=costed())
    validate(found)
    assert float(found["cpu_node_cost"]) == pytest.approx(0.189999 * 108 / 3600)
    assert found["costs_are_at_least"] is False
    assert found["cost"]["estimate"]["run"]["cpu_nodes_usd"] == float(found["cpu_node_cost"])


def test_a_cycle_of_several_has_its_own_cost_and_the_file_over_all_the_runs(
    tmp_path: Path,
) -> None:
    cycles = ((1, T0, T0 + 36), (2, T0 + 36, T0 + 108))
    rows = (Row(cycle=1), Row(cycle=2))
    path, options = tmp_path / "run.db", {"num_cycles": 2}
    ledger = make(path, rows, options=options, cycles=cycles, cost=costed(1, 2))
    files = results_json.write_all(ledger, tmp_path).paths
    found = [json.loads(file.read_text()) for file in files]
    costs = [float(each["cpu_node_cost"]) * 3600 / 0.189999 for each in found]
    assert costs == [pytest.approx(36), pytest.approx(72), pytest.approx(108)]
    for each in found:
        validate(each)


def test_a_cost_that_lacks_nodes_says_so_beside_the_older_clients_keys(tmp_path: Path) -> None:
    found = written(tmp_path, Row(), cost=costed(scraped=False))
    validate(found)
    assert (found["total_node_and_networking_costs"], found["costs_are_at_least"]) == ("", True)
    assert found["cost"]["estimate"]["reasons"]


def test_a_cost_that_is_not_known_says_why(tmp_path: Path) -> None:
    found = written(tmp_path, Row(), cost=RunCost("PROMETHEUS_URL (http://p)", "away").as_text())
    validate(found)
    assert (found["cpu_node_cost"], found["costs_are_at_least"]) == ("", None)
    assert found["cost"] == {
        "asked": "PROMETHEUS_URL (http://p)",
        "trouble": "away",
        "estimate": None,
    }


def test_where_nobody_was_asked_the_cost_is_null(tmp_path: Path) -> None:
    found = written(tmp_path, Row())
    assert (found["cost"], found["gpu_node_cost"]) == (None, "")
