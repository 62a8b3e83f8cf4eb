"""The table of settings, and the two files that tell people of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kiosk_locust.config.env_file import read_dotenv
from kiosk_locust.config.table import GROUPS, SECRETS, SETTINGS, Setting
from tests.helpers.layered import resolve

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "options.md"
EXAMPLE = ROOT / ".env.example"


def _row(setting: Setting) -> str:
    flags = ", ".join(f"`{flag}`" for flag in (setting.short, setting.flag) if flag) or "none"
    name = f"`{setting.env}`" if setting.env else "none"
    default = f"`{setting.default}`" if setting.default else setting.default_shown
    return f"| {flags} | {name} | {default} | {setting.unit} | {setting.meaning} |"


def test_the_document_has_a_row_for_every_setting_and_no_other() -> None:
    settings = DOCUMENT.read_text(encoding="utf-8").split("## What the start form may set")[0]
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


def test_names_flags_and_environment_names_are_unique() -> None:
    settings = [setting for _, group in GROUPS for setting in group]
    assert len(SETTINGS) == len(settings)
    for names in ([s.flag for s in settings], [s.env for s in settings]):
        given = [name for name in names if name]
        assert len(set(given)) == len(given)
