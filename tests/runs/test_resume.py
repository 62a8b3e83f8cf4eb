"""A run that was killed or interrupted goes on, and the server's log tells what was sent."""

from __future__ import annotations

import itertools
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.real import ROOT, Finished, Locust, Simulator, run_locust, simulator, wait_until

SLOW = ("--predict-s=1",)
AT_20_A_SECOND = ("-u", "60", "-r", "20")


def interrupted(
    kiosk: Simulator, folder: Path, number: signal.Signals, *arguments: str, after: int = 20,
    **settings: Any,
) -> None:  # fmt: skip
    """Start a run, and end it by a signal once ``after`` jobs were submitted in all."""
    run = Locust(folder, *arguments, host=kiosk.url, **settings)
    wait_until(lambda: len(kiosk.submissions) >= after, what=f"{after} submissions")
    run.signal(number)
    run.finish()


def resume(kiosk: Simulator, folder: Path, *arguments: str, **settings: Any) -> Finished:
    return run_locust(folder, "--resume", "latest", *arguments, host=kiosk.url, **settings)


def nothing_is_lost_or_doubled(kiosk: Simulator, finished: Finished, jobs: int) -> None:
    """N records, each of one ticket; a hash more at the server only where one is ambiguous."""
    assert (finished.code, finished.outcomes) == (0, {"done": jobs}), finished.output
    assert len({(job["cycle"], job["ticket"]) for job in finished.jobs}) == jobs
    known = {job["job_id"] for job in finished.jobs}
    assert len(known) == jobs
    hashes = {s["hash"] for s in kiosk.submissions}
    ambiguous = sum(job["ambiguous"] for job in finished.jobs)
    assert known <= hashes
    assert len(hashes - known) <= ambiguous


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGINT, marks=pytest.mark.resilience),
        pytest.param(signal.SIGTERM, marks=pytest.mark.resilience),
    ],
)
def test_a_run_that_was_ended_by_a_signal_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    with simulator(*SLOW) as kiosk:
        interrupted(kiosk, tmp_path, number, *AT_20_A_SECOND, "-s", "0")
        finished = resume(kiosk, tmp_path)
        nothing_is_lost_or_doubled(kiosk, finished, 60)
        if number != signal.SIGKILL:
            assert len(kiosk.submissions) == 60
    (found,) = finished.results
    assert [s["number"] for s in found["sessions"]] == [1, 2]
    (gap,) = found["gaps"]
    assert gap["seconds"] == pytest.approx(gap["to"] - gap["from"])
    assert 0 < gap["seconds"] < 30
    assert found["summary"]["rate_wanted_per_s"] == pytest.approx(20, rel=0.01)


@pytest.mark.resilience
def test_what_was_surely_not_sent_is_not_ambiguous(tmp_path: Path) -> None:
    with simulator(*SLOW) as kiosk:
        interrupted(kiosk, tmp_path, signal.SIGKILL, *AT_20_A_SECOND)
        finished = resume(kiosk, tmp_path)
    ambiguous = [job["ticket"] for job in finished.jobs if job["ambiguous"]]
    assert len(ambiguous) <= 12  # those due within the half second after the last sign of life
    assert all(
        [a["result"] for a in job["attempts"]] == ["maybe", "accepted"]
        for job in finished.jobs
        if job["ambiguous"]
    )


@pytest.mark.resilience
def test_a_run_can_be_killed_and_resumed_again_and_again(tmp_path: Path) -> None:
    with simulator(*SLOW) as kiosk:
        interrupted(kiosk, tmp_path, signal.SIGKILL, *AT_20_A_SECOND, after=10)
        interrupted(kiosk, tmp_path, signal.SIGKILL, "--resume", "latest", after=25)
        interrupted(kiosk, tmp_path, signal.SIGINT, "--resume", "latest", "-s", "0", after=40)
        finished = resume(kiosk, tmp_path)
        nothing_is_lost_or_doubled(kiosk, finished, 60)
    ended_by = [s["ended_by"] for s in finished.results[0]["sessions"]]
    assert ended_by == [
        "the process died",
        "the process died",
        "Ctrl-C (SIGINT)",
        "all tickets closed",
    ]


@pytest.mark.resilience
def test_a_closed_run_goes_on_with_another_number_of_users(tmp_path: Path) -> None:
    with simulator("--predict-s=0.3") as kiosk:
        interrupted(kiosk, tmp_path, signal.SIGKILL, "--count", "40", "-u", "8", "-r", "50")
        finished = resume(kiosk, tmp_path, "-u", "4")
        nothing_is_lost_or_doubled(kiosk, finished, 40)
    (found,) = finished.results
    assert found["summary"]["workload"] == "closed"
    assert found["sessions"][1]["changed"] == {"users": [8, 4]}
    begun = found["sessions"][1]["time_zero"]
    new = [job for job in finished.jobs if job["submitted_at"] > begun]
    assert most_at_once(new) <= 4


def most_at_once(jobs: list[dict[str, Any]]) -> int:
    steps = sorted([(j["submitted_at"], 1) for j in jobs] + [(j["closed_at"], -1) for j in jobs])
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


@pytest.mark.resilience
def test_cycles_go_on_where_they_were(tmp_path: Path) -> None:
    with simulator() as kiosk:
        cycles = ("-u", "10", "-r", "20", "--num-cycles", "3")
        interrupted(kiosk, tmp_path, signal.SIGKILL, *cycles, after=15)
        finished = resume(kiosk, tmp_path)
        nothing_is_lost_or_doubled(kiosk, finished, 30)
    began = [found["cycles"][0]["started_at"] for found in finished.results]
    assert began == sorted(began)
    assert began[1] < finished.results[0]["sessions"][1]["started_at"] < began[2]


@pytest.mark.resilience
def test_jobs_left_in_the_kiosk_are_told_with_the_way_to_go_on(tmp_path: Path) -> None:
    with simulator("--predict-s=3") as kiosk:
        run = Locust(tmp_path, *AT_20_A_SECOND, "-s", "0", "--run-name", "mine", host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) >= 10, what="10 submissions")
        run.signal(signal.SIGINT)
        left = run.finish()
        queued = len(kiosk.submissions)
        assert f"left in the Kiosk: {queued} jobs of this run" in left.output
        assert "--resume mine" in left.output
        finished = run_locust(tmp_path, "--resume", "mine", host=kiosk.url)
        nothing_is_lost_or_doubled(kiosk, finished, 60)
        assert len(kiosk.submissions) == 60


@pytest.mark.resilience
def test_what_an_interrupted_run_left_can_be_told_to_expire(tmp_path: Path) -> None:
    with simulator("--predict-s=600") as kiosk:
        interrupted(kiosk, tmp_path, signal.SIGINT, "-u", "8", "-r", "50", "-s", "0", after=8)
        (path,) = tmp_path.glob("results/*.db")
        assert kiosk.requests["POST /api/redis/expire"] == 0
        command = [sys.executable, "-m", "kiosk_locust", "expire", str(path)]
        done = subprocess.run(
            command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=30
        )
        assert (done.returncode, kiosk.requests["POST /api/redis/expire"]) == (0, 8), done.stderr
        assert "8 hashes were told to expire" in done.stderr


# -- what a run does with a ledger that it cannot go on with


def dumped(path: Path) -> list[str]:
    """All that a ledger says, but the signs of life of a run that is on; nothing of no ledger."""
    try:
        with closing(sqlite3.connect(path)) as db:
            of_itself = ("'alive_at'", "'generator'")  # each few seconds, what the process saw
            return [line for line in db.iterdump() if not any(key in line for key in of_itself)]
    except sqlite3.DatabaseError:
        return []


def refused(folder: Path, *arguments: str, **settings: Any) -> str:
    """What a run says that does not start, and that has changed no ledger."""
    before = {p: dumped(p) for p in folder.glob("results/*.db")}
    finished = run_locust(folder, *arguments, **settings)
    assert finished.code == 2, finished.output
    assert "Traceback" not in finished.output
    assert {p: dumped(p) for p in folder.glob("results/*.db")} == before
    return " ".join(finished.output.split())


@pytest.mark.resilience
def test_what_makes_another_plan_is_a_mistake_that_names_it(tmp_path: Path) -> None:
    with simulator(*SLOW) as kiosk:
        interrupted(kiosk, tmp_path, signal.SIGKILL, *AT_20_A_SECOND, "--run-name", "a", after=5)
        said = refused(
            tmp_path,
            *("--resume", "a", "-u", "5", "-r", "10", "--count", "61", "--job-type", "mesmer"),
            host="http://127.0.0.1:9",
            dotenv="SCALE=2\n",
            NUM_CYCLES="2",
        )
        sources = ("-r = '10'", "--count = '61'", "--job-type = 'mesmer'", "SCALE in .env = '2'")
        for source in (*sources, "NUM_CYCLES in the environment = '2'", "API_HOST in the env"):
            assert source in said
        assert "the ledger results/a.db has count 60" in said
        assert "-u" not in said.split("cannot be used:")[1].replace("-u 60", "")
        (tmp_path / ".env").unlink()
        same = kiosk.url.removeprefix("http://") + "/"
        finished = run_locust(tmp_path, "--resume", "a", "-r", "20", "--count", "60", host=same)
        nothing_is_lost_or_doubled(kiosk, finished, 60)


@pytest.mark.resilience
def test_what_cannot_be_resumed_is_told_in_words(tmp_path: Path) -> None:
    with simulator() as kiosk:
        assert "there is no ledger" in refused(tmp_path, "--resume", "latest", host=kiosk.url)
        done = run_locust(tmp_path, "-u", "3", "--run-name", "b", host=kiosk.url)
        assert done.code == 0
        said = refused(tmp_path, "--resume", "none", host=kiosk.url)
        assert "no ledger results/none.db; the last ones in results are b" in said
        assert "is finished" in refused(tmp_path, "--resume", "b", host=kiosk.url)
        assert "contradicts --resume b" in refused(
            tmp_path, "--resume", "b", "--resume-or-start", "b", host=kiosk.url
        )
        assert "keeps its name" in refused(
            tmp_path, "--resume", "b", host=kiosk.url, RUN_NAME="other"
        )
        (tmp_path / "results" / "c.db").write_bytes(b"no database at all" * 300)
        assert "is damaged: file is not a database" in refused(
            tmp_path, "--resume", "c", host=kiosk.url
        )


@pytest.mark.resilience
def test_an_embedded_simulated_run_cannot_be_resumed(tmp_path: Path) -> None:
    run = Locust(tmp_path, "-u", "50", "-r", "5", "--run-name", "e")
    wait_until(lambda: "the first job is due" in run.output, what="the start")
    run.process.kill()
    run.process.wait()
    for flag in ("--resume", "--resume-or-start"):
        assert "embedded simulated Kiosk" in refused(tmp_path, flag, "e")


@pytest.mark.resilience
def test_a_second_process_on_a_ledger_is_told_who_has_it(tmp_path: Path) -> None:
    with simulator("--predict-s=600") as kiosk:
        arguments = ("-u", "5", "--run-name", "d", "-s", "0", "--update-interval", "600")
        run = Locust(tmp_path, *arguments, host=kiosk.url)
        path = tmp_path / "results" / "d.db"
        wait_until(lambda: "".join(dumped(path)).count("'submitted'") == 5 + 1, what="5 jobs")
        said = refused(tmp_path, "--resume", "d", host=kiosk.url)
        assert f"process {run.process.pid} is running it" in said
        run.signal(signal.SIGINT)
        run.finish()


@pytest.mark.resilience
def test_resume_or_start_starts_goes_on_and_then_tells_the_exit_code(tmp_path: Path) -> None:
    pod = ("--resume-or-start", "pod", *AT_20_A_SECOND)
    with simulator("--failure-rate=1") as kiosk:
        interrupted(kiosk, tmp_path, signal.SIGKILL, *pod)
        assert (tmp_path / "results" / "pod.db").exists()
        finished = run_locust(tmp_path, *pod, host=kiosk.url)
        assert (finished.code, finished.outcomes) == (1, {"failed": 60})
        submitted = len(kiosk.submissions)
        (results,) = (tmp_path / "results").glob("*.json")
        results.unlink()
        again = run_locust(tmp_path, *pod, host=kiosk.url)
        assert len(kiosk.submissions) == submitted
    assert again.code == 1
    assert "the run pod is finished" in again.output
    assert again.outcomes == {"failed": 60}  # the results were written again


@pytest.mark.resilience
def test_a_run_killed_before_its_first_word_is_started_anew(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "pod.db").touch()
    with simulator() as kiosk:
        run = run_locust(tmp_path, "--resume-or-start", "pod", "-u", "3", host=kiosk.url)
    assert (run.code, run.outcomes) == (0, {"done": 3}), run.output


@pytest.mark.resilience
def test_a_torn_end_of_the_file_is_forgotten(tmp_path: Path) -> None:
    with simulator(*SLOW) as kiosk:
        interrupted(kiosk, tmp_path, signal.SIGKILL, *AT_20_A_SECOND)
        (wal,) = (tmp_path / "results").glob("*.db-wal")
        with wal.open("r+b") as file:
            file.truncate(wal.stat().st_size - 100)
        finished = resume(kiosk, tmp_path)
        assert (finished.code, finished.outcomes) == (0, {"done": 60}), finished.output


@pytest.mark.resilience
def test_the_times_of_a_trace_come_from_the_ledger(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    trace.write_text("".join(f"{number * 0.05}\n" for number in range(40)))
    with simulator(*SLOW) as kiosk:
        given = ("--arrival-trace", str(trace))
        interrupted(kiosk, tmp_path, signal.SIGKILL, *given, after=10)
        trace.unlink()
        finished = resume(kiosk, tmp_path, *given)
        nothing_is_lost_or_doubled(kiosk, finished, 40)
    with closing(sqlite3.connect(next(tmp_path.glob("results/*.db")))) as db:
        dues = db.execute(
            "SELECT due_at FROM tickets WHERE taken_at > (SELECT max(started_at) FROM sessions)"
        ).fetchall()
    steps = [round(b[0] - a[0], 3) for a, b in itertools.pairwise(dues)]
    assert set(steps) == {0.05}
