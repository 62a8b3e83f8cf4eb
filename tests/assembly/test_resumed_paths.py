"""A ledger of another's making names files and hosts: what whoever resumes it says comes first."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.assembly import resume
from kiosk_locust.cli import upload_results
from kiosk_locust.config import resolve as resolving
from kiosk_locust.errors import LedgerError, OptionsError
from kiosk_locust.ledger.resume_state import inputs_left
from kiosk_locust.ledger.schema import create
from kiosk_locust.model.input_file import InputFile, Kind
from kiosk_locust.model.options import Options, options_as_json
from tests.helpers.layered import make_layers
from tests.helpers.layered import resolve as resolve_settings
from tests.helpers.ledgers import Row, make, never_leased
from tests.storage.inputs import pictures

KIOSK, ANOTHER = "http://kiosk.example", "http://another.example"
JSON = dict[str, Any]


class Scene:
    """A working folder, a folder of images in it, one elsewhere, and a ledger that is resumed."""

    def __init__(self, folder: Path) -> None:
        self.work, self.elsewhere = folder / "work", folder / "elsewhere"
        self.images = self.work / "images"
        self.secret = self.elsewhere / "secret.txt"
        for place in (self.images / "a", self.elsewhere):
            place.mkdir(parents=True)
        self.secret.write_text("nobody's business")
        for path in (self.images / "one.png", self.images / "a" / "two.png"):
            pictures.png(path)
        pictures.png(self.elsewhere / "one.png")
        self.path = self.work / "results" / "run.db"
        self.path.parent.mkdir()

    def planned(self, **env: str) -> Options:
        """The options of the run that is resumed, as its process had them."""
        given = {"API_HOST": KIOSK, "MODE": "upload", "FILE": str(self.images), "COUNT": "2"} | env
        return resolve_settings(env=given).options

    def ledger(
        self, planned: Options, named: tuple[InputFile, ...] | None = None, **changed: Any
    ) -> None:
        """Write it; ``changed`` are options that it has otherwise, or those of ``transfers``."""
        told = json.loads(json.dumps(options_as_json(planned)))
        moved = told["transfers"]
        told |= {name: value for name, value in changed.items() if name not in moved}
        told["transfers"] |= {name: value for name, value in changed.items() if name in moved}
        self.path.unlink(missing_ok=True)
        make(self.path, [], options=told, finished="false", host=KIOSK, run_name="run")
        with closing(sqlite3.connect(self.path)) as db:
            for number, file in enumerate(planned.transfers.inputs if named is None else named):
                row = (number, *file.as_json())
                db.execute("INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?)", row)
            db.commit()

    def closed(self, ticket_id: int) -> None:
        """Have a ticket of it be done."""
        with closing(sqlite3.connect(self.path)) as db:
            db.execute(
                """INSERT INTO tickets (id, cycle, number, state, file, job_id, outcome)
                VALUES (?, 1, ?, 'closed', 'x.png', 'segmentation:x.png:1', 'done')""",
                (ticket_id, ticket_id),
            )
            db.commit()

    def resumed(self, **env: str) -> resolving.Resolved:
        """What a run has that goes on with the ledger; as the plugin does it."""
        given = make_layers(cli={"--resume": str(self.path)}, env=env)
        found = resume.find(given)
        if isinstance(found, resume.Unfinished):
            found = found.resumption
        assert isinstance(found, resume.Resumption)
        under = found.under(given)
        resolved = resolving.resolve(
            under, headless=True, rng=random.Random(1), planned=found.planned
        )
        return replace(resolved, options=found.options(resolved, given, None))

    def uploads(self, **env: str) -> list[Path]:
        """The files that it would upload."""
        moved = self.resumed(**env).options.transfers
        return [Path(moved.root, file.path) for file in moved.inputs]

    def refusal(self, **env: str) -> str:
        with pytest.raises((OptionsError, LedgerError)) as refused:
            self.resumed(**env)
        return str(refused.value)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(tmp_path)
    monkeypatch.chdir(made.work)
    return made


def both(folder: Path) -> list[Path]:
    return [folder / "a" / "two.png", folder / "one.png"]


# -- where the files of the plan are


def test_a_run_is_resumed_with_the_files_of_the_same_folder(scene: Scene) -> None:
    scene.ledger(scene.planned())
    assert scene.uploads(FILE=str(scene.images)) == both(scene.images)


def test_a_host_that_is_not_given_again_is_no_other_setting(scene: Scene) -> None:
    scene.ledger(scene.planned())
    found = resume.find(make_layers(cli={"--resume": str(scene.path)}))
    assert isinstance(found, resume.Resumption)
    assert "transfers" not in found.changed(scene.resumed(FILE=str(scene.images)).options)


def test_a_folder_that_the_ledger_names_instead_of_the_operators_does_not_count(
    scene: Scene,
) -> None:
    scene.ledger(scene.planned(), root=str(scene.elsewhere))
    assert scene.uploads(FILE=str(scene.images)) == both(scene.images)


def test_another_file_by_the_ledger_is_told_and_does_not_count(scene: Scene) -> None:
    scene.ledger(scene.planned(), file=str(scene.elsewhere), root=str(scene.elsewhere))
    resolved = scene.resumed(FILE=str(scene.images))
    assert (resolved.options.file, resolved.options.transfers.root) == (str(scene.images),) * 2
    assert (
        f"FILE = {scene.images} in the environment counts: the ledger {scene.path} would upload"
        f" from {scene.elsewhere}"
    ) in resolved.notices


def test_the_same_files_may_be_elsewhere_on_this_machine(scene: Scene) -> None:
    scene.ledger(scene.planned())
    moved = scene.images.rename(scene.elsewhere / "mounted")
    assert scene.uploads(FILE=str(moved)) == both(moved)


def test_without_file_the_ledgers_own_counts_in_the_working_folder(scene: Scene) -> None:
    scene.ledger(scene.planned())
    resolved = scene.resumed(API_HOST=KIOSK)
    assert [file.path for file in resolved.options.transfers.inputs] == ["a/two.png", "one.png"]
    assert any(f"files are uploaded from {scene.images}, which" in n for n in resolved.notices)


# -- files and the Kiosk that they go to: one of the two is given by whoever resumes the run


def test_files_and_host_that_the_ledger_alone_names_are_refused_with_both(scene: Scene) -> None:
    scene.ledger(scene.planned())
    said = scene.refusal()
    assert f"API_HOST and FILE in the ledger {scene.path} = '{KIOSK} and {scene.images}'" in said
    assert "give API_HOST (--host) or FILE (--file) again" in said


def test_a_host_of_the_user_class_is_none_that_the_ledger_alone_names(scene: Scene) -> None:
    scene.ledger(scene.planned())
    given = make_layers(cli={"--resume": str(scene.path)})
    found = resume.find(given)
    assert isinstance(found, resume.Resumption)
    resolved = resolving.resolve(
        found.under(given), headless=True, rng=random.Random(1), planned=found.planned
    )
    assert found.options(resolved, given, KIOSK).host == KIOSK


def test_files_go_to_this_machine_itself_without_a_word_from_who_resumes_the_run(
    scene: Scene,
) -> None:
    scene.ledger(scene.planned(API_HOST="http://127.0.0.1:8080"), host="http://127.0.0.1:8080")
    assert scene.uploads() == both(scene.images)


def test_a_run_that_uploads_nothing_goes_on_with_the_ledgers_file_and_host(scene: Scene) -> None:
    scene.ledger(scene.planned(MODE="benchmark", FILE="uploads/one.png"))
    assert scene.resumed().options.host == KIOSK


def test_a_file_is_in_a_plan_once(scene: Scene) -> None:
    files = scene.planned().transfers.inputs
    scene.ledger(scene.planned(), (files[0], replace(files[0], size=files[0].size + 1)))
    said = scene.refusal(FILE=str(scene.images))
    assert "1 row of inputs cannot have the path of another one" in said


@pytest.mark.parametrize("path", ["./one.png", "a//two.png", "a/./two.png"])
def test_a_file_has_one_name_in_a_plan(scene: Scene, path: str) -> None:
    scene.ledger(scene.planned(), (replace(scene.planned().transfers.inputs[0], path=path),))
    assert f"{path} is no path below FILE" in scene.refusal(FILE=str(scene.images))


# -- where the files of the plan are, once more


def test_without_file_one_outside_of_the_working_folder_does_not_count(scene: Scene) -> None:
    scene.ledger(scene.planned(FILE=str(scene.elsewhere / "one.png")))
    said = scene.refusal()
    assert f"FILE in the ledger {scene.path} = '{scene.elsewhere / 'one.png'}'" in said
    assert "is not in the working folder" in said
    assert "set FILE (--file) to it if that is meant" in said


def test_what_the_refusal_says_to_set_is_what_lets_it_go_on(scene: Scene) -> None:
    scene.ledger(scene.planned(FILE=str(scene.elsewhere)))
    assert scene.uploads(FILE=str(scene.elsewhere)) == [scene.elsewhere / "one.png"]


def test_a_link_in_the_working_folder_leads_out_of_it(scene: Scene) -> None:
    (scene.work / "link").symlink_to(scene.elsewhere)
    scene.ledger(scene.planned(FILE=str(scene.elsewhere)), file=str(scene.work / "link"))
    assert "is not in the working folder" in scene.refusal()


def test_the_root_of_all_folders_is_no_working_folder(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.ledger(scene.planned())
    monkeypatch.chdir("/")
    assert "is not in the working folder" in scene.refusal()


@pytest.mark.parametrize("path", ["{elsewhere}/one.png", "../../elsewhere/one.png", "a/../one.png"])
def test_a_path_that_leads_out_of_the_folder_is_refused(scene: Scene, path: str) -> None:
    strange = path.format(elsewhere=scene.elsewhere)
    size = (scene.elsewhere / "one.png").stat().st_size
    scene.ledger(scene.planned(), (InputFile(strange, size, Kind.PNG, 1),))
    assert f"{strange} is no path below FILE" in scene.refusal(FILE=str(scene.images))


def test_a_folder_that_is_a_link_to_another_is_not_gone_through(scene: Scene) -> None:
    (scene.images / "link").symlink_to(scene.elsewhere)
    size = (scene.elsewhere / "one.png").stat().st_size
    scene.ledger(scene.planned(), (InputFile("link/one.png", size, Kind.PNG, 1),))
    said = scene.refusal(FILE=str(scene.images))
    assert "link/one.png is reached by a link that leads out of the folder" in said


def test_a_link_is_followed_where_who_resumes_it_says_so(scene: Scene) -> None:
    (scene.images / "link").symlink_to(scene.elsewhere)
    size = (scene.elsewhere / "one.png").stat().st_size
    files = (InputFile("link/one.png", size, Kind.PNG, 1),)
    scene.ledger(scene.planned(), files, follow_symlinks=True)
    given = {"FILE": str(scene.images)}
    assert "it had FOLLOW_SYMLINKS=true, which counts only where" in scene.refusal(**given)
    assert len(scene.uploads(**given, FOLLOW_SYMLINKS="true")) == 1


def test_of_a_single_file_no_neighbour_is_uploaded(scene: Scene) -> None:
    alone = {"MODE": "benchmark", "UPLOAD": "true", "FILE": str(scene.images / "one.png")}
    pictures.png(scene.images / "other.png")
    size = (scene.images / "other.png").stat().st_size
    scene.ledger(scene.planned(**alone), (InputFile("other.png", size, Kind.PNG, 1),))
    assert "other.png is not FILE, one.png" in scene.refusal(FILE=alone["FILE"])
    scene.ledger(scene.planned(**alone))
    assert scene.uploads(FILE=alone["FILE"]) == [scene.images / "one.png"]


def test_hidden_files_stay_where_they_are(scene: Scene) -> None:
    pictures.png(scene.images / ".hidden.png")
    size = (scene.images / ".hidden.png").stat().st_size
    scene.ledger(scene.planned(), (InputFile(".hidden.png", size, Kind.PNG, 1),))
    assert ".hidden.png is hidden" in scene.refusal(FILE=str(scene.images))


# -- what they are


def with_secret(scene: Scene) -> tuple[InputFile, ...]:
    """A plan that says of a text that it is an image, which both of its tickets upload."""
    path = scene.images / "secret.png"
    path.write_text(scene.secret.read_text())
    return (InputFile("secret.png", path.stat().st_size, Kind.PNG, 1),)


def test_what_is_no_image_is_not_uploaded_whatever_the_ledger_calls_it(scene: Scene) -> None:
    scene.ledger(scene.planned(), with_secret(scene))
    said = scene.refusal(FILE=str(scene.images))
    assert "secret.png is neither PNG, JPEG, TIFF nor ZIP" in said
    assert "nobody's" not in said


def test_that_nothing_is_looked_at_counts_only_where_who_resumes_it_says_so(scene: Scene) -> None:
    scene.ledger(scene.planned(), with_secret(scene), input_checks="none")
    given = {"FILE": str(scene.images)}
    assert "it had INPUT_CHECKS=none, which counts only where" in scene.refusal(**given)
    assert len(scene.uploads(**given, INPUT_CHECKS="none")) == 1


def test_a_file_of_another_kind_than_planned_is_refused(scene: Scene) -> None:
    planned = scene.planned()
    files = tuple(replace(file, kind=Kind.JPEG) for file in planned.transfers.inputs)
    scene.ledger(planned, files)
    said = scene.refusal(FILE=str(scene.images))
    assert "one.png is PNG, and was JPEG when the run was planned" in said


def test_files_that_no_ticket_is_left_for_are_not_looked_at(scene: Scene) -> None:
    files = (scene.planned().transfers.inputs[1], with_secret(scene)[0])
    scene.ledger(scene.planned(), files)
    scene.closed(1)
    assert len(scene.uploads(FILE=str(scene.images))) == 2
    scene.ledger(scene.planned(), files)
    scene.closed(0)
    assert "secret.png is neither" in scene.refusal(FILE=str(scene.images))


def test_files_that_are_gone_are_left_to_their_jobs(scene: Scene) -> None:
    scene.ledger(scene.planned())
    (scene.images / "one.png").unlink()
    assert scene.uploads(FILE=str(scene.images)) == both(scene.images)


def test_a_folder_that_is_not_there_is_told_before_any_job_ends_with_an_error(
    scene: Scene,
) -> None:
    scene.ledger(scene.planned())
    said = scene.refusal(FILE=str(scene.work / "mnt"))
    assert f"FILE in the environment = '{scene.work / 'mnt'}'" in said
    assert "there is no" in said


def test_what_has_nothing_left_to_upload_needs_no_folder(scene: Scene) -> None:
    scene.ledger(scene.planned())
    scene.closed(0)
    with closing(sqlite3.connect(scene.path)) as db:
        db.execute(TICKET + "(1, 1, 1, 'submitted', 'x', 'j', NULL)")  # it is polled on
        db.commit()
    assert scene.resumed(FILE=str(scene.work / "mnt")).options.count == 2


TICKET = "INSERT INTO tickets (id, cycle, number, state, file, job_id, outcome) VALUES "
SETTLED_AND_NOT = [
    ("(0, 1, 0, 'closed', 'x', 'j', 'done')", {1, 2}),
    ("(0, 1, 0, 'closed', 'x', NULL, 'rejected')", {1, 2}),
    ("(0, 1, 0, 'submitted', 'x', 'j', NULL)", {1, 2}),
    ("(0, 1, 0, 'closed', 'x', 'j', 'unfinished')", {1, 2}),  # its job is polled on
    ("(0, 1, 0, 'closed', 'x', NULL, 'unfinished')", {0, 1, 2}),
    ("(0, 1, 0, 'leased', 'x', NULL, NULL)", {0, 1, 2}),
    ("(0, 1, 0, 'open', 'x', 'j', NULL)", {0, 1, 2}),
    ("(7, 1, 0, 'closed', 'x', 'j', 'done')", {0, 1, 2}),  # of no ticket of the plan
    ("(3, 1, 0, 'closed', 'x', 'j', 'done')", {0, 1, 2}),  # the same file once more
    ("(0, 1, 9, 'closed', 'x', 'j', 'done'), (3, 1, 9, 'closed', 'x', 'j', 'done')", {1, 2}),
]


@pytest.mark.parametrize(("rows", "left"), SETTLED_AND_NOT)
def test_a_file_is_left_as_long_as_one_of_its_tickets_is(rows: str, left: set[int]) -> None:
    count = 6 if "(3," in rows else 3
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        create(db)
        db.execute(TICKET + rows)
        assert set(inputs_left(db, 3, {"count": count, "num_cycles": 1})) == left


# -- which Kiosk the jobs go to


def host(scene: Scene, **env: str) -> str | None:
    return scene.resumed(FILE=str(scene.images), **env).options.host


def test_another_host_by_the_ledger_is_a_mistake_that_says_what_it_wanted(scene: Scene) -> None:
    scene.ledger(scene.planned(), host=ANOTHER)
    with closing(sqlite3.connect(scene.path)) as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'host'", (ANOTHER,))
        db.commit()
    said = scene.refusal(FILE=str(scene.images), API_HOST=KIOSK)
    assert f"API_HOST in the environment = '{KIOSK}'" in said
    assert f"the ledger {scene.path} has host {ANOTHER}" in said
    assert "leave it out" not in said


def test_where_the_run_was_makes_no_other_host_of_the_one_that_was_given(scene: Scene) -> None:
    scene.ledger(scene.planned(), host=ANOTHER)  # and says elsewhere that it was at KIOSK
    assert host(scene, API_HOST=KIOSK) == KIOSK


def test_a_redirect_of_the_first_start_is_no_contradiction(scene: Scene) -> None:
    scene.ledger(scene.planned(API_HOST="http://old.example"))
    assert host(scene, API_HOST="http://old.example") == "http://old.example"
    assert host(scene, API_HOST=KIOSK) == KIOSK


def test_without_a_host_the_ledgers_counts(scene: Scene) -> None:
    scene.ledger(scene.planned())
    assert host(scene) == KIOSK


# -- other files of this machine that a ledger names


def other(scene: Scene, **changed: Any) -> None:
    scene.ledger(scene.planned(), **changed)


def elsewhere_in(scene: Scene) -> Mapping[str, tuple[JSON, str]]:
    told = json.loads(json.dumps(options_as_json(scene.planned())))
    return {
        "PRICES": ({"cost": told["cost"] | {"prices": str(scene.secret)}}, str(scene.secret)),
        "JUNIT_XML": (
            {"trust": told["trust"] | {"junit_xml": str(scene.elsewhere / "j.xml")}},
            str(scene.elsewhere / "j.xml"),
        ),
        "STORAGE_BUCKET": (
            {"files": told["files"] | {"storage_bucket": scene.elsewhere.as_uri()}},
            scene.elsewhere.as_uri(),
        ),
    }


@pytest.mark.parametrize("name", ["PRICES", "JUNIT_XML"])
def test_no_other_path_of_a_ledger_counts_elsewhere(scene: Scene, name: str) -> None:
    changed, text = elsewhere_in(scene)[name]
    other(scene, **changed)
    said = scene.refusal(FILE=str(scene.images))
    assert f"{name} in the ledger {scene.path} = '{text}': is neither in the working folder" in said
    assert f"set {name} to it if that is meant" in said
    assert "nobody's" not in said


@pytest.mark.parametrize("place", ["elsewhere", "beside"])
def test_a_bucket_that_the_ledger_alone_names_is_never_used(scene: Scene, place: str) -> None:
    folder = {"elsewhere": scene.elsewhere, "beside": scene.path.parent}[place]
    files = json.loads(json.dumps(options_as_json(scene.planned())))["files"]
    other(scene, files=files | {"storage_bucket": folder.as_uri()})
    assert scene.resumed(FILE=str(scene.images)).options.files.storage_bucket == ""


def test_what_is_given_again_comes_before_the_ledgers(scene: Scene) -> None:
    changed, _ = elsewhere_in(scene)["STORAGE_BUCKET"]
    other(scene, **changed)
    ours = (scene.work / "bucket").as_uri()
    files = scene.resumed(FILE=str(scene.images), STORAGE_BUCKET=ours).options.files
    assert files.storage_bucket == ours


def test_a_path_beside_the_ledger_counts(scene: Scene) -> None:
    told = json.loads(json.dumps(options_as_json(scene.planned())))
    junit = str(scene.path.with_name("junit.xml"))
    other(scene, trust=told["trust"] | {"junit_xml": junit})
    assert scene.resumed(FILE=str(scene.images)).options.trust.junit_xml == junit


def test_results_go_to_no_folder_that_the_ledger_alone_names(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, text = elsewhere_in(scene)["STORAGE_BUCKET"]
    other(scene, **changed)
    assert upload_results.main([str(scene.path)]) == 2
    assert f"say --storage-bucket {text} if it is meant" in capsys.readouterr().err
    assert sorted(path.name for path in scene.elsewhere.iterdir()) == ["one.png", "secret.txt"]


def test_a_ledger_is_resumed_that_has_never_uploaded(tmp_path: Path) -> None:
    path = make(tmp_path / "run.db", [Row(), never_leased(1)], finished="false")
    found = resume.find(make_layers(cli={"--resume": str(path)}))
    assert isinstance(found, resume.Resumption)
    assert found.planned.left == ()
