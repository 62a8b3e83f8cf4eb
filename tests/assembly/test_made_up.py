"""What a resume makes of a run without a job left: what its finish lacks is made up, no more."""

from __future__ import annotations

import errno
import io
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import gevent
import pytest
from rich.console import Console

from kiosk_locust import RunClosed, events
from kiosk_locust.assembly import already_finished, finalize, resume
from kiosk_locust.assembly.finalize_steps.state import Finalization, Step, StepResult
from kiosk_locust.assembly.resume import Finished, Resumption, Unfinished
from kiosk_locust.checkpoint.archive import Archive
from kiosk_locust.checkpoint.snapshot import pack, unpack
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.query import CostCollector, EndedRun
from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger import finish_steps
from kiosk_locust.ledger.finish_steps import STEPS, FinishRecord
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.ledger.recovery import Mark
from kiosk_locust.measurement import ledger_analysis
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.model.options import FilesOptions, TrustOptions, Wanted
from kiosk_locust.reporting import html, results_json
from kiosk_locust.storage.bucket import Address, open_bucket
from kiosk_locust.verdict import evaluate
from tests.helpers.layered import make_layers
from tests.helpers.ledgers import RUN_ID, T0, Row, make
from tests.helpers.scenarios import make_options

TWO_DONE = (Row(), Row(number=1))
MISSED = TrustOptions(wanted=(Wanted("job.max < 1ms", "--threshold"),))


def died(
    folder: Path, facts: Mapping[str, str] | None = None, rows: Iterable[Row] = TWO_DONE
) -> Path:
    """The ledger of a run of two jobs whose process died when the last one was closed."""
    folder.mkdir(parents=True, exist_ok=True)
    known: dict[str, Any] = {"finished": "false", "ended_at": "", "ended_by": ""}
    known |= {"alive_at": str(T0 + 7), **(facts or {})}
    path = make(folder / "a-run.db", rows, options={"count": 2}, **known)
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO sessions VALUES (1, ?, ?, NULL, NULL, '{}')", (T0 - 2, T0))
        db.commit()
    return path


def found(path: Path, *, is_or_start: bool = True, **flags: str) -> Any:
    given = {f"--{name.replace('_', '-')}": text for name, text in flags.items()}
    return resume._judge(path, make_layers(cli=given), is_or_start=is_or_start)


def make_up(path: Path, **options: Any) -> tuple[int, str]:
    """Resume it; the exit code, and what is said."""
    unfinished = found(path)
    assert isinstance(unfinished, Unfinished)
    written = io.StringIO()
    console = Console(file=written, width=300)
    made = make_options(output_dir=path.parent, count=2, **options)
    verdict = already_finished.make_up(unfinished, made, console, Secrets())
    return verdict.code, written.getvalue()


def meta(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as db:
        return dict(db.execute("SELECT key, value FROM meta").fetchall())


def steps_of(path: Path) -> set[str]:
    kept = meta(path)
    after = json.loads(kept.get("finish_after", '{"steps": []}'))
    return {*json.loads(kept["finish"])["steps"], *after["steps"]}


def full(*_arguments: object, **_named: object) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_each_step_has_a_function_of_its_name_in_the_same_order() -> None:
    functions = (*finalize.STEPS, *finalize.LAST_STEPS)
    assert tuple(step.__name__ for step in functions) == STEPS


# -- which runs it is for


@pytest.mark.parametrize(
    ("rows", "facts", "kind"),
    [
        ((Row(), Row(number=1)), {}, Unfinished),
        ((Row(), Row(number=1, outcome="failed")), {}, Unfinished),
        ((Row(),), {}, Resumption),  # one of two is not begun
        ((Row(), Row(number=1, outcome="timeout")), {}, Resumption),  # it is taken up again
        ((Row(), Row(number=1, outcome="unfinished")), {"ended_at": "9"}, Resumption),
        ((Row(), Row(number=1)), {"finished": "true"}, Unfinished),  # and not judged
        (
            (Row(), Row(number=1)),
            {"finished": "true", "judgement": '{"reasons": [], "unjudged": [], '
             '"thresholds": [], "warnings": []}'},
            Finished,  # by an older version, which kept no steps
        ),
    ],
)  # fmt: skip
def test_a_run_lacks_its_finish_alone_where_the_kiosk_has_closed_every_ticket(
    rows: tuple[Row, ...], facts: dict[str, str], kind: type, tmp_path: Path
) -> None:
    assert isinstance(found(died(tmp_path, facts, rows)), kind)


def test_a_run_without_a_number_of_jobs_is_over_if_its_end_says_so(tmp_path: Path) -> None:
    record = FinishRecord(1, is_over=True).with_step("record_end")
    path = died(tmp_path, record.as_meta(["record_end"]))
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE meta SET value = json_set(value, '$.count', 0) WHERE key = 'options'")
        db.commit()
    assert isinstance(found(path), Unfinished)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM meta WHERE key = 'finish'")
        db.commit()
    assert isinstance(found(path), Resumption)


def test_a_run_that_a_missed_threshold_ended_is_judged_first_and_goes_on_by_resume(
    tmp_path: Path,
) -> None:
    record = FinishRecord(1, aborted="job.max < 1ms: miss").with_step("record_end")
    rows = (Row(), Row(number=1, outcome="unfinished", job_id=None, submitted_at=None))
    path = died(tmp_path, record.as_meta(["record_end"]) | {"ended_at": str(T0 + 6)}, rows)
    assert isinstance(found(path, is_or_start=False), Resumption)
    code, said = make_up(path, trust=MISSED)
    assert (code, "--abort-on-threshold" in said) == (1, True)
    assert isinstance(found(path), Resumption)  # its process has come to its own end now


def test_steps_of_an_earlier_session_count_for_nothing(tmp_path: Path) -> None:
    """An older version knows nothing of the fact when it goes on with a run."""
    record = FinishRecord(1, is_over=True, exit_code=0, steps=frozenset(STEPS))
    path = died(tmp_path, record.as_meta())
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO sessions VALUES (2, ?, ?, NULL, NULL, '{}')", (T0 + 8, T0 + 9))
        db.commit()
    unfinished = found(path)
    assert isinstance(unfinished, Unfinished)
    assert unfinished.record == FinishRecord(2, is_over=True)


# -- what is made up


def test_the_verdict_is_made_up_and_only_then_the_run_is_finished(tmp_path: Path) -> None:
    path = died(tmp_path)
    code, said = make_up(path, trust=MISSED)
    assert code == 1
    assert "died before it was judged" in said
    kept = meta(path)
    assert (kept["finished"], kept["ended_by"]) == ("true", "all tickets closed")
    assert float(kept["ended_at"]) == T0 + 7  # its last sign of life
    assert json.loads(kept["judgement"])["thresholds"][0]["result"] == "miss"
    assert steps_of(path) == set(STEPS)


def test_no_session_begins(tmp_path: Path) -> None:
    path = died(tmp_path)
    make_up(path)
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT number, started_at, ended_at, ended_by FROM sessions").fetchall()
    assert rows == [(1, T0 - 2, T0 + 7, "all tickets closed")]


def test_results_report_and_junit_are_written_and_half_files_are_gone(tmp_path: Path) -> None:
    path = died(tmp_path / "results")
    halves = (
        f"2jobs_0.05delay_{RUN_ID}.json.4711.part",
        *("a-run.html.12.part", "a-run.db.gz.12.part", "a-run.db.12.checkpoint.db"),
        *("a-run.db.fetched", "a-run.db.12.checkpoint.db-journal"),
    )
    strangers = ("another.html.12.part", "a-run.db.swp", f"9jobs_0.1delay_{'b' * 32}.json.1.part")
    for name in (*halves, *strangers):
        (path.parent / f".{name}").write_text("half")
    downloads = path.parent / "a-run_results"
    downloads.mkdir()
    (downloads / "0_a.zip.part").write_text("half")
    (downloads / "1_a.zip").write_text("whole")
    (path.parent / "a-run.db.account").write_text("what was sent")
    trust = TrustOptions(MISSED.wanted, junit_xml=str(tmp_path / "junit.xml"))
    make_up(path, trust=trust)
    own = {"a-run.db", "a-run.html", f"2jobs_0.05delay_{RUN_ID}.json", "a-run_results"}
    assert {each.name for each in path.parent.iterdir()} == own | {f".{n}" for n in strangers}
    assert [each.name for each in downloads.iterdir()] == ["1_a.zip"]
    (suite,) = ET.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert "--threshold" in (tmp_path / "junit.xml").read_text()


def test_what_the_processes_saw_is_judged_though_they_died(tmp_path: Path) -> None:
    seen = Generator({}, workers_lost=3).as_text()
    path = died(tmp_path, {"generator": seen})
    code, said = make_up(path, trust=TrustOptions(limits={"workers-lost": 0.0}))
    assert (code, "INVALID" in said) == (2, True)


class Asked:
    """In place of `CostCollector`: counts who asks."""

    def __init__(self) -> None:
        self.times = 0

    def ask(self, _ended: EndedRun) -> RunCost:
        self.times += 1
        return RunCost("GRAFANA_HOST (http://g)", "it is away")


def test_the_cost_is_asked_for_unless_the_ledger_has_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked()
    monkeypatch.setattr(CostCollector, "ask", asked.ask)
    path = died(tmp_path)
    monkeypatch.setattr(evaluate, "judge", full)
    assert make_up(path)[0] == 2
    monkeypatch.undo()
    monkeypatch.setattr(CostCollector, "ask", asked.ask)
    assert make_up(path)[0] == 0
    assert asked.times == 1
    assert json.loads(meta(path)["cost"])["trouble"] == "it is away"


@pytest.mark.parametrize(
    ("module", "name"),
    [(evaluate, "judge"), (results_json, "write_all"), (html, "write")],
    ids=["verdict", "results", "report"],
)
def test_what_a_full_disk_keeps_from_being_written_is_made_up_once_there_is_room(
    module: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = died(tmp_path)
    monkeypatch.setattr(module, name, full)
    code, said = make_up(path)
    assert (code, "No space left on device" in said) == (2, True)
    assert json.loads(meta(path)["finish"])["exit_code"] is None
    assert meta(path)["finished"] == ("false" if name == "judge" else "true")
    monkeypatch.undo()
    assert make_up(path)[0] == 0
    assert steps_of(path) == set(STEPS)
    assert {each.suffix for each in tmp_path.iterdir()} == {".db", ".html", ".json"}


def test_run_closed_is_told_once(tmp_path: Path) -> None:
    path = died(tmp_path)
    told: list[tuple[str, str, list[str]]] = []

    def listen(run: RunClosed, **_: Any) -> None:
        assert run.judgement is not None
        told.append((run.name, run.judgement.verdict, [file.suffix for file in run.files]))

    events.run_closed.add_listener(listen)
    try:
        make_up(path)
        (path.with_suffix(".html")).unlink()
        make_up(path)
    finally:
        events.run_closed.remove_listener(listen)
    assert told == [("a-run", "VALID", [".db", ".json", ".html"])]


def test_another_process_is_kept_out_until_files_are_written_and_uploaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = []

    def tried(step: Step) -> Step:
        def wrapped(state: Finalization) -> StepResult:
            with pytest.raises(LedgerError, match="is in use"):
                Lock(state.path)
            refused.append(step.__name__)
            return step(state)

        wrapped.__name__ = step.__name__
        return wrapped

    path = died(tmp_path)
    monkeypatch.setattr(finalize, "STEPS", tuple(map(tried, finalize.STEPS)))
    make_up(path)
    assert refused == [step.__name__ for step in finalize.STEPS]
    Lock(path).release()


# -- a finish that is complete


def tell(path: Path) -> tuple[int, str]:
    complete = found(path)
    assert isinstance(complete, Finished)
    written = io.StringIO()
    return already_finished.tell(
        complete, Console(file=written, width=300)
    ).code, written.getvalue()


def test_a_complete_finish_is_answered_with_the_code_that_it_had(tmp_path: Path) -> None:
    path = died(tmp_path)
    make_up(path, trust=MISSED)
    before = {each: each.read_bytes() for each in tmp_path.iterdir()}
    code, said = tell(path)
    assert code == 1
    assert "a-run is finished: nothing is left to do" in said
    assert "this is the exit code that it had" in said
    assert "exit code 1: job.max < 1ms: miss" in said
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before
    with pytest.raises(LedgerError, match="nothing is left to resume"):
        found(path, is_or_start=False)


@pytest.mark.parametrize("suffix", [".json", ".html"])
def test_a_file_that_is_gone_is_written_again_as_it_was(suffix: str, tmp_path: Path) -> None:
    path = died(tmp_path)
    make_up(path)
    (file,) = tmp_path.glob(f"*{suffix}")
    before = file.read_bytes()
    file.unlink()
    assert make_up(path)[0] == 0
    assert file.read_bytes() == before


def test_a_report_that_is_gone_is_made_of_what_the_ledger_keeps_for_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To work that out takes a minute for a million jobs."""
    path = died(tmp_path)
    make_up(path)
    path.with_suffix(".html").unlink()
    monkeypatch.setattr(ledger_analysis, "gather", full)
    assert make_up(path)[0] == 0
    assert path.with_suffix(".html").is_file()


def test_a_junit_file_that_is_wanted_and_not_there_is_written(tmp_path: Path) -> None:
    path = died(tmp_path)
    make_up(path)
    assert isinstance(found(path, junit_xml=str(tmp_path / "junit.xml")), Unfinished)


def test_no_exit_code_0_without_a_verdict_in_the_ledger(tmp_path: Path) -> None:
    path = died(tmp_path)
    make_up(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM meta WHERE key = 'judgement'")
        db.commit()
    unfinished = found(path)
    assert isinstance(unfinished, Unfinished)
    assert {"judge", "decide"} <= set(unfinished.record.missing)
    assert make_up(path, trust=MISSED)[0] == 1


# -- the bucket


def in_bucket(folder: Path) -> dict[str, bytes]:
    return {
        each.name: each.read_bytes() for each in (folder / "output").iterdir() if each.is_file()
    }


def bucket_of(folder: Path) -> FilesOptions:
    folder.mkdir(exist_ok=True)
    return FilesOptions(
        folder.as_uri(), upload_results=True, public_results=False, checkpoint_s=0.0
    )


def test_files_are_uploaded_once_and_the_copy_knows_all_but_that(tmp_path: Path) -> None:
    path, bucket = died(tmp_path / "results"), tmp_path / "bucket"
    make_up(path, files=bucket_of(bucket))
    first = in_bucket(bucket)
    assert {name.rpartition(".")[2] for name in first} == {"gz", "json", "html"}
    (tmp_path / "copy").mkdir()
    copy = tmp_path / "copy" / "a-run.db"
    unpack(bucket / "output" / "a-run.db.gz", copy, "the copy")
    there, here = meta(copy), meta(path)
    assert here.keys() - there.keys() == {"finish_after"}
    assert {key: here[key] for key in there} == there
    assert json.loads(there["finish"])["exit_code"] == 0
    assert isinstance(found(path), Finished)
    archive = Archive(open_bucket(Address(folder=bucket)), Address(folder=bucket))
    assert not archive.keep([path]).missed  # as the command does later
    assert in_bucket(bucket) == first


def test_a_ledger_that_was_restored_from_a_checkpoint_is_no_second_file(tmp_path: Path) -> None:
    path, bucket = died(tmp_path / "results"), tmp_path / "bucket"
    make_up(path, files=bucket_of(bucket))
    first = in_bucket(bucket)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM meta WHERE key = 'finish_after'")
        db.commit()
    pack(path, Mark(T0, "a process"), tmp_path / "packed")
    (tmp_path / "results").rename(tmp_path / "lost")
    (tmp_path / "results").mkdir()
    unpack(tmp_path / "packed", path, "the checkpoint")
    assert make_up(path, files=bucket_of(bucket))[0] == 0
    assert in_bucket(bucket) == first
    names = {each.name for each in (tmp_path / "lost").iterdir()}
    assert {each.name for each in path.parent.iterdir()} == names


def test_an_upload_that_failed_is_tried_again_and_changes_no_exit_code(tmp_path: Path) -> None:
    path, bucket = died(tmp_path / "results"), tmp_path / "bucket"
    (tmp_path / "bucket").mkdir()
    (bucket / "output").write_text("no folder")
    code, said = make_up(path, files=bucket_of(bucket))
    assert (code, "not uploaded" in said) == (0, True)
    unfinished = found(path)
    assert isinstance(unfinished, Unfinished)
    assert unfinished.record.missing == ("upload",)
    (bucket / "output").unlink()
    assert make_up(path, files=bucket_of(bucket))[0] == 0
    assert len(in_bucket(bucket)) == 3
    assert isinstance(found(path), Finished)


def test_a_signal_ends_an_upload_that_goes_on_and_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = died(tmp_path / "results")
    hurries: list[Callable[[], None]] = []

    def keep(_archive: Archive, _files: Iterable[Path]) -> None:
        gevent.spawn(hurries[0])
        gevent.sleep(100)

    monkeypatch.setattr(Archive, "keep", keep)
    files = bucket_of(tmp_path / "bucket")
    unfinished = found(path)
    with gevent.Timeout(30):
        verdict = already_finished.make_up(
            unfinished,
            make_options(output_dir=path.parent, count=2, files=files),
            Console(file=io.StringIO()),
            Secrets(),
            on_hurry=hurries.append,
        )
    assert verdict.code == 0
    assert found(path).record.missing == ("upload",)


def test_the_facts_of_a_finish_are_those_that_were_kept(tmp_path: Path) -> None:
    files = {"write_results": ("a.json", "b.json")}
    record = FinishRecord(
        3, is_over=True, trouble="x", steps=frozenset(STEPS), files=files, exit_code=1, why="y",
        urls=("gs://b/a.json",),
    )  # fmt: skip
    assert FinishRecord.from_meta(record.as_meta(), 3) == record
    assert FinishRecord.from_meta(record.as_meta(["judge"]), 3) != record
    assert FinishRecord.from_meta({}, 3) is None


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"write_results": ["../secret.json"]}},
        {"files": {"write_results": ["/etc/passwd"]}},
        {"files": []},
        {"exit_code": 3},
        {"exit_code": True},
        {"steps": [[]]},
    ],
)
def test_what_is_not_ours_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    kept = json.loads(FinishRecord(1).as_meta(["judge"])[finish_steps.KEY])
    path = died(tmp_path, {"finish": json.dumps(kept | change)})
    with pytest.raises(LedgerError):
        found(path)
