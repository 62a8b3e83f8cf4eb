"""Files of this machine that a value of the form may name, and words on what files hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust.config.resolve import Resolved
from kiosk_locust.errors import OptionsError
from kiosk_locust.verdict import thresholds
from tests.helpers.layered import make_layers, mistakes, resolve

ELSEWHERE = "is not below a folder that the form may name files from"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ours/a/1.png", "ours/2.png", "other/3.png"):
        (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 64)
    (tmp_path / "link").symlink_to(tmp_path / "other")


def uploading(file: str, **sources: dict[str, str]) -> Resolved:
    checks = {"INPUT_CHECKS": "none", **sources.pop("env", {})}
    return resolve(form={"mode": "upload", "file": file}, env=checks, **sources)


def refused(file: str, **sources: dict[str, str]) -> str:
    checks = {"INPUT_CHECKS": "none", **sources.pop("env", {})}
    (mistake,) = mistakes(form={"mode": "upload", "file": file}, env=checks, **sources)
    return mistake


@pytest.mark.parametrize("file", ["ours", "ours/a", "ours/2.png", "ours/../ours/a/1.png"])
def test_a_folder_of_the_operators_and_all_below_it_may_be_named(file: str) -> None:
    assert uploading(file, cli={"--form-files": "ours"}).options.transfers.inputs


@pytest.mark.parametrize("file", ["other", "other/3.png", "ours/../other/3.png", ".", "link", "no"])
def test_nothing_else_may_be_named(file: str) -> None:
    assert ELSEWHERE in refused(file, cli={"--form-files": "ours"})


def test_file_as_the_operator_gives_it_counts_wherever_it_stands() -> None:
    for sources in ({"cli": {"--file": "ours"}}, {"env": {"FILE": "ours"}}):
        assert uploading("ours/a", **sources).options.transfers.inputs
        assert ELSEWHERE in refused("other", **sources)


def test_several_folders_may_be_named() -> None:
    for file in ("ours", "other/3.png"):
        assert uploading(file, cli={"--form-files": "ours, other"}).options.transfers.inputs


def test_without_such_a_folder_the_form_names_no_file_at_all() -> None:
    assert ELSEWHERE in refused("ours")


def test_the_form_cannot_name_the_folder_itself() -> None:
    form = {"form_files": "other", "mode": "upload", "file": "other"}
    (mistake,) = mistakes(form=form, env={"INPUT_CHECKS": "none"})
    assert ELSEWHERE in mistake


def test_flags_and_the_environment_may_name_any_file() -> None:
    found = resolve(cli={"--file": "other", "--mode": "upload"}, env={"INPUT_CHECKS": "none"})
    assert [file.path for file in found.options.transfers.inputs] == ["3.png"]


def test_a_link_within_the_folder_that_leads_out_is_not_followed() -> None:
    Path("ours/out").symlink_to(Path("other/3.png").absolute())
    assert ELSEWHERE in refused("ours/out", cli={"--form-files": "ours"})


def test_a_folder_that_is_none_is_a_mistake() -> None:
    (mistake,) = mistakes(cli={"--form-files": "ours,missing"})
    assert mistake.startswith("--form-files = 'ours,missing': must be folders that are there")


def test_the_form_cannot_have_the_bucket_be_a_folder() -> None:
    layers = make_layers().with_form({"storage_bucket": "file:///srv", "output_dir": "/srv"}, {})
    assert layers.layers[0].values == {}


def test_a_web_page_is_told_the_line_of_a_threshold_that_is_none_and_not_what_it_says() -> None:
    Path("limits.txt").write_text("job.p95 < 60s\ncanary.p95 < 1s\n", encoding="utf-8")
    with pytest.raises(OptionsError) as caught:
        thresholds.read(file=Path("limits.txt"))
    assert "canary" in str(caught.value)  # for the operator's terminal
    assert "canary" not in caught.value.public
    assert "limits.txt, line 2: is no threshold" in caught.value.public


@pytest.mark.parametrize(
    "text",
    ["canary", "[tool.kiosk_locust]\ncanary = 1\n", "[tool.kiosk_locust]\nthresholds = 'canary'\n"],
)
def test_nor_what_pyproject_says(text: str) -> None:
    Path("pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(OptionsError) as caught:
        thresholds.read(pyproject=Path("pyproject.toml"))
    assert "canary" not in caught.value.public
    assert "pyproject.toml" in caught.value.public


def test_a_threshold_that_was_typed_is_told_in_full() -> None:
    with pytest.raises(OptionsError) as caught:
        thresholds.read(["canary < 1s"])
    assert "canary" in caught.value.public


# -- to a Kiosk that the form names

OURS, THEIRS = {"API_HOST": "http://ours.example"}, "http://theirs.example"


def sent(host: str, **env: str) -> list[str]:
    """The mistakes of a start that uploads the operator's FILE to the host in the form."""
    given = {"FILE": "ours", "MODE": "upload", "INPUT_CHECKS": "none", **env}
    return mistakes(form={"host": host}, env=given)


def test_the_operators_files_go_to_no_kiosk_that_the_form_names_instead_of_theirs() -> None:
    (mistake,) = sent(THEIRS, **OURS)
    assert "goes to http://ours.example alone" in mistake
    assert "not to http://theirs.example" in mistake
    assert "--form-files DIR (FORM_FILES)" in mistake


def test_a_file_that_the_form_names_below_theirs_goes_there_neither() -> None:
    env = {"FILE": "ours", "INPUT_CHECKS": "none", **OURS}
    form = {"mode": "upload", "file": "ours/a", "host": THEIRS}
    (mistake,) = mistakes(form=form, env=env)
    assert "goes to http://ours.example alone" in mistake


def test_they_go_to_the_kiosk_that_the_operator_named_however_it_is_spelt() -> None:
    assert sent("ours.example", **OURS) == []


def test_form_files_allows_it() -> None:
    assert sent(THEIRS, FORM_FILES="ours", **OURS) == []
    (mistake,) = sent(THEIRS, FORM_FILES="other", **OURS)
    assert "goes to http://ours.example alone" in mistake


def test_an_operator_who_names_no_kiosk_leaves_that_to_the_form() -> None:
    assert sent(THEIRS) == []


def test_what_goes_to_the_operators_bucket_goes_to_no_other_place() -> None:
    assert sent(THEIRS, UPLOAD_VIA="bucket", STORAGE_BUCKET="gs://ours", **OURS) == []
