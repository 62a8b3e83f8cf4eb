"""The model as a client of the Kiosk meets it, in virtual time."""

from __future__ import annotations

import gc
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.contents import Contents, Image
from kiosk_locust.simulator.images import ImageJob
from kiosk_locust.simulator.settings import ClusterSettings
from kiosk_locust.simulator.zips import ZipJob
from tests.simulator.models import START, STEADY, cluster, form


def test_an_image_job_goes_through_the_statuses_of_the_kiosk_in_order() -> None:
    kiosk = cluster()
    key = kiosk.submit(form(), START + 1)
    seen = [kiosk.status(key, START + 1.5 + second) for second in range(6)]
    assert seen == [
        "started", "pre-processing", "predicting", "post-processing", "saving-results", "done",
    ]  # fmt: skip


def test_a_job_is_new_until_a_consumer_is_free() -> None:
    kiosk = cluster(jobs_per_gpu=1)
    kiosk.submit(form(), START)
    second = kiosk.submit(form(), START)
    assert kiosk.status(second, START + 4.9) == "new"
    assert kiosk.status(second, START + 5.1) == "started"


def test_a_status_of_no_length_is_never_seen() -> None:
    kiosk = cluster(postprocess_s=0.0)
    key = kiosk.submit(form(), START)
    seen = {kiosk.status(key, START + tenth / 10) for tenth in range(60)}
    assert "post-processing" not in seen
    assert "saving-results" in seen


def test_a_finished_job_has_every_field_of_the_kiosk_with_the_times_that_it_took() -> None:
    kiosk = cluster()
    key = kiosk.submit(form(modelName="M", modelVersion="1", dataLabel="2"), START + 0.25)
    found = kiosk.read(key, START + 60)
    name = key.rsplit(":", 1)[1]
    consumer = "segmentation-consumer-simulated-gpu-0000-7"
    assert found == {
        "original_name": "a.png",
        "input_file_name": "uploads/a.png",
        "model_name": "M",
        "model_version": "1",
        "postprocess_function": "",
        "preprocess_function": "",
        "cuts": "0",
        "url": "",
        "label": "2",
        "dimension_order": "XYB",
        "channels": "0,,",
        "scale": "",
        "segmentation_type": "",
        "identity_upload": "kiosk-frontend",
        "status": "done",
        "created_at": "2027-01-15T08:00:00.250Z",
        "updated_at": "2027-01-15T08:00:05.250000+00:00",
        "updated_by": consumer,
        "identity_started": consumer,
        "started_at": "2027-01-15T08:00:00.250000+00:00",
        "finished_at": "2027-01-15T08:00:05.250000+00:00",
        "download_time": "1.0",
        "prediction_time": "1.0",
        "postprocess_time": "1.0",
        "predict_retries": "0",
        "upload_time": "1.0",
        "total_time": "5.0",
        "total_jobs": "1",
        "output_url": f"https://storage.googleapis.com/simulated-kiosk/output/{name}.zip",
        "output_file_name": f"output/{name}.zip",
    }


def test_todays_consumers_can_be_had_which_write_no_prediction_time() -> None:
    kiosk = cluster(stage_times=False)
    found = kiosk.read(kiosk.submit(form(), START), START + 60)
    assert "download_time" in found
    older = {"started_at", "prediction_time", "postprocess_time", "predict_retries"}
    assert not older & found.keys()


def test_fields_appear_with_the_status_that_writes_them() -> None:
    kiosk = cluster()
    key = kiosk.submit(form(), START)
    assert "download_time" not in kiosk.read(key, START + 0.5)
    during = kiosk.read(key, START + 2.5)
    assert during["download_time"] == "1.0"
    assert not {"prediction_time", "upload_time", "finished_at", "output_url"} & during.keys()
    assert during["updated_at"] == "2027-01-15T08:00:02+00:00"


def test_a_segmentation_job_without_dimension_order_fails_with_the_consumers_words() -> None:
    kiosk = cluster(finished_at_missing_rate=1.0)
    key = kiosk.submit(form(jobForm={}), START)
    found = kiosk.read(key, START + 1.5)
    assert found["status"] == "failed"
    assert "Input dimension order was  but input image has shape (1080, 1280)" in found["reason"]
    assert "\n" in found["reason"]
    assert "," in found["reason"]
    assert not {"finished_at", "download_time", "total_time"} & found.keys()


def test_other_job_types_need_no_dimension_order() -> None:
    kiosk = cluster()
    key = kiosk.submit(form(jobType="mesmer", jobForm={}), START)
    assert kiosk.status(key, START + 60) == "done"


def test_failures_come_at_their_rate_and_tell_their_finish_at_theirs() -> None:
    kiosk = cluster(failure_rate=0.25, finished_at_missing_rate=0.5, max_nodes=50)
    keys = [kiosk.submit(form(), START) for _ in range(1000)]
    found = [kiosk.read(key, START + 1000) for key in keys]
    failed = [each for each in found if each["status"] == "failed"]
    assert 200 < len(failed) < 300
    assert all("reason" in each and "output_url" not in each for each in failed)
    assert 0.4 < sum("finished_at" in each for each in failed) / len(failed) < 0.6


def test_a_hash_vanishes_at_the_second_that_its_expiry_says() -> None:
    kiosk = cluster()
    key = kiosk.submit(form(), START)
    assert kiosk.expire(key, 30, START + 10)
    assert kiosk.status(key, START + 39.9) == "done"
    assert kiosk.status(key, START + 40) is None
    assert kiosk.read(key, START + 40) == {}


def test_the_last_expiry_counts() -> None:
    kiosk = cluster()
    key = kiosk.submit(form(), START)
    kiosk.expire(key, 30, START)
    kiosk.expire(key, 60, START)
    assert kiosk.status(key, START + 59) == "done"
    kiosk.expire(key, 0, START + 59)
    assert kiosk.status(key, START + 59) is None


def test_an_unknown_hash_cannot_expire() -> None:
    assert not cluster().expire("missing", 30, START)


def test_an_expired_hash_leaves_no_memory_behind() -> None:
    kiosk = cluster()
    key = kiosk.submit(form("a.zip"), START)
    kiosk.advance(START + 60)
    children = kiosk.read(key, START + 60)["children"].split(",")
    keys = {key, *children}
    assert in_memory(keys) == keys
    kiosk.expire(key, 10, START + 60)
    kiosk.advance(START + 4000)
    assert len(kiosk) == 0
    assert in_memory(keys) == set()


def in_memory(keys: set[str]) -> set[str]:
    """The keys whose jobs the interpreter still holds."""
    gc.collect()
    jobs = [each for each in gc.get_objects() if isinstance(each, ImageJob | ZipJob)]
    return {job.key for job in jobs if job.key in keys}


def test_hashes_vanish_by_themselves_at_the_rate_given() -> None:
    kiosk = cluster(vanish_rate=0.2, max_nodes=50, jobs_per_gpu=50)
    keys = [kiosk.submit(form(), START) for _ in range(1000)]
    gone = [key for key in keys if kiosk.status(key, START + 1000) is None]
    assert 150 < len(gone) < 250


def test_a_flush_empties_everything_and_new_jobs_run_after_it() -> None:
    kiosk = cluster(jobs_per_gpu=2)
    old = [kiosk.submit(form(), START) for _ in range(10)] + [kiosk.submit(form("a.zip"), START)]
    assert kiosk.flush(START + 0.75) == 12  # and the first child of the ZIP
    assert [kiosk.status(key, START + 1) for key in old] == [None] * 11
    assert sum(kiosk.queue_lengths().values()) == 0
    key = kiosk.submit(form(), START + 2)
    assert kiosk.status(key, START + 60) == "done"
    assert len(kiosk) == 1


def test_a_job_whose_consumer_died_goes_back_to_started() -> None:
    kiosk = cluster(requeue_rate=0.5)
    keys = [kiosk.submit(form(), START) for _ in range(8)]
    history = {key: [kiosk.status(key, START)] for key in keys}
    for second in range(300):
        for key in keys:
            history[key].append(kiosk.status(key, START + second + 0.5))
    assert {seen[-1] for seen in history.values()} == {"done"}
    assert any(
        ("pre-processing", "started") in pairwise(seen)
        or ("predicting", "started") in pairwise(seen)
        for seen in history.values()
    )


def test_a_hash_stays_as_it_is_when_its_consumer_dies_until_another_one_begins() -> None:
    kiosk = cluster(requeue_rate=0.5, requeue_delay_s=3.0, stage_times=False, seed=2)
    key = kiosk.submit(form(), START)
    seen = [kiosk.read(key, START + tenth / 10) for tenth in range(600)]
    final = seen[-1]
    assert final["status"] == "done"
    life = kiosk.lives(START + 60)[key]
    assert life.interruptions > 0
    assert life.first_started_at == START
    begun_at = life.started_at
    assert begun_at is not None
    at = int((begun_at - START) * 10) + 1  # the last consumer has just begun
    before, after = seen[at - 2], seen[at]
    assert before["status"] != "new"  # it waits in the queue again, and its hash does not say so
    assert before["identity_started"] != after["identity_started"] == final["identity_started"]
    assert after["status"] == "started"
    assert after["updated_at"] > before["updated_at"]
    assert after.get("download_time") == before.get("download_time")
    assert {each["created_at"] for each in seen} == {final["created_at"]}
    assert "started_at" not in final
    assert float(final["total_time"]) == pytest.approx((life.ended_at or 0.0) - begun_at)


def test_the_key_names_queue_and_file() -> None:
    kiosk = cluster()
    image, archive = kiosk.submit(form("x y.png"), START), kiosk.submit(form("B.ZIP"), START)
    assert image.startswith("segmentation:x y.png:")
    assert archive.startswith("segmentation-zip:B.ZIP:")


def test_a_zip_is_unpacked_then_waits_then_ends() -> None:
    kiosk = cluster()
    key = kiosk.submit(form("a.zip"), START)
    assert kiosk.status(key, START + 1.9) == "new"
    waiting = kiosk.read(key, START + 2.1)
    assert (waiting["status"], waiting["progress"]) == ("waiting", "0")
    assert len(waiting["children"].split(",")) == 4
    assert waiting["children_upload_time"] == "2.0"
    assert "children:done" not in waiting
    half = kiosk.read(key, START + 6.1)  # children began at 0.5, 1.0, 1.5, 2.0 and take 5 s
    assert (half["status"], half["progress"]) == ("waiting", "75")  # as the real one, too much
    assert len(half["children:done"].split(",")) == 2
    assert half["children:failed"] == ""
    assert kiosk.status(key, START + 8.9) == "waiting"
    done = kiosk.read(key, START + 9.0)
    assert (done["status"], done["progress"], done["total_jobs"]) == ("done", "100", "4")
    assert done["cleanup_time"] == "2.0"
    assert done["failures"] == ""
    assert done["finished_at"] == "2027-01-15T08:00:09+00:00"
    assert done["total_time"] == "5.0,5.0,5.0,5.0"
    assert done["download_time"] == "1.0,1.0,1.0,1.0"
    assert done["predict_retries"] == "0.0,0.0,0.0,0.0"


def test_progress_is_inflated_and_goes_back_as_the_real_one() -> None:
    """Measured of 3 children: 0, 67 with none ended, 100 with one ended, and 67 a look later."""
    kiosk = cluster(images_per_zip=3, zip_image_s=0.5, jobs_per_gpu=1)
    key = kiosk.submit(form("a.zip"), START)  # unpacked at 1.5, children end at 5.5, 10.5, 15.5
    found = [
        kiosk.read(key, START + at)["progress"] for at in (2.0, 3.0, 5.6, 7.0, 10.6, 12.0, 15.6)
    ]
    assert found == ["0", "67", "100", "67", "100", "100", "100"]
    ended = kiosk.read(key, START + 15.7)
    assert len(ended["children:done"].split(",")) == 3


def test_children_are_hashes_of_their_own_with_pythons_form_of_time() -> None:
    kiosk = cluster()
    key = kiosk.submit(form("a.zip"), START)
    child = kiosk.read(key, START + 3)["children"].split(",")[1]
    found = kiosk.read(child, START + 30)
    assert child.startswith("segmentation:image_00002.png:")
    assert found["status"] == "done"
    assert found["created_at"] == "2027-01-15T08:00:01+00:00"
    assert found["original_name"] == "image_00002.png"
    assert found["dimension_order"] == "XYB"


def test_a_zip_with_failed_children_still_ends_done_and_tells_why_each_failed() -> None:
    kiosk = cluster(failure_rate=0.5, images_per_zip=40, seed=1)
    key = kiosk.submit(form("a.zip"), START)
    found = kiosk.read(key, START + 1000)
    failed = found["children:failed"].split(",")
    done = found["children:done"].split(",")
    assert found["status"] == "done"
    assert found["progress"] == "100"
    assert sorted(done + failed) == sorted(found["children"].split(","))
    reasons = parse_qs(found["failures"])
    assert reasons.keys() == set(failed)
    assert all("Traceback" in reason for each in reasons.values() for reason in each)
    assert len(found["total_time"].split(",")) == len(done)


def test_a_zip_without_dimension_order_ends_done_with_all_children_failed() -> None:
    kiosk = cluster()
    found = kiosk.read(kiosk.submit(form("a.zip", jobForm={}), START), START + 60)
    assert found["status"] == "done"
    assert found["children:done"] == ""
    assert found["children:failed"] == found["children"]
    assert "total_time" not in found


def test_a_zip_that_cannot_be_unpacked_fails_and_the_next_one_is_unpacked() -> None:
    kiosk = cluster(zip_failure_rate=1.0, zip_consumers=1)
    keys = [kiosk.submit(form("a.zip"), START) for _ in range(2)]
    found = [kiosk.read(key, START + 60) for key in keys]
    assert [each["status"] for each in found] == ["failed", "failed"]
    assert "zip file" in found[0]["reason"]
    assert "children" not in found[0]


def test_a_zip_without_images_ends_done_also_where_others_are_stuck() -> None:
    def look(name: str) -> Contents:
        return Contents(Image(name), children=())

    kiosk = Cluster(ClusterSettings(**STEADY, zip_stuck_rate=1.0), START, look=look)
    key = kiosk.submit(form("a.zip"), START)
    assert kiosk.read(key, START + 60)["status"] == "done"


def test_lists_of_timings_can_differ_in_length() -> None:
    kiosk = cluster(lost_timings_rate=0.3, images_per_zip=50)
    found = kiosk.read(kiosk.submit(form("a.zip"), START), START + 1000)
    lengths = {len(found[name].split(",")) for name in ("total_time", "upload_time")}
    assert max(lengths) < 50
    assert len(lengths) == 2


def test_children_expire_after_their_zip_is_done_and_the_zip_stays() -> None:
    kiosk = cluster(child_expire_s=100.0)
    key = kiosk.submit(form("a.zip"), START)
    assert len(kiosk) == 1
    kiosk.advance(START + 108)
    assert len(kiosk) == 5
    kiosk.advance(START + 110)
    assert len(kiosk) == 1
    assert kiosk.status(key, START + 110) == "done"


def test_only_so_many_zips_are_unpacked_at_once() -> None:
    kiosk = cluster(zip_consumers=2)
    for _ in range(5):
        kiosk.submit(form("a.zip"), START)
    assert kiosk.queue_lengths()["segmentation-zip"] == 3
    kiosk.advance(START + 2.1)
    assert kiosk.queue_lengths()["segmentation-zip"] == 1


def test_queues_are_emptied_in_order_of_arrival_whatever_their_type() -> None:
    kiosk = cluster(jobs_per_gpu=1)
    first = kiosk.submit(form(), START)
    second = kiosk.submit(form(jobType="mesmer"), START)
    third = kiosk.submit(form(), START)
    seen = [kiosk.status(key, START + 6) for key in (first, second, third)]
    assert seen == ["done", "pre-processing", "new"]


def test_the_defaults_bring_a_hundred_images_to_their_end_in_half_a_minute_of_polling() -> None:
    kiosk = Cluster(ClusterSettings(), START)
    keys = [kiosk.submit(form(), START + i * 0.05) for i in range(100)]
    kiosk.advance(START + 60)
    ends = [
        datetime.fromisoformat(kiosk.read(key, START + 60)["finished_at"]).timestamp() - START
        for key in keys
    ]
    assert 10 < max(ends) < 25  # a poll each 10 s sees it at most 10 s later


def test_one_gpu_makes_five_to_ten_images_a_second() -> None:
    kiosk = Cluster(ClusterSettings(max_nodes=1), START)
    for _ in range(1000):
        kiosk.submit(form(), START)
    done = kiosk.statuses(START + 100)["done"]
    assert 500 < done < 1000


Calls = list[tuple[str, int, int]]
_calls = st.lists(
    st.tuples(
        st.sampled_from(["image", "zip", "read", "expire", "nothing"]),
        st.integers(0, 40),  # tenths of a second since the call before
        st.integers(0, 5),  # which job
    ),
    max_size=25,
)
_troubled: dict[str, Any] = STEADY | {
    "spread": 0.5,
    "failure_rate": 0.2,
    "vanish_rate": 0.2,
    "requeue_rate": 0.2,
    "max_nodes": 3,
    "jobs_per_node": 4,
    "jobs_per_gpu": 2,
    "scale_down_delay_s": 5.0,
}


def play(calls: Calls, seed: int, *, looks: int = 0) -> list[object]:
    """Make the calls, with ``looks`` idle advances in each pause; everything then seen."""
    kiosk = Cluster(ClusterSettings(**(_troubled | {"seed": seed})), START)
    keys: list[str] = []
    seen: list[object] = []
    now = START
    for kind, tenths, which in calls:
        for look in range(looks):
            kiosk.advance(now + tenths / 10 * look / looks)
        now += tenths / 10
        key = keys[which % len(keys)] if keys else "none"
        if kind in ("image", "zip"):
            keys.append(kiosk.submit(form("a.zip" if kind == "zip" else "a.png"), now))
        elif kind == "expire":
            seen.append(kiosk.expire(key, which, now))
        else:
            seen.append(kiosk.read(key, now))
    for second in (1, 10, 100):
        seen.extend(kiosk.read(key, now + second) for key in keys)
    nodes = [(node.name, node.created_at, node.deleted_at) for node in kiosk.fleet.history]
    return [keys, seen, nodes]


@settings(max_examples=60)
@given(_calls, st.integers(0, 2**31), st.integers(1, 4))
def test_the_same_seed_and_calls_give_the_same_history_however_often_one_looks(
    calls: Calls, seed: int, looks: int
) -> None:
    assert play(calls, seed) == play(calls, seed, looks=looks)


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(0, 2))
def test_every_job_that_does_not_vanish_reaches_a_final_status(
    seed: int, images: int, zips: int
) -> None:
    kiosk = Cluster(ClusterSettings(**(_troubled | {"seed": seed, "vanish_rate": 0.0})), START)
    keys = [kiosk.submit(form(), START + i) for i in range(images)]
    keys += [kiosk.submit(form("a.zip"), START + i) for i in range(zips)]
    assert {kiosk.status(key, START + 2000) for key in keys} <= {"done", "failed"}


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_another_seed_gives_other_keys(rate: float) -> None:
    keys = {cluster(seed=seed, vanish_rate=rate).submit(form(), START) for seed in range(20)}
    assert len(keys) == 20


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.integers(1, 8), st.integers(0, 3))
def test_each_submitted_job_is_told_once_when_it_has_ended(
    seed: int, images: int, zips: int
) -> None:
    told: list[tuple[str, float]] = []
    chosen = _troubled | {"seed": seed, "vanish_rate": 0.0, "zip_failure_rate": 0.3}
    kiosk = Cluster(ClusterSettings(**chosen), START, lambda job, now: told.append((job.key, now)))
    for number in range(images + zips):
        kiosk.submit(form("a.zip" if number < zips else "a.png"), START + number)
    lives = kiosk.lives(START + 3000)
    assert sorted(told) == sorted((key, life.ended_at) for key, life in lives.items())
