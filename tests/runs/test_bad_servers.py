"""Kiosks, and what stands before them, that misbehave: each run ends with a true record of it."""

from __future__ import annotations

import contextlib
import re
import signal
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from gevent.pool import Pool

from tests.helpers.real import Finished, Locust, Simulator, run_locust, simulator, wait_until
from tests.helpers.servers import (
    Behaviour,
    Connection,
    RawServer,
    Received,
    answering,
    hanging,
    html_answer,
    json_answer,
    make_certificate,
    raw_answer,
    refusing_url,
)

pytestmark = pytest.mark.resilience  # scripts/resilience runs it

JOBS = 20
AT_ONCE = 6  # processes that the runs of a table are spread over

# -- hosts that no run can start from


@dataclass(frozen=True)
class Refusal:
    """A host that a run cannot start from, and what the user is to be told."""

    message: str
    behaviour: Behaviour | None = None  # None: connections are refused
    settings: dict[str, str] = field(default_factory=dict)


REFUSALS = {
    "refuses": Refusal("cannot be reached.*connection refused; is the Kiosk running.*API_HOST"),
    "hangs": Refusal(
        r"does not answer.*within 0\.5 s \(REQUEST_TIMEOUT\); look at the Kiosk's frontend",
        hanging,
        {"REQUEST_TIMEOUT": "0.5"},
    ),
    "answers HTML": Refusal(
        "API_HOST does not seem to be a Kiosk.*is API_HOST the address of a Kiosk",
        answering(html_answer()),
    ),
    "answers 404": Refusal(
        "API_HOST does not serve the Kiosk's API there.*404.*is API_HOST right",
        answering(json_answer({}, 404)),
    ),
    "answers 500": Refusal("the Kiosk has a fault.*500", answering(json_answer({}, 500))),
    "is too busy": Refusal(
        "too busy to start a run.*429",
        answering(raw_answer(429, b"slow down", "text/plain", Retry_After="60")),
    ),
    "redirects to a login": Refusal(
        "redirects to.*set API_HOST to it",
        answering(raw_answer(302, Location="https://login.example.org/")),
    ),
}


@pytest.fixture(scope="module")
def refused(
    tmp_path_factory: pytest.TempPathFactory,
    played: Play,  # asked for so that those runs go on while these wait
) -> Iterator[dict[str, Finished]]:
    """A run against each of REFUSALS, all at the same time: they mostly wait."""

    def run(refusal: Refusal) -> Finished:
        folder = tmp_path_factory.mktemp("refused")
        with contextlib.ExitStack() as stack:
            if refusal.behaviour is None:
                url = stack.enter_context(refusing_url())
            else:
                url = stack.enter_context(RawServer(refusal.behaviour)).url
            return run_locust(folder, "-u", "3", host=url, **refusal.settings)

    pool = Pool(len(REFUSALS))
    yield dict(zip(REFUSALS, pool.map(run, REFUSALS.values()), strict=True))
    pool.kill()


@pytest.mark.parametrize("name", REFUSALS)
def test_a_host_that_is_no_kiosk_is_told_with_its_cure_and_leaves_nothing_behind(
    refused: dict[str, Finished], name: str
) -> None:
    finished = refused[name]
    assert finished.code == 2
    assert re.search(rf"the run cannot start: .*{REFUSALS[name].message}", finished.output)
    assert finished.output.splitlines()[-1].startswith("exit code 2: the run cannot start: ")
    assert "Traceback" not in finished.output
    assert list(finished.folder.glob("results/*")) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"JOB_TYPE": "spots"}, "JOB_TYPE 'spots': .* it knows 'segmentation', 'mesmer'"),
        ({"MODEL": "Nuclear:7"}, "MODEL 'Nuclear:7': .* no such version of it; it has '1', '2'"),
        ({"MODEL": "Cyto:1"}, "MODEL 'Cyto': .* no such model; it has 'Nuclear'"),
    ],
)
def test_what_the_kiosk_does_not_know_is_told_before_the_first_job(
    knowing: Simulator, tmp_path: Path, settings: dict[str, str], message: str
) -> None:
    finished = run_locust(tmp_path, "-u", "3", host=knowing.url, **settings)
    assert finished.code == 2
    assert re.search(message, finished.output), finished.output
    assert knowing.submissions == []
    assert list(tmp_path.glob("results/*")) == []


@pytest.fixture(scope="module")
def knowing() -> Iterator[Simulator]:
    with simulator("--models=Nuclear:1,Nuclear:2") as kiosk:
        yield kiosk


# -- what goes wrong in mid-run


@dataclass(frozen=True)
class Scenario:
    """A run against a simulated Kiosk with faults."""

    faults: tuple[str, ...] = ()
    simulator: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Played:
    """What came of it, told by both sides."""

    finished: Finished
    predicts: list[dict[str, Any]]
    requests: dict[str, int]

    @property
    def code(self) -> int:
        return self.finished.code

    @property
    def outcomes(self) -> dict[str, int]:
        return dict(self.finished.outcomes)

    @property
    def hashes(self) -> set[str]:
        """All jobs that the server made, whether its answer arrived or not."""
        return {predict["hash"] for predict in self.predicts if predict["hash"]}

    @property
    def ambiguous(self) -> list[dict[str, Any]]:
        return [job for job in self.finished.jobs if job["ambiguous"]]

    def attempts(self, job: dict[str, Any]) -> list[str]:
        return [attempt["result"] for attempt in job["attempts"]]


SCENARIOS = {
    "502 to polls": Scenario(("POST /api/redis html status=502 count=30",)),
    "500, but done": Scenario(("POST /api/predict status=500 when=after count=1",)),
    "500, not done": Scenario(("POST /api/predict status=500 count=1",)),
    "dropped after": Scenario(("POST /api/predict drop when=after count=1",)),
    "dropped before": Scenario(("POST /api/predict drop count=1",)),
    "not sent again": Scenario(
        ("POST /api/predict drop when=after count=1",), settings={"ON_AMBIGUOUS": "close"}
    ),
    "hanging": Scenario(
        ("POST /api/predict hang count=1", "POST /api/redis hang count=5"),
        settings={"REQUEST_TIMEOUT": "0.5"},
    ),
    "429": Scenario(("POST /api/predict status=429 retry-after=1 count=3",)),
    "400": Scenario(("POST /api/predict status=400 count=2",)),
    "slow": Scenario(("POST /api/* latency=0.3",)),
    "polls refused": Scenario(("POST /api/redis status=502",), settings={"RETRY_BUDGET": "0.5"}),
    "expire refused": Scenario(("POST /api/redis/expire status=500",)),
    "never final": Scenario(simulator=("--predict-s=600",), settings={"JOB_TIMEOUT": "0.7"}),
    "no finished_at": Scenario(
        simulator=("--failure-rate=1", "--finished-at-missing-rate=1"),
    ),
    "ZIPs of failures": Scenario(
        simulator=("--failure-rate=1", "--zip-image-s=0.01", "--zip-cleanup-s=0.01"),
        settings={"FILE": "images.zip"},
    ),
}


Play = Callable[[str], Played]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Runs all of SCENARIOS, some at the same time; gives what came of one."""

    def play(scenario: Scenario) -> Played:
        folder = tmp_path_factory.mktemp("bad")
        with simulator(*scenario.simulator) as kiosk:
            kiosk.set_faults(*scenario.faults)
            arguments = ("-u", str(JOBS), "-r", "50")
            finished = run_locust(folder, *arguments, host=kiosk.url, **scenario.settings)
            log = kiosk.log()
        return Played(finished, log["predicts"], log["requests"])

    pool = Pool(AT_ONCE)
    playing = {name: pool.spawn(play, scenario) for name, scenario in SCENARIOS.items()}
    yield lambda name: cast("Played", playing[name].get())
    pool.kill()


def test_polls_answered_with_502_are_asked_again_and_no_job_is_lost(played: Play) -> None:
    run = played("502 to polls")
    assert (run.code, run.outcomes) == (0, {"done": JOBS}), run.finished.output
    assert {job["job_id"] for job in run.finished.jobs} == run.hashes
    assert len(run.predicts) == JOBS
    assert run.requests["POST /api/redis"] == sum(job["polls"] for job in run.finished.jobs)


@pytest.mark.parametrize("name", ["500, but done", "dropped after"])
def test_a_submission_whose_answer_is_lost_makes_one_job_more_and_the_record_says_so(
    played: Play, name: str
) -> None:
    run = played(name)
    assert (run.code, run.outcomes) == (0, {"done": JOBS}), run.finished.output
    (ambiguous,) = run.ambiguous
    assert run.attempts(ambiguous) == ["maybe", "accepted"]
    (lost,) = run.hashes - {job["job_id"] for job in run.finished.jobs}
    assert lost == run.predicts[0]["hash"]
    assert len(run.hashes) == len(run.predicts) == JOBS + 1
    assert "1 ambiguous" in run.finished.output


@pytest.mark.parametrize("name", ["500, not done", "dropped before", "hanging"])
def test_a_submission_that_was_lost_itself_is_ambiguous_and_makes_no_job_more(
    played: Play, name: str
) -> None:
    run = played(name)
    assert (run.code, run.outcomes) == (0, {"done": JOBS}), run.finished.output
    assert [run.attempts(job) for job in run.ambiguous] == [["maybe", "accepted"]]
    assert {job["job_id"] for job in run.finished.jobs} == run.hashes
    assert (len(run.hashes), len(run.predicts)) == (JOBS, JOBS + 1)


def test_on_ambiguous_close_sends_nothing_twice(played: Play) -> None:
    run = played("not sent again")
    assert (run.code, run.outcomes) == (2, {"done": JOBS - 1, "error": 1}), run.finished.output
    assert len(run.predicts) == len(run.hashes) == JOBS
    (ambiguous,) = run.ambiguous
    assert ambiguous["reason"].startswith("perhaps submitted: ")
    assert f"exit code 2: 1 of {JOBS} jobs ended in an error" in run.finished.output


def test_a_429_is_waited_out_as_long_as_it_asks_and_is_not_ambiguous(played: Play) -> None:
    run = played("429")
    assert (run.code, run.outcomes) == (0, {"done": JOBS}), run.finished.output
    assert (len(run.hashes), len(run.predicts), run.ambiguous) == (JOBS, JOBS + 3, [])
    again = [job["attempts"] for job in run.finished.jobs if len(job["attempts"]) > 1]
    assert sum(len(attempts) - 1 for attempts in again) == 3
    for attempts in again:
        for before, after in pairwise(attempts):
            assert before["result"] == "refused"
            assert after["sent_at"] >= before["received_at"] + 1


def test_a_submission_that_is_refused_is_rejected_and_not_sent_again(played: Play) -> None:
    run = played("400")
    assert (run.code, run.outcomes) == (1, {"done": JOBS - 2, "rejected": 2})
    assert (len(run.hashes), len(run.predicts)) == (JOBS - 2, JOBS)
    assert f"exit code 1: 2 of {JOBS} jobs were rejected" in run.finished.output


def test_a_slow_frontend_makes_nothing_late_that_is_sent(played: Play) -> None:
    run = played("slow")
    assert (run.code, run.outcomes) == (0, {"done": JOBS}), run.finished.output
    assert len(run.predicts) == JOBS
    for job in run.finished.jobs:
        (attempt,) = job["attempts"]
        assert attempt["received_at"] - attempt["sent_at"] >= 0.3
        assert job["submitted_at"] - job["due_at"] < 0.2


def test_a_job_that_cannot_be_read_for_retry_budget_ends_in_an_error(played: Play) -> None:
    run = played("polls refused")
    assert (run.code, run.outcomes) == (2, {"error": JOBS}), run.finished.output
    assert {job["job_id"] for job in run.finished.jobs} == run.hashes
    assert all("its status could not be read" in job["reason"] for job in run.finished.jobs)
    assert "POST /api/redis/expire" not in run.requests


def test_a_hash_that_cannot_be_told_to_expire_is_a_note_and_no_failure(played: Play) -> None:
    run = played("expire refused")
    assert (run.code, run.outcomes) == (0, {"done": JOBS}), run.finished.output
    notes = run.finished.sql("SELECT count(*) FROM tickets WHERE expire_error LIKE '%500%'")
    assert notes == [(JOBS,)]
    assert f"{JOBS} hashes could not be told to expire" in run.finished.output


def test_a_status_that_is_never_final_ends_with_job_timeout(played: Play) -> None:
    run = played("never final")
    assert (run.code, run.outcomes) == (2, {"timeout": JOBS}), run.finished.output
    for job in run.finished.jobs:
        assert 0.69 <= job["closed_at"] - job["submitted_at"] < 1.5
        assert job["reason"] == "not final 0.7 s after its submission"
    assert "POST /api/redis/expire" not in run.requests


def test_a_failed_job_without_finished_at_is_timed_by_updated_at(played: Play) -> None:
    run = played("no finished_at")
    assert (run.code, run.outcomes) == (1, {"failed": JOBS}), run.finished.output
    rows = run.finished.sql("SELECT duration_from, duration_s FROM tickets")
    assert {source for source, _ in rows} == {"updated_at"}
    assert all(0 < duration_s < 5 for _, duration_s in rows)
    assert {job["finished_at"] for job in run.finished.jobs} == {None}


def test_a_zip_whose_images_all_failed_has_failed_though_the_kiosk_says_done(played: Play) -> None:
    run = played("ZIPs of failures")
    assert (run.code, run.outcomes) == (1, {"failed": JOBS}), run.finished.output
    assert {job["reason"] for job in run.finished.jobs} == {
        "the Kiosk made no image of it: all 3 of its images failed: ValueError: cannot identify"
        " image file, tried tifffile, PIL, imageio"
    }
    assert {job["status"] for job in run.finished.jobs} == {"done"}
    (found,) = run.finished.results
    assert (found["summary"]["images_done"], found["summary"]["images_failed"]) == (0, 3 * JOBS)
    assert all(job["total_time"] == [] for job in run.finished.jobs)


# -- what needs a hand in mid-run, or a server of its own


def test_jobs_whose_hashes_are_flushed_have_vanished(tmp_path: Path) -> None:
    with simulator("--predict-s=600") as kiosk:
        locust = Locust(tmp_path, "-u", "10", "-r", "200", host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) == 10, what="10 submissions")
        kiosk.flush()
        finished = locust.finish()
    assert (finished.code, finished.outcomes) == (1, {"vanished": 10}), finished.output
    assert "exit code 1: 10 of 10 jobs vanished" in finished.output


def test_a_kiosk_that_goes_away_for_a_while_loses_no_job(tmp_path: Path) -> None:
    with simulator("--predict-s=0.5") as kiosk:
        locust = Locust(tmp_path, "-u", "40", "-r", "40", host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) >= 10, what="10 submissions")
        kiosk.set_faults("POST /api/predict html status=503", "* /api/* drop")
        before = len(kiosk.log()["predicts"])
        wait_until(lambda: len(kiosk.log()["predicts"]) > before + 5, what="lost submissions")
        kiosk.set_faults()
        finished = locust.finish()
        made = {submission["hash"] for submission in kiosk.submissions}
    assert (finished.code, finished.outcomes) == (0, {"done": 40}), finished.output
    assert {job["job_id"] for job in finished.jobs} == made
    assert len(made) == 40


class SmallKiosk:
    """A Kiosk on raw sockets whose every job has these fields at once.

    With ``last`` it closes the connection after each answer, without a word of it.
    """

    def __init__(self, *, last: bool = False, **fields: str) -> None:
        self.fields = {
            "status": "done",
            "created_at": "2026-11-22T15:40:11.000Z",
            "updated_at": "2026-11-22T15:40:14.000000+00:00",
            "finished_at": "2026-11-22T15:40:13.500000+00:00",
        } | fields
        self.hashes: list[str] = []
        self._last = last

    def __call__(self, connection: Connection) -> None:
        while request := connection.read_request():
            connection.send(self.answer(request))
            if self._last:
                return

    def answer(self, request: Received) -> bytes:
        if request.path == "/api/predict":
            self.hashes.append(f"segmentation:image.png:{uuid.uuid4()}")
            return json_answer({"hash": self.hashes[-1]})
        if request.path == "/api/redis":
            return json_answer({"value": [self.fields.get(name) for name in request.json["key"]]})
        return json_answer(
            {
                "/api/health-check": {"message": "OK"},
                "/api/jobtypes": {"jobTypes": ["segmentation"]},
                "/api/redis/expire": {"value": 1},
            }[request.path]
        )


def test_timings_that_are_not_numbers_are_null_and_harm_nothing(tmp_path: Path) -> None:
    kiosk = SmallKiosk(
        total_time="NaN", download_time="soon", upload_time="", prediction_time="-1", total_jobs="x"
    )
    with RawServer(kiosk) as server:
        finished = run_locust(tmp_path, "-u", "5", "-r", "50", host=server.url)
    assert (finished.code, finished.outcomes) == (0, {"done": 5}), finished.output
    for job in finished.jobs:
        names = ("total_time", "download_time", "upload_time", "prediction_time", "total_jobs")
        assert [job[name] for name in names] == [None] * 5
    assert finished.sql("SELECT DISTINCT duration_s, queue_wait_s FROM tickets") == [(2.5, None)]


def test_a_done_job_without_finished_at_is_timed_by_updated_at(tmp_path: Path) -> None:
    with RawServer(SmallKiosk(finished_at="")) as server:
        finished = run_locust(tmp_path, "-u", "2", "-r", "50", host=server.url)
    assert (finished.code, finished.outcomes) == (0, {"done": 2}), finished.output
    rows = finished.sql("SELECT DISTINCT duration_s, duration_from FROM tickets")
    assert rows == [(3.0, "updated_at")]


def test_a_frontend_that_closes_after_each_answer_is_sent_no_job_twice(tmp_path: Path) -> None:
    kiosk = SmallKiosk(last=True)
    with RawServer(kiosk) as server:
        finished = run_locust(tmp_path, "-u", "15", "-r", "50", host=server.url)
        assert server.connections == len(server.requests)
    assert (finished.code, finished.outcomes) == (0, {"done": 15}), finished.output
    assert sorted(job["job_id"] for job in finished.jobs) == sorted(kiosk.hashes)


def test_a_request_that_only_measures_keeps_no_run_from_starting(tmp_path: Path) -> None:
    kiosk = SmallKiosk()
    asked: list[Received] = []

    def behave(connection: Connection) -> None:
        """Know the job types once, and break off whoever asks again."""
        while request := connection.read_request():
            if request.path == "/api/jobtypes":
                asked.append(request)
                if len(asked) > 1:
                    return
            connection.send(kiosk.answer(request))

    with RawServer(behave) as server:
        finished = run_locust(tmp_path, "-u", "3", "-r", "50", host=server.url)
    assert (finished.code, finished.outcomes) == (0, {"done": 3}), finished.output
    assert len(asked) == 2


def test_a_redirect_to_https_is_found_once_before_the_first_job(tmp_path: Path) -> None:
    certificate, context = make_certificate(tmp_path)
    kiosk = SmallKiosk()
    with RawServer(kiosk, tls=context) as secure:
        location = f"{secure.url}/api/health-check"
        with RawServer(answering(raw_answer(308, Location=location))) as plain:
            finished = run_locust(
                tmp_path, "-u", "4", "-r", "50", host=plain.url, SSL_CERT_FILE=str(certificate)
            )
            assert [request.path for request in plain.requests] == ["/api/health-check"]
    assert (finished.code, finished.outcomes) == (0, {"done": 4}), finished.output
    assert sorted(job["job_id"] for job in finished.jobs) == sorted(kiosk.hashes)
    assert {found["host"] for found in finished.results} == {secure.url}


def test_a_run_whose_kiosk_is_gone_for_good_is_ended_by_a_signal(tmp_path: Path) -> None:
    with RawServer(SmallKiosk(status="started")) as server:
        locust = Locust(tmp_path, "-u", "4", "-r", "50", "-s", "1", host=server.url)
        predicts = ("POST", "/api/predict")
        wait_until(lambda: [(r.method, r.path) for r in server.requests].count(predicts) == 4)
    locust.signal(signal.SIGINT)
    finished = locust.finish()
    assert (finished.code, finished.outcomes) == (2, {"unfinished": 4}), finished.output
