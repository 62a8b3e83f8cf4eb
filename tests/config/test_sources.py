"""The `.env` file, taken literally, and what Locust gets of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust.config.env_file import read_dotenv
from kiosk_locust.config.sources import SettingText, locusts_own, masked
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.errors import OptionsError


def _dotenv(folder: Path, text: str) -> dict[str, str]:
    path = folder / ".env"
    path.write_text(text, encoding="utf-8")
    return read_dotenv(path)


def test_a_missing_file_holds_nothing(tmp_path: Path) -> None:
    assert read_dotenv(tmp_path / ".env") == {}


def test_values_are_not_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME_OF", "x")
    assert _dotenv(tmp_path, "GRAFANA_PASSWORD=a${HOME_OF}$b\n") == {
        "GRAFANA_PASSWORD": "a${HOME_OF}$b"
    }


def test_comments_quotes_and_empty_values(tmp_path: Path) -> None:
    found = _dotenv(tmp_path, "# all\nCOUNT=5  # jobs\nexport LABEL='a b'\nSCALE=\n\n")
    assert found == {"COUNT": "5", "LABEL": "a b", "SCALE": ""}


def test_a_file_that_is_no_text_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"COUNT=\xff\n")
    with pytest.raises(OptionsError, match="line 1, byte 7"):
        read_dotenv(tmp_path / ".env")


def test_locust_gets_its_own_names_but_not_those_that_are_settings_here() -> None:
    dotenv = {
        "LOCUST_HEADLESS": "true",
        "LOCUST_WEB_PORT": "8090",
        "LOCUST_USERS": "5",
        "LOCUST_SPAWN_RATE": "2",
        "LOCUST_CSV": "",
        "GRAFANA_PASSWORD": "secret",
    }
    assert locusts_own(dotenv, {"LOCUST_WEB_PORT": "80"}) == {"LOCUST_HEADLESS": "true"}


def test_a_source_is_named_as_the_user_knows_it() -> None:
    assert SettingText("1", "--start-delay").source == "--start-delay"
    assert SettingText("1", "--start-delay").shown == "--start-delay 1"
    assert SettingText("1", "START_DELAY", ".env").source == "START_DELAY in .env"
    assert SettingText("1", "START_DELAY", ".env").shown == "START_DELAY = 1 in .env"


def test_what_stands_before_an_at_sign_is_masked() -> None:
    assert masked("http://me:pass@word@kiosk") == "***@kiosk"
    assert masked("http://kiosk") == "http://kiosk"


def test_no_setting_is_a_secret() -> None:
    names = " ".join(setting.env for setting in SETTINGS.values())
    assert not [word for word in ("PASSWORD", "TOKEN", "SECRET") if word in names]
