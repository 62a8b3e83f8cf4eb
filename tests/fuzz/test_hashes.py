"""Hashes with anything in their fields: the job's record, its results and its page can be made."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from kiosk_locust.client.exchange import Exchange
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.errors import BadAnswer
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.measurement.live_metrics import Metrics
from kiosk_locust.model.job_hash import FIELDS
from kiosk_locust.model.job_metrics import measure
from kiosk_locust.model.record import Attempt, AttemptResult, Outcome, Record, StatusChange
from kiosk_locust.reporting import html
from kiosk_locust.reporting.results_json import write_missing
from kiosk_locust.reporting.web import from_ledger, jobs_csv
from kiosk_locust.storage.transfers.naming import MOST_BYTES, result_name
from tests.fuzz.strange import fuzz, fuzz_files, json_values, refused_by, texts
from tests.helpers.clocks import ManualClock
from tests.helpers.records import close_in, record, tell_closed

URLS = st.one_of(
    texts,
    st.builds(
        lambda scheme, rest: f"{scheme}{rest}",
        st.sampled_from(("http://h/", "gs://bucket/", "file:///", "data:", "http://[", "")),
        texts,
    ),
)
fields = st.dictionaries(st.sampled_from(FIELDS), texts, max_size=6)


def storable(values: dict[str, str]) -> dict[str, str]:
    """As the client keeps what it read: without what no UTF-8 has."""
    return {name: text.encode("utf-8", "replace").decode() for name, text in values.items()}


def closed(values: dict[str, str], outcome: Outcome, job_id: str, file: str) -> Record:
    """A job whose hash has these fields, as its end finds them."""
    made = record(0, outcome, storable(values), file=file)
    made.job_id = storable({"": job_id})[""] or "x"
    made.submitted_at, made.observed_after, made.observed_at = 100.0, 104.0, 106.0
    made.closed_at = 106.0
    made.attempts.append(Attempt(1, 99.5, 100.0, 100.1, AttemptResult.ACCEPTED, 200))
    return made


def recorded(folder: Path, job: Record) -> Path:
    """A ledger of a run of this one job, as a run writes it."""
    ledger = Ledger.create(
        folder / "run.db",
        {
            "run_id": "0" * 32,
            "run_name": "run",
            "options": json.dumps({"num_cycles": 1, "workload": "open", "count": 1}),
            "started_at": "98.0",
            "time_zero": "99.0",
            "ended_at": "107.0",
            "finished": "true",
        },
    )
    try:
        ledger.begin_session(1, 98.0)
        ledger.begin_cycle(1, 99.0)
        ledger.lease(job)
        ledger.attempt(job, job.attempts[0])
        ledger.submit(job)
        ledger.change(job, StatusChange(job.status, 106.0, 104.0, None, job.status))
        close_in(ledger, job)
        ledger.end_cycle(1, 106.0)
        ledger.settle()
    finally:
        ledger.close()
    return folder / "run.db"


EXTREME = {
    "status": "done",
    "total_time": "1e308,1e308",
    "created_at": "0001-01-01T00:00:00Z",
    "finished_at": "9999-12-31T23:59:59Z",
}
OUTCOMES = st.sampled_from((Outcome.DONE, Outcome.PARTIAL, Outcome.FAILED, Outcome.VANISHED))


@fuzz_files
@given(fields, OUTCOMES, texts, st.sampled_from(("a.png", "a.zip", "../x.zip")))
@example(EXTREME, Outcome.DONE, "s-zip:a.zip:1", "a.zip")
def test_a_run_with_any_hash_has_its_records_results_and_page(
    values: dict[str, str], outcome: Outcome, job_id: str, file: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = recorded(Path(folder), closed(values, outcome, job_id, file))
        (path,) = write_missing(ledger, Path(folder))
        (found,) = json.loads(path.read_text("utf-8"))["job_data"]
        assert found["outcome"] == outcome
        data = html._within_data(from_ledger.read(ledger).as_json())
        assert json.loads(data)["run_name"] == "run"
        assert not {"<", ">", "&"} & set(data)
        out = io.StringIO()
        jobs_csv.write(ledger, out)
        for row in csv.reader(io.StringIO(out.getvalue())):
            assert not any(cell.lstrip(" ").startswith(("=", "+", "@")) for cell in row)


@fuzz
@given(fields, OUTCOMES, texts)
def test_any_hash_has_measures_that_are_numbers(
    values: dict[str, str], outcome: Outcome, job_id: str
) -> None:
    for file in ("a.png", "a.zip"):
        job = closed(values, outcome, job_id, file)
        found = measure(job)
        numbers = [
            found.duration_s,
            found.queue_wait_s,
            *(n for s in found.stages.values() for n in s),
        ]
        assert all(
            math.isfinite(number) and number >= 0 for number in numbers if number is not None
        )
        assert found.images_done >= 0
        assert found.images_failed >= 0


@fuzz
@given(fields, OUTCOMES, texts)
def test_any_hash_is_counted_and_shown_while_the_run_is_on(
    values: dict[str, str], outcome: Outcome, job_id: str
) -> None:
    job = closed(values, outcome, job_id, "a.zip")
    metrics = Metrics(ManualClock(), 1)
    metrics.on_submitted(record=job)
    tell_closed(metrics, job)
    assert metrics.view()


@fuzz
@given(URLS, texts, texts)
def test_any_names_make_a_file_name_below_its_folder(url: str, image: str, job_id: str) -> None:
    job = record(0, file="a.png")
    job.request = dataclasses.replace(job.request, image_name=image)
    job.job_id = job_id
    name = result_name(job, url)
    assert Path(name).name == name
    assert name not in ("", ".", "..")
    assert len(name.encode()) <= MOST_BYTES
    assert name.isprintable()


class Answering:
    """Stands in for a transport: whatever is asked, this is the answer."""

    base_url = "http://kiosk.example"

    def __init__(self, answer: object) -> None:
        self._body = json.dumps(answer).encode()

    def request(self, method: str, path: str, body: bytes = b"", **_: object) -> Exchange:
        headers = {"content-type": "application/json"}
        return Exchange(method, path, 200, headers, self._body, 1.0, 1.0, 1.0, 1.0)


READINGS = st.lists(st.one_of(st.none(), texts), min_size=len(FIELDS), max_size=len(FIELDS))


@fuzz
@given(st.one_of(json_values, st.builds(lambda v: {"value": v}, st.one_of(READINGS, json_values))))
def test_any_answer_to_a_poll_is_a_reading_or_a_bad_answer(answer: object) -> None:
    kiosk = Kiosk(Answering(answer))  # type: ignore[arg-type]  # as much of one as is used
    with refused_by(BadAnswer):
        read = kiosk.read("segmentation:a.png:1").snapshot.fields
        assert all(value.encode("utf-8") is not None for value in read.values())
    for call in (kiosk.health, kiosk.job_types, kiosk.models):
        with refused_by(BadAnswer):
            call()
    with refused_by(BadAnswer):
        assert kiosk.predict(record(0).request).job_id
