"""The table of settings, and the two files that tell people of it."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import MISSING
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

from kiosk_locust.config.env_file import read_dotenv
from kiosk_locust.config.table import GROUPS, SECRETS, SETTINGS, Setting
from kiosk_locust.model.options import Options
from kiosk_locust.verdict.rules import RULES
from tests.helpers.layered import resolve

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reference" / "options.md"
EXAMPLE = ROOT / ".env.example"


def _row(setting: Setting) -> str:
    flags = ", ".join(f"`{flag}`" for flag in (setting.short, setting.flag) if flag) or "none"
    name = f"`{setting.env}`" if setting.env else "none"
    default = f"`{setting.default}`" if setting.default else setting.default_shown
    return f"| {flags} | {name} | {default} | {setting.unit} | {setting.meaning} |"


def test_the_document_has_a_row_for_every_setting_and_no_other() -> None:
    settings = DOCUMENT.read_text(encoding="utf-8")
    rows = [line for line in settings.splitlines() if line[:1] == "|"]
    heads = [row for row in rows if row.startswith(("| Flag", "|---"))]
    assert [row for row in rows if row not in heads] == [_row(s) for s in SETTINGS.values()]


def test_the_example_has_every_name_with_its_default() -> None:
    found = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", EXAMPLE.read_text(encoding="utf-8"), re.M))
    named = {setting.env: setting for setting in SETTINGS.values() if setting.env}
    assert found.keys() == named.keys() | {
        name for secret in SECRETS for name in (secret.env, secret.file_env)
    }
    for name, setting in named.items():
        assert not setting.default or found[name] == setting.default


def test_every_name_in_the_example_stands_below_its_explanation() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for setting in SETTINGS.values():
        if setting.env:
            (at,) = (n for n, line in enumerate(lines) if re.match(rf"(# )?{setting.env}=", line))
            assert lines[at - 1].startswith(f"# {setting.meaning}")


def test_every_secret_is_told_of_in_both_files_and_has_no_flag() -> None:
    document, example = (path.read_text(encoding="utf-8") for path in (DOCUMENT, EXAMPLE))
    for secret in SECRETS:
        assert f"`{secret.env}`: {secret.meaning}" in document
        assert f"# {secret.meaning}\n# {secret.env}=\n" in example
        assert f"\n# {secret.file_env}=\n" in example
        assert f"`{secret.file_env}`" in document
        assert not {s for s in SETTINGS.values() if s.env in (secret.env, secret.file_env)}


def test_the_example_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve(dotenv=read_dotenv(EXAMPLE)).options == resolve().options


#: Fields of options that no setting of their own declares: they follow from others.
FOLLOWING = {
    "arrival_offsets_s",
    "file_array",
    "transfers.any_bucket",
    "transfers.inputs",
    "transfers.root",
}


def _fields(kind: type[DataclassInstance], group: str = "") -> dict[str, Any]:
    """The places of all fields, with the default that the class itself has for them."""
    kinds = get_type_hints(kind)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        inner = kinds[field.name]
        if dataclasses.is_dataclass(inner) and isinstance(inner, type):
            found |= _fields(inner, f"{field.name}.")
        else:
            found[group + field.name] = field.default
    return found


def test_every_field_of_the_options_is_declared_and_no_other() -> None:
    limits = {f"trust.limits.{rule.name}" for rule in RULES}
    declared = {place for setting in SETTINGS.values() for place in setting.fields}
    assert declared - limits == _fields(Options).keys() - FOLLOWING - {"trust.limits"}


def test_no_class_has_another_default_than_the_one_declared() -> None:
    own = {place: value for place, value in _fields(Options).items() if value is not MISSING}
    declared = {s.field or s.name: s.parse(s.default) for s in SETTINGS.values() if s.fields}
    shared = own.keys() & declared.keys()
    assert len(shared) > 15
    assert {place: own[place] for place in shared} == {p: declared[p] for p in shared}


def test_names_flags_and_environment_names_are_unique() -> None:
    settings = [setting for _, group in GROUPS for setting in group]
    assert len(SETTINGS) == len(settings)
    for names in ([s.flag for s in settings], [s.env for s in settings]):
        given = [name for name in names if name]
        assert len(set(given)) == len(given)
