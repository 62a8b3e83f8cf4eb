"""Upload mode in real processes: the right jobs, whatever befalls workers, files and the run."""

from __future__ import annotations

import hashlib
import re
import shutil
import signal
import sqlite3
import zipfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.plays import sees
from tests.helpers.real import (
    LOCUSTFILE,
    Finished,
    Locust,
    Simulator,
    run_locust,
    simulator,
    wait_until,
)
from tests.helpers.servers import processes
from tests.runs.test_distributed import cluster
from tests.storage.inputs import pictures

pytestmark = pytest.mark.proof  # scripts/proof runs it

FILES = 200


def md5_of(path: Path) -> str:
    """Of a file's content, worked out here."""
    return hashlib.md5(path.read_bytes()).hexdigest()


@dataclass
class Seen:
    """What a run left behind, and what the server received."""

    finished: Finished
    root: Path
    bucket: Path
    good: list[str]
    submitted: Counter[tuple[str, str]]  # imageName, MD5 of what the job worked on
    hashes: set[str]
    uploads: int
    stored: list[dict[str, Any]]  # each upload, as the server got it
    worked_on: dict[str, str]  # by hash: the MD5 of what the job worked on
    said: str = ""
    uploaded: frozenset[int] = frozenset()  # leased and uploaded when the process died

    @property
    def expected(self) -> Counter[tuple[str, str]]:
        paths = [self.root / name for name in self.good]
        return Counter((path.name, md5_of(path)) for path in paths)

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        return self.finished.sql(query)


def look_at(
    finished: Finished, kiosk: Simulator, root: Path, bucket: Path, good: list[str], said: str = ""
) -> Seen:
    jobs = kiosk.submissions
    worked_on = {key: life["content_md5"] for key, life in kiosk.lives.items()}
    pairs = Counter((job["body"]["imageName"], worked_on[job["hash"]]) for job in jobs)
    hashes = {job["hash"] for job in jobs}
    uploads, said = kiosk.requests["POST /api/upload"], said or finished.output
    stored = kiosk.uploads
    return Seen(finished, root, bucket, good, pairs, hashes, uploads, stored, worked_on, said)


def inputs(folder: Path, files: int) -> tuple[Path, list[str]]:
    root = folder / "in"
    root.mkdir()
    return root, pictures.folder_of(root, files)[0]


# -- 200 files, three workers, one of them killed


def three_workers(folder: Path) -> Seen:
    root, good = inputs(folder, FILES)
    arguments = ("--mode", "upload", "--file", str(root), "-r", "40")
    slow = ("--fault", "POST /api/upload latency=0.3")
    with (
        simulator("--folder", str(folder / "bucket"), *slow) as kiosk,
        cluster(
            folder,
            kiosk,
            *arguments,
            workers=3,
            locustfile=LOCUSTFILE,
            at_workers={"FILE": str(root)},
        ) as run,
    ):
        wait_until(lambda: len(kiosk.submissions) >= 60, 40, what="60 submissions")
        run.workers[0].process.kill()
        finished = run.master.finish()
        for worker in run.workers[1:]:
            worker.finish(timeout_s=20)
        return look_at(finished, kiosk, root, folder / "bucket", good, run.said)


@sees(three_workers)
def test_each_file_of_a_folder_is_one_job_though_a_worker_dies_in_mid_upload(seen: Seen) -> None:
    assert seen.finished.code == 0, seen.said
    assert seen.finished.outcomes == {"done": len(seen.good)}
    assert [job["file"] for job in seen.finished.jobs] == seen.good
    ambiguous = [job for job in seen.finished.jobs if job["ambiguous"]]
    twice = seen.submitted - seen.expected
    assert not seen.expected - seen.submitted
    assert twice.total() <= len(ambiguous)  # never a second job in silence
    assert twice <= Counter(
        (job["input_file"], md5_of(seen.root / job["file"])) for job in ambiguous
    )
    assert {job["job_id"] for job in seen.finished.jobs} <= seen.hashes


@sees(three_workers)
def test_a_worker_that_dies_in_mid_upload_costs_a_second_upload_and_not_a_second_job(
    seen: Seen,
) -> None:
    again = seen.uploads - len(seen.good)
    ambiguous = sum(job["ambiguous"] for job in seen.finished.jobs)
    assert again >= 3  # a third of the some 12 uploads that were on their way
    assert ambiguous < again
    assert "worker" not in "".join(job["reason"] or "" for job in seen.finished.jobs)


@sees(three_workers)
def test_what_was_uploaded_is_what_was_in_the_folder(seen: Seen) -> None:
    objects = {stored["name"]: stored["md5"] for stored in seen.stored}
    assert len(objects) == len(seen.stored)  # no name twice
    assert set(objects.values()) == {md5 for _, md5 in seen.expected}
    for name, md5 in objects.items():
        assert md5_of(seen.bucket / name) == md5, name
    for job in seen.finished.jobs:
        assert seen.worked_on[job["job_id"]] == md5_of(seen.root / job["file"]), job["file"]


@sees(three_workers)
def test_workers_download_what_their_jobs_made_and_the_rest_is_counted(seen: Seen) -> None:
    jobs = seen.finished.jobs
    loaded = [job for job in jobs if job["download"] and job["download"]["path"]]
    (results,) = seen.finished.results
    assert results["summary"]["moved"]["downloads"] == len(loaded)
    assert results["summary"]["moved"]["results_missing"] == len(jobs) - len(loaded)
    assert len(loaded) >= len(jobs) - 40  # a dead worker's last ones
    assert len({job["download"]["path"] for job in loaded}) == len(loaded)
    folder = seen.finished.folder.parent
    for job in loaded:
        (path,) = folder.glob(f"worker*/{job['download']['path']}")
        assert path.stat().st_size == job["download"]["bytes"]
        assert zipfile.is_zipfile(path)
        assert job["job_id"].rsplit(":", 1)[-1] in path.name
    assert not list(folder.glob("worker[12]/results/*/*.part"))  # the dead one could not tidy up


@sees(three_workers)
def test_the_junk_is_skipped_and_told(seen: Seen) -> None:
    assert "11 files skipped" in seen.said
    assert "_results on the workers' machines\n" in seen.said
    assert "skipped: notes.txt is neither PNG, JPEG, TIFF nor ZIP" in seen.said


# -- a worker that has not the same files


def blind_worker(folder: Path) -> Seen:
    for name in ("master", "worker0"):
        (folder / name / "in").mkdir(parents=True)
        pictures.png(folder / name / "in" / "a.png")
    shutil.copy(folder / "master" / "in" / "a.png", folder / "worker0" / "in" / "a.png")
    # The same path for all of them, and something else for each.
    arguments = ("--mode", "upload", "--file", "/proc/self/cwd/in", "-u", "1")
    with (
        simulator() as kiosk,
        cluster(folder, kiosk, *arguments, workers=2, locustfile=LOCUSTFILE) as run,
    ):
        finished = run.master.finish()
        for worker in run.workers:
            worker.finish(timeout_s=20)
        return look_at(finished, kiosk, folder, folder, [], run.said)


@sees(blind_worker)
def test_a_file_that_a_worker_cannot_see_ends_the_run_before_anything_is_sent(seen: Seen) -> None:
    assert seen.finished.code == 2
    assert "1 of 1 files to upload are not on this worker's machine" in seen.finished.output
    assert "/proc/self/cwd/in/a.png (No such file or directory)" in seen.finished.output
    assert (seen.uploads, seen.submitted.total()) == (0, 0)


# -- files and results that are not in a worker's working folder


def named_by_the_master_alone(folder: Path) -> Seen:
    root, _ = inputs(folder, 2)
    output_dir = folder / "elsewhere"
    arguments = ("--mode", "upload", "--file", str(root), "--output-dir", str(output_dir))
    with (
        simulator() as kiosk,
        cluster(folder, kiosk, *arguments, workers=1, locustfile=LOCUSTFILE) as run,
    ):
        finished = run.master.finish()
        codes = [worker.finish(timeout_s=20).code for worker in run.workers]
        said = f"{run.said}\n{codes}"
        return look_at(finished, kiosk, root, folder, [], said)


@sees(named_by_the_master_alone)
def test_a_worker_that_was_given_no_folder_elsewhere_ends_the_run_and_says_what_to_set(
    seen: Seen,
) -> None:
    assert seen.finished.code == 2, seen.said
    assert re.search(r"set (OUTPUT_DIR|FILE) \(--\S+\) on the worker", seen.finished.output)
    assert (seen.uploads, seen.submitted.total()) == (0, 0)


def forked(folder: Path) -> Seen:
    root, good = inputs(folder, 4)
    (folder / "work").mkdir()
    arguments = ("--mode", "upload", "--file", str(root), "--run-name", "r", *processes(2))
    elsewhere = ("--output-dir", str(folder / "elsewhere"))
    with simulator("--folder", str(folder / "bucket")) as kiosk:
        finished = run_locust(folder / "work", *arguments, *elsewhere, host=kiosk.url)
        return look_at(finished, kiosk, root, folder / "bucket", good)


@sees(forked)
def test_forked_workers_have_the_folders_of_their_command_line(seen: Seen) -> None:
    assert seen.finished.code == 0, seen.said
    assert seen.submitted == seen.expected
    results = seen.root.parent / "elsewhere" / "r_results"
    assert len(list(results.iterdir())) == len(seen.good)


# -- one process: killed and resumed


def killed_and_resumed(folder: Path) -> Seen:
    root, good = inputs(folder, 40)
    arguments = ("--mode", "upload", "--file", str(root), "-r", "20")
    slow = ("--fault", "POST /api/upload latency=0.3")
    with simulator("--folder", str(folder / "bucket"), *slow) as kiosk:
        first = Locust(folder, *arguments, "--run-name", "r", host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) >= 15, 40, what="15 submissions")
        first.signal(signal.SIGKILL)
        first.process.wait()
        uploaded = leased_and_uploaded(folder)
        (root / good[-1]).unlink()
        pictures.png(root / "new.png")
        finished = run_locust(folder, "--resume", "r", host=kiosk.url, FILE="")
        return replace(look_at(finished, kiosk, root, folder / "bucket", good), uploaded=uploaded)


def leased_and_uploaded(folder: Path) -> frozenset[int]:
    """By a copy of the ledger, so that it is not touched."""
    shutil.copytree(folder / "results", folder / "copy")
    with closing(sqlite3.connect(folder / "copy" / "r.db")) as ledger:
        sql = "SELECT number FROM tickets WHERE state = 'leased' AND uploaded_name IS NOT NULL"
        return frozenset(number for (number,) in ledger.execute(sql))


@sees(killed_and_resumed)
def test_a_resumed_run_has_the_files_that_it_was_planned_with(seen: Seen) -> None:
    assert [job["file"] for job in seen.finished.jobs] == seen.good
    *others, last = seen.finished.jobs
    assert {job["outcome"] for job in others} == {"done"}, seen.said
    assert last["outcome"] == "error"
    assert "cannot be uploaded: No such file or directory" in last["reason"]
    assert "1 file of the plan gone or changed" in seen.said
    assert seen.finished.code == 2
    seen.good.pop()
    twice = seen.submitted - seen.expected
    assert not seen.expected - seen.submitted
    ambiguous = {job["ticket"] for job in others if job["ambiguous"]}
    assert twice.total() <= len(ambiguous)
    assert ambiguous <= seen.uploaded


@sees(killed_and_resumed)
def test_what_was_on_its_way_when_the_process_died_is_uploaded_again(seen: Seen) -> None:
    assert seen.uploads >= 39 + 3


# -- the whole way, without a host


def embedded(folder: Path) -> Finished:
    (folder / "in" / "a").mkdir(parents=True)
    (folder / "in" / "b").mkdir()
    for name in ("a/x.png", "b/x.png", "b/y.png"):
        pictures.png(folder / "in" / name)
    arguments = ("--mode", "upload", "--file", "in", "--count", "2", "--start-delay", "0")
    return run_locust(folder, *arguments, FILE="")


@sees(embedded)
def test_two_files_of_one_name_are_two_jobs_with_two_results(seen: Finished) -> None:
    assert seen.code == 0, seen.output
    found = {job["file"]: job for job in seen.jobs}
    assert list(found) == ["a/x.png", "b/x.png"]  # COUNT takes the first ones
    assert {job["input_file"] for job in seen.jobs} == {"x.png"}
    files = list(seen.folder.glob("results/*_results/*.zip"))
    assert f"downloaded: to {files[0].parent.relative_to(seen.folder)}\n" in seen.output
    assert len(files) == 2
    assert all(zipfile.is_zipfile(file) for file in files)


@sees(embedded)
def test_uploads_and_downloads_are_stages_of_their_own(seen: Finished) -> None:
    percentiles = seen.results[0]["summary"]["percentiles_s"]
    assert percentiles["file_upload"]["count"] == percentiles["result_download"]["count"] == 2
    for job in seen.jobs:
        (upload,) = job["uploads"]
        assert upload["ended_at"] <= job["submitted_at"]
        assert job["closed_at"] <= job["download"]["began_at"]
    assert "file upload" in seen.output
    assert "result download" in seen.output


# -- benchmark mode with uploads


def benchmark_with_uploads(folder: Path) -> Seen:
    pictures.zipped(folder / "set.zip")
    with simulator() as kiosk:
        finished = run_locust(
            folder, "--upload", "--count", "12", "--start-delay", "0", host=kiosk.url,
            FILE="set.zip",
        )  # fmt: skip
        return look_at(finished, kiosk, folder, folder, ["set.zip"] * 12)


@sees(benchmark_with_uploads)
def test_in_benchmark_mode_each_job_uploads_the_file_first(seen: Seen) -> None:
    assert seen.finished.code == 0, seen.said
    assert seen.uploads == len(seen.hashes) == 12
    assert seen.submitted == seen.expected
    assert len({stored["name"] for stored in seen.stored}) == 12  # each job has its own object
    assert not list(seen.finished.folder.glob("results/*_results"))  # unless it is asked for
