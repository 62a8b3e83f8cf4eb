"""The life of one job, against a scripted Kiosk, in time that does not pass."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gevent.event import Event

from kiosk_locust import events
from kiosk_locust.client.kiosk import Reading, Submission
from kiosk_locust.client.transport import Exchange
from kiosk_locust.errors import (
    BadAnswer,
    Busy,
    KioskError,
    NoAnswer,
    Redirected,
    RedisRefused,
    Refused,
    ServerFault,
    Unreachable,
    Withdrawn,
)
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.job import Interrupted, Job, JobServices
from kiosk_locust.execution.ledger_gate import LedgerGate
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.job_metrics import Measures, measure
from kiosk_locust.model.ports import JobObserver
from kiosk_locust.model.record import (
    Attempt,
    AttemptResult,
    Download,
    JobRequest,
    Outcome,
    Record,
    StatusChange,
    Upload,
)
from kiosk_locust.storage.upload_stage import Uploader
from tests.helpers.clocks import ManualClock
from tests.helpers.scenarios import make_options, make_record

KEY = "segmentation:image.png:1"
DONE = {
    "status": "done",
    "created_at": "2026-01-01T00:00:00Z",
    "finished_at": "2026-01-01T00:00:05+00:00",
}


class Log:
    """Notes what was written, in order, beside what the Kiosk was asked."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.alive = True

    def uploaded(self, record: Record, upload: Upload) -> None:
        self.log.append(f"uploaded {upload.name}" if upload.name else "not uploaded")

    def is_reused(self, record: Record, upload: Upload) -> bool:
        return False

    def about_to_send(self, record: Record) -> None:
        """See tests/ledger/test_send_account.py."""

    def attempt(self, record: Record, attempt: Attempt) -> None:
        self.log.append(f"attempt {attempt.result}")

    def lease(self, record: Record) -> Lease:
        return Lease(self.log)

    def submit(self, record: Record) -> None:
        self.log.append("submitted")

    def change(self, record: Record, change: StatusChange) -> None:
        self.log.append(f"changed to {change.status}")

    def close_ticket(self, record: Record, measures: Measures) -> None:
        self.log.append(f"written {record.outcome}")

    def downloaded(self, record: Record, download: Download) -> None:
        self.log.append("downloaded")

    def expire_failed(self, record: Record) -> None:
        self.log.append("expire failed")

    @property
    def is_alive(self) -> bool:
        return self.alive

    def await_alive(self) -> None:
        self.log.append("await alive")
        self.alive = True

    def settle(self) -> None:
        self.log.append("settle")


class Lease:
    """Notes when it is waited for."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def wait(self) -> None:
        self.log.append("settle 7")


class ScriptedKiosk:
    """Answers each call with the next thing of its script; the last one for ever."""

    def __init__(self, clock: ManualClock, log: list[str]) -> None:
        self.clock = clock
        self.log = log
        self.predicts: list[Any] = [KEY]
        self.reads: list[Any] = [DONE]
        self.expires: list[Any] = [True]

    def _next(self, script: list[Any], name: str) -> Any:
        self.log.append(name)
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _exchange(self) -> Exchange:
        now = self.clock.now()
        self.clock.time += 0.25
        return Exchange("POST", "/", 200, {}, b"", now, now, now, now + 0.25)

    def predict(self, request: JobRequest, wanted: Callable[[], bool]) -> Submission:
        if not wanted():
            raise Withdrawn("not wanted")
        return Submission(self._next(self.predicts, "predict"), self._exchange())

    def read(self, job_id: str, *, zipped: bool) -> Reading:
        return Reading(Snapshot(self._next(self.reads, "read")), self._exchange())

    def expire(self, job_id: str, seconds: int) -> bool:
        self.log.append(f"expire in {seconds}")
        return bool(self._next(self.expires, "expire"))


class Scene:
    """One job and all that stands around it."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.clock = ManualClock()
        self.kiosk = ScriptedKiosk(self.clock, self.log)
        self.ledger = Log(self.log)
        self.bus = JobBus()
        self.record = make_record()
        self.stopping = Event()
        self.rng = random.Random(1)

    def live(self, uploader: Uploader | None = None, **options: Any) -> Record:
        services = JobServices(
            kiosk=self.kiosk,  # type: ignore[arg-type]  # it has the calls that a job makes
            log=self.ledger,
            bus=self.bus,
            gate=LedgerGate(self.ledger, self.stopping),  # type: ignore[arg-type]  # as above
            options=make_options(**options),
            clock=self.clock,
            rng=self.rng,
            rest=self.clock.wait,
            uploader=uploader,
        )
        Job(self.record, services, Lease(self.log)).run()
        return self.record


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def listen() -> Iterator[Callable[..., None]]:
    added: list[tuple[events.EventHook, Callable[..., None]]] = []

    def add(hook: events.EventHook, listener: Callable[..., None]) -> None:
        hook.add_listener(listener)
        added.append((hook, listener))

    yield add
    for hook, listener in added:
        hook.remove_listener(listener)


def test_a_job_is_submitted_polled_once_an_interval_closed_and_expired(scene: Scene) -> None:
    scene.kiosk.reads = [{"status": "new"}, {"status": "started"}, DONE]
    record = scene.live()
    assert record.outcome is Outcome.DONE
    assert [c.status for c in record.changes] == ["new", "started", "done"]
    assert scene.log.count("predict") == 1
    assert scene.log.count("read") == record.polls == 3
    assert scene.clock.slept[1:] == [10.0, 10.0]


def test_the_lease_is_durable_before_the_job_is_sent(scene: Scene) -> None:
    scene.live()
    assert scene.log[:2] == ["settle 7", "predict"]


def test_the_record_is_durable_before_its_hash_is_told_to_expire(
    scene: Scene, listen: Callable[..., None]
) -> None:
    listen(events.job_closed, lambda **_: scene.log.append("closed"))
    scene.live()
    assert scene.log[-5:] == ["written done", "closed", "settle", "expire in 3600", "expire"]


class Hears(JobObserver):
    """Notes what it hears beside what was written."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def on_submitted(self, record: Record) -> None:
        self.log.append("hears submitted")

    def on_status(self, record: Record, change: StatusChange) -> None:
        self.log.append(f"hears {change.status}")

    def on_closed(self, record: Record, measures: Measures) -> None:
        self.log.append("hears closed")


def test_each_event_is_written_before_observers_hear_of_it(scene: Scene) -> None:
    scene.bus.add(Hears(scene.log), is_essential=True)
    scene.live(expire_s=0)
    happened = [word for word in scene.log if word not in ("settle", "settle 7", "predict", "read")]
    assert happened == [
        "attempt accepted", "submitted", "hears submitted",
        "changed to done", "hears done", "written done", "hears closed",
    ]  # fmt: skip


def test_the_first_poll_comes_at_a_random_phase_of_the_interval() -> None:
    phases = []
    for seed in range(200):
        scene = Scene()
        scene.rng = random.Random(seed)
        scene.live(update_interval_s=8.0)
        phases.append(scene.clock.slept[0])
    assert 0 <= min(phases) < 0.5
    assert 7.5 < max(phases) <= 8.0
    assert sum(phases) / len(phases) == pytest.approx(4.0, abs=0.5)


def test_another_consumer_at_work_is_a_change_though_the_status_stays(scene: Scene) -> None:
    first, second = ({"status": "predicting", "updated_by": name} for name in ("pod-1", "pod-2"))
    scene.kiosk.reads = [first, first, second, second, DONE]
    record = scene.live(update_interval_s=1.0)
    seen = [(change.status, change.updated_by) for change in record.changes]
    assert seen[:2] == [("predicting", "pod-1"), ("predicting", "pod-2")]
    assert len(seen) == 3  # and the final one


def test_poll_backoff_stretches_the_interval_by_a_share_of_the_age(scene: Scene) -> None:
    scene.kiosk.reads = [{"status": "started"}] * 60 + [DONE]
    scene.live(update_interval_s=1.0, poll_backoff=0.1)
    assert scene.clock.slept[-1] == pytest.approx(0.1 * (scene.clock.now() - 1000) / 1.1, rel=0.05)


def test_the_observation_is_bounded_by_the_poll_before(scene: Scene) -> None:
    scene.kiosk.reads = [{"status": "started"}, DONE]
    record = scene.live()
    last_poll_at = 1000.25 + scene.clock.slept[0]
    assert record.observed_after == pytest.approx(last_poll_at)
    assert record.observed_at == pytest.approx(last_poll_at + 0.25 + 10.0 + 0.25)


@pytest.mark.parametrize(
    "error", [Unreachable("refused"), Busy("429", status=429, retry_after_s=7.0)]
)
def test_what_was_surely_not_taken_is_sent_again_and_is_not_ambiguous(
    scene: Scene, error: KioskError
) -> None:
    scene.kiosk.predicts = [error, error, KEY]
    record = scene.live()
    assert record.outcome is Outcome.DONE
    assert not record.ambiguous
    assert len(record.attempts) == 3


def test_a_busy_kiosk_is_left_alone_for_as_long_as_it_asked(scene: Scene) -> None:
    scene.kiosk.predicts = [Busy("429", status=429, retry_after_s=7.0), KEY]
    scene.live()
    assert scene.clock.slept[0] >= 7.0


@pytest.mark.parametrize(
    "error",
    [NoAnswer("reset"), ServerFault("500", status=500), BadAnswer("no hash", status=200)],
)
def test_what_may_have_arrived_is_sent_again_and_marked_ambiguous(
    scene: Scene, error: KioskError
) -> None:
    scene.kiosk.predicts = [error, KEY]
    record = scene.live()
    assert record.outcome is Outcome.DONE
    assert record.ambiguous
    results = [attempt.result for attempt in record.attempts]
    assert results == [AttemptResult.MAYBE, AttemptResult.ACCEPTED]
    assert "attempt maybe" in scene.log


def test_what_may_have_arrived_is_on_record_before_the_next_request_is_sent(scene: Scene) -> None:
    scene.kiosk.predicts = [NoAnswer("reset"), KEY]
    scene.live()
    assert scene.log[:5] == ["settle 7", "predict", "attempt maybe", "settle", "predict"]


def test_on_ambiguous_close_never_submits_twice(scene: Scene) -> None:
    scene.kiosk.predicts = [NoAnswer("reset"), KEY]
    record = scene.live(on_ambiguous="close")
    assert record.outcome is Outcome.ERROR
    assert "perhaps submitted" in record.reason
    assert scene.log.count("predict") == 1


def test_a_kiosk_that_loses_every_answer_is_not_flooded(scene: Scene) -> None:
    scene.kiosk.predicts = [NoAnswer("reset")]
    record = scene.live()
    assert record.outcome is Outcome.ERROR
    assert scene.log.count("predict") == 3


def test_a_refused_submission_is_rejected_with_the_kiosks_words(scene: Scene) -> None:
    scene.kiosk.predicts = [Refused("400: Invalid Job Type: x.", status=400)]
    record = scene.live()
    assert (record.outcome, record.reason) == (Outcome.REJECTED, "400: Invalid Job Type: x.")
    assert scene.log.count("predict") == 1


def test_a_redirected_submission_is_an_error_not_a_second_job(scene: Scene) -> None:
    scene.kiosk.predicts = [Redirected("308", status=308, location="https://k/")]
    assert scene.live().outcome is Outcome.ERROR


def test_a_kiosk_that_stays_away_costs_the_retry_budget_then_an_error(scene: Scene) -> None:
    scene.kiosk.predicts = [Unreachable("refused")]
    record = scene.live(retry_budget_s=60.0)
    assert record.outcome is Outcome.ERROR
    assert 60 <= scene.clock.now() - 1000 <= 60 + 30


def test_polls_go_on_through_an_outage(scene: Scene) -> None:
    scene.kiosk.reads = [ServerFault("502", status=502), NoAnswer("x"), Unreachable("x"), DONE]
    record = scene.live()
    assert record.outcome is Outcome.DONE
    assert not record.ambiguous


def test_a_status_that_cannot_be_read_for_the_retry_budget_is_an_error(scene: Scene) -> None:
    scene.kiosk.reads = [NoAnswer("timed out")]
    record = scene.live(retry_budget_s=100.0)
    assert record.outcome is Outcome.ERROR
    assert "timed out" in record.reason


def test_a_hash_that_is_gone_twice_in_a_row_has_vanished(scene: Scene) -> None:
    scene.kiosk.reads = [{"status": "new"}, {}]
    record = scene.live()
    assert record.outcome is Outcome.VANISHED
    assert scene.log.count("read") == 3
    assert "expire" not in scene.log


def test_a_hash_that_is_away_for_one_look_has_not_vanished(scene: Scene) -> None:
    scene.kiosk.reads = [{}, {"status": "new"}, {}, DONE]
    assert scene.live().outcome is Outcome.DONE


def test_a_status_that_never_becomes_final_times_out_on_time(scene: Scene) -> None:
    scene.kiosk.reads = [{"status": "started"}]
    record = scene.live(job_timeout_s=95.0)
    assert record.outcome is Outcome.TIMEOUT
    assert scene.clock.now() == pytest.approx(1000 + 95.0, abs=0.5)
    assert "expire" not in scene.log


def test_a_status_that_goes_back_is_followed(scene: Scene) -> None:
    statuses = ["predicting", "started", "retry-predicting - 1 - UNAVAILABLE", "done"]
    scene.kiosk.reads = [DONE | {"status": status} for status in statuses]
    assert [c.status for c in scene.live().changes] == statuses


def test_a_failed_job_keeps_its_reason_and_expires(scene: Scene) -> None:
    scene.kiosk.reads = [{"status": "failed", "reason": "Traceback,\nboom"}]
    record = scene.live()
    assert (record.outcome, record.reason) == (Outcome.FAILED, "Traceback,\nboom")
    assert "expire" in scene.log


def of_zip(scene: Scene, **fields: str) -> Record:
    scene.record = make_record(file="a.zip")
    scene.kiosk.predicts = ["segmentation-zip:a.zip:1"]
    scene.kiosk.reads = [DONE | {name.replace("_", ":"): text for name, text in fields.items()}]
    return scene.live()


def test_a_zip_with_failed_children_is_partial(scene: Scene) -> None:
    record = of_zip(scene, children="k1,k2", children_done="k1", children_failed="k2")
    assert record.outcome is Outcome.PARTIAL


def test_a_zip_whose_children_all_failed_has_failed(scene: Scene) -> None:
    record = of_zip(scene, children_failed="k1,k2", failures="k1=x&k2=y")
    assert record.outcome is Outcome.FAILED
    assert record.reason == (
        "the Kiosk made no image of it: all 2 of its images failed: 1 of them: x"
    )
    assert "expire" in scene.log


def test_a_zip_of_which_the_kiosk_took_no_file_has_failed(scene: Scene) -> None:
    record = of_zip(scene, children="", children_done="", children_failed="", failures="")
    assert record.outcome is Outcome.FAILED
    assert record.reason.startswith("the Kiosk made no image of it: it took no file in the ZIP")
    measures = measure(record)
    assert (measures.images_done, measures.images_failed) == (0, 0)


def test_a_zip_of_which_nothing_is_said_is_done(scene: Scene) -> None:
    assert of_zip(scene).outcome is Outcome.DONE  # by consumers that keep no lists


def test_an_image_with_an_empty_list_of_children_is_done(scene: Scene) -> None:
    scene.kiosk.reads = [DONE | {"children": ""}]
    assert scene.live().outcome is Outcome.DONE


# -- what Redis refused


@pytest.mark.parametrize(
    ("orphan", "expired"),
    [
        ("", []),
        ("segmentation:image.png:x", ["expire in 3600"]),
        ("segmentation:other.png:x", []),  # no job of this ticket's
    ],
)
def test_what_redis_refused_is_sent_again_and_is_not_ambiguous(
    scene: Scene, orphan: str, expired: list[str]
) -> None:
    scene.kiosk.predicts = [RedisRefused("Redis refused", status=500, orphan=orphan)] * 5 + [KEY]
    record = scene.live()
    assert (record.outcome, record.ambiguous) == (Outcome.DONE, False)
    assert [a.result for a in record.attempts] == ["refused"] * 5 + ["accepted"]
    before = scene.log[: len(scene.log) - 1 - scene.log[::-1].index("predict")]
    assert [entry for entry in before if entry.startswith("expire in")] == expired * 5


def test_a_redis_that_refuses_for_ever_costs_the_retry_budget_then_an_error(scene: Scene) -> None:
    scene.kiosk.predicts = [RedisRefused("Redis refused hmset", status=500)]
    record = scene.live(retry_budget_s=60.0)
    assert (record.outcome, record.ambiguous) == (Outcome.ERROR, False)
    assert record.reason == "not submitted: Redis refused hmset"


# -- ZIPs that the Kiosk never ends


ID = "0123456789abcdef0123456789abcdef"
WAITING = {"status": "waiting", "created_at": "2026-01-01T00:00:00Z"}


def waiting_zip(scene: Scene, reads: list[dict[str, str]], **options: Any) -> Record:
    scene.record = make_record(file="a.zip")
    scene.kiosk.predicts = ["segmentation-zip:a.zip:1"]
    scene.kiosk.reads = [WAITING | fields for fields in reads]
    return scene.live(**options)


def test_a_zip_whose_list_of_children_has_pieces_is_closed_after_three_polls(scene: Scene) -> None:
    whole, broken = f"segmentation:a.png:{ID}", f"segmentation:b,c.png:{ID}"
    children = {"children": f"{whole},{broken}"}
    ended = children | {"children:done": whole, "children:failed": ""}
    looks = [ended | {"updated_at": f"2026-01-01T00:00:{s:02d}Z"} for s in range(10, 60)]
    record = waiting_zip(scene, [children] * 7 + looks)
    assert record.outcome is Outcome.FAILED
    assert record.polls == 7 + 1 + 3  # a change, and three polls without one
    assert "1 of 2 images of the ZIP are done, 0 failed" in record.reason
    assert "names with a comma" in record.reason
    assert "'segmentation:b'" in record.reason
    measures = measure(record)
    assert (measures.images_done, measures.images_failed) == (1, 1)
    assert "expire" not in scene.log  # it is still there


def test_a_zip_whose_children_still_work_is_never_closed(scene: Scene) -> None:
    keys = [f"segmentation:{name}.png:{ID}" for name in "abc"]
    lists = {"children": ",".join(keys), "children:done": keys[0], "children:failed": keys[1]}
    record = waiting_zip(scene, [lists] * 500 + [DONE | lists])
    assert (record.outcome, record.polls) == (Outcome.PARTIAL, 501)
    scene = Scene()  # nor where one of them is in pieces, and another whole one still works
    lists["children"] += f",segmentation:d,e.png:{ID}"
    record = waiting_zip(scene, [lists] * 500, job_timeout_s=4000.0)
    assert record.outcome is Outcome.TIMEOUT


def test_a_zip_whose_results_are_packed_is_closed_only_when_nothing_changes_for_long(
    scene: Scene,
) -> None:
    key = f"segmentation:a.png:{ID}"
    lists = {"children": key, "children:done": key, "children:failed": ""}
    packing = [lists | {"updated_at": f"2026-01-01T00:{m:02d}:00Z"} for m in range(50)]
    record = waiting_zip(scene, [fields for fields in packing for _ in range(10)] + [DONE | lists])
    assert (record.outcome, record.polls) == (Outcome.DONE, 501)  # each 10 s, and 100 s unchanged
    scene = Scene()
    record = waiting_zip(scene, packing[:1])
    assert record.outcome is Outcome.FAILED
    assert record.polls == 1 + 12  # 120 s
    assert "its ZIP consumer may have died" in record.reason
    scene = Scene()
    record = waiting_zip(scene, packing[:1], update_interval_s=100.0)
    assert record.polls == 1 + 3


def test_lists_that_hold_no_keys_of_a_kiosk_are_taken_as_they_are(scene: Scene) -> None:
    record = waiting_zip(scene, [{"children": "a,b", "children:done": "a"}], job_timeout_s=5000.0)
    assert record.outcome is Outcome.TIMEOUT


def test_a_failed_expire_is_a_note_and_changes_no_outcome(scene: Scene) -> None:
    scene.kiosk.expires = [ServerFault("500 boom", status=500)]
    record = scene.live()
    assert (record.outcome, record.expire_error) == (Outcome.DONE, "500 boom")
    assert scene.log[-1] == "expire failed"


def test_the_end_of_a_job_waits_for_no_kiosk_that_asks_to_expire_it_much_later(
    scene: Scene,
) -> None:
    scene.kiosk.expires = [Busy("503 later", status=503, retry_after_s=600.0)]
    record = scene.live()
    assert (record.outcome, record.expire_error) == (Outcome.DONE, "503 later")
    assert scene.log.count("expire") == 1
    assert max(scene.clock.slept) <= 10.0


def test_an_outage_of_20_s_is_over_before_the_last_submission_that_may_have_arrived() -> None:
    for seed in range(100):
        scene = Scene()
        scene.kiosk.predicts = [NoAnswer("reset"), NoAnswer("reset"), KEY]
        scene.rng = random.Random(seed)
        record = scene.live()
        first, *_, last = [attempt.asked_at for attempt in record.attempts]
        assert last - first > 20


def test_expire_time_zero_sets_none(scene: Scene) -> None:
    scene.live(expire_s=0)
    assert "expire" not in scene.log


def test_an_interrupted_job_is_unfinished_and_stays_at_the_kiosk(scene: Scene) -> None:
    scene.kiosk.reads = [Interrupted("the run was ended")]
    record = scene.live()
    assert (record.outcome, record.reason) == (Outcome.UNFINISHED, "the run was ended")
    assert "expire" not in scene.log


def test_an_interruption_in_mid_submission_is_ambiguous(scene: Scene) -> None:
    scene.kiosk.predicts = [Interrupted("the run was ended")]
    record = scene.live()
    assert (record.outcome, record.ambiguous) == (Outcome.UNFINISHED, True)


def test_nothing_is_submitted_once_the_run_is_ending(scene: Scene) -> None:
    scene.stopping.set()
    record = scene.live()
    assert record.outcome is Outcome.UNFINISHED
    assert "predict" not in scene.log


class LosesCount(JobObserver):
    """Raises for each job that is submitted."""

    def on_submitted(self, record: Record) -> None:
        raise RuntimeError("lost count")


def test_what_an_essential_observer_raises_closes_the_ticket_and_comes_out(scene: Scene) -> None:
    scene.bus.add(LosesCount(), is_essential=True)
    with pytest.raises(RuntimeError, match="lost count"):
        scene.live()
    assert scene.record.outcome is Outcome.ERROR


def test_what_a_users_listener_raises_is_logged_and_harms_nothing(
    scene: Scene, listen: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("not my day")

    listen(events.job_closed, broken)
    assert scene.live().outcome is Outcome.DONE
    assert "not my day" in caplog.text


def test_a_job_waits_for_the_ledgers_sign_of_life_and_is_then_sent(scene: Scene) -> None:
    scene.kiosk.predicts = [KEY]
    scene.ledger.alive = False
    scene.live()
    assert scene.log.index("await alive") < scene.log.index("predict")
    assert scene.log.count("predict") == 1
    assert scene.record.outcome is Outcome.DONE


def test_a_job_that_has_an_id_is_polled_on_and_never_submitted(scene: Scene) -> None:
    scene.record.job_id = KEY
    scene.record.submitted_at = 1.0  # long ago: its time limit counts from now
    scene.live(job_timeout_s=60.0)
    assert "predict" not in scene.log
    assert scene.record.outcome is Outcome.DONE
    assert scene.record.changes[0].after == 1.0  # it may have had its status ever since
