"""Secrets in files that NAME_FILE names; the oracle is what was written there, and by whom."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiosk_locust.assembly.security_warnings import warnings
from kiosk_locust.config.env_file import misspelt_names, read_dotenv
from kiosk_locust.config.secret_files import MAX_BYTES, SecretSources, read_secrets
from kiosk_locust.config.table import SECRETS, Secret
from kiosk_locust.cost.credentials import Secrets, secrets
from tests.cli.test_check import check
from tests.helpers.servers import RawServer, answering, raw_answer

CANARY = "canary-in-a-file"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _file(data: bytes | str, name: str = "secret") -> str:
    path = Path(name).absolute()
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    path.chmod(0o600)
    return str(path)


def _mistake(sources: SecretSources) -> str:
    (mistake,) = sources.mistakes
    return str(mistake)


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.env)
def test_each_secret_of_the_table_can_stand_in_a_file(secret: Secret) -> None:
    name = secret.env
    path = _file(f"{CANARY}\n")
    given = {f"{name}_FILE": path}
    for read in (read_secrets(given, {}), read_secrets({}, given)):
        assert (read.get(name), read.mistakes) == (CANARY, ())
        assert read.files == {f"{name}_FILE": Path(path)}


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("s3cr3t", "s3cr3t"),
        ("s3cr3t\n", "s3cr3t"),
        ("s3cr3t\r\n", "s3cr3t"),
        ("s3cr3t\n\n", "s3cr3t"),
        (" s3 cr3t \n", " s3 cr3t "),
        ("pässwörd\n", "pässwörd"),
        (b"\xef\xbb\xbfs3cr3t\r\n", "s3cr3t"),
        ("$HOME `date` 'x'#y=z\n", "$HOME `date` 'x'#y=z"),
        ("x" * MAX_BYTES, "x" * MAX_BYTES),
    ],
)
def test_the_value_is_the_line_without_its_end(data: bytes | str, value: str) -> None:
    assert read_secrets({"GRAFANA_PASSWORD_FILE": _file(data)}, {}).get("GRAFANA_PASSWORD") == value


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (f"{CANARY}\n{CANARY}\n".encode(), "several lines"),
        (f"{CANARY}\x1b[0m".encode(), "control characters"),
        (f"{CANARY}\x00".encode(), "NUL"),
        (f"{CANARY}\xe9".encode("latin-1"), "not text in UTF-8"),
        (f"{CANARY}\n".encode("utf-16"), "UTF-16"),
        (b"\x7fELF\x02\x01\x01" + bytes(range(256)), "not text in UTF-8"),
        (CANARY.encode() * MAX_BYTES, "larger than 16 KiB"),
    ],
)
def test_a_file_that_holds_no_secret_is_a_mistake_that_quotes_nothing(
    data: bytes, why: str
) -> None:
    path = _file(data)
    told = _mistake(read_secrets({"GRAFANA_TOKEN_FILE": path}, {}))
    assert told.startswith(f"GRAFANA_TOKEN_FILE in the environment = '{path}': ")
    assert why in told
    assert "canary" not in told
    assert "0x" not in told


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none", "there is no such file"),
        ("folder", "the file cannot be read: it is a folder"),
        ("pipe", "the file cannot be read: it is a named pipe"),
        ("secret/below", "the file cannot be read: Not a directory"),
        ("dangling", "there is no such file"),
    ],
)
def test_what_cannot_be_read_is_a_mistake_with_the_variable_and_the_path(
    name: str, why: str
) -> None:
    _file(CANARY)
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("dangling").symlink_to("nowhere")
    path = Path(name).absolute()
    told = _mistake(read_secrets({}, {"PROMETHEUS_TOKEN_FILE": str(path)}))
    assert told.startswith(f"PROMETHEUS_TOKEN_FILE in .env = '{path}': {why}")


def test_a_secret_that_stands_in_place_of_its_path_is_not_shown() -> None:
    told = _mistake(read_secrets({"GRAFANA_TOKEN_FILE": CANARY}, {}))
    assert told == "GRAFANA_TOKEN_FILE in the environment: there is no such file"


def test_a_path_may_be_relative_or_begin_with_the_home_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    _file(CANARY)
    for path in ("secret", "./secret", "~/secret"):
        assert read_secrets({"GRAFANA_TOKEN_FILE": path}, {}).get("GRAFANA_TOKEN") == CANARY


@pytest.mark.parametrize("file_in", [0, 1])
@pytest.mark.parametrize("value_in", [0, 1])
def test_a_value_and_a_file_together_are_a_mistake_wherever_they_stand(
    file_in: int, value_in: int
) -> None:
    places = ("the environment", ".env")
    sources: tuple[dict[str, str], dict[str, str]] = ({}, {})
    sources[file_in]["GRAFANA_TOKEN_FILE"] = _file("another")
    sources[value_in]["GRAFANA_TOKEN"] = CANARY
    told = _mistake(read_secrets(*sources))
    assert told == (
        f"GRAFANA_TOKEN_FILE in {places[file_in]}:"
        f" GRAFANA_TOKEN is set, too, in {places[value_in]}: keep one of them"
    )


def test_an_empty_name_is_none() -> None:
    read = read_secrets({"GRAFANA_TOKEN_FILE": "", "GRAFANA_TOKEN": CANARY}, {})
    assert (read.get("GRAFANA_TOKEN"), read.mistakes) == (CANARY, ())
    read = read_secrets({"GRAFANA_TOKEN": ""}, {"GRAFANA_TOKEN_FILE": _file(CANARY)})
    assert (read.get("GRAFANA_TOKEN"), read.mistakes) == (CANARY, ())


def test_a_file_in_the_environment_wins_over_one_in_dotenv_which_is_not_read() -> None:
    read = read_secrets({"GRAFANA_TOKEN_FILE": _file(CANARY)}, {"GRAFANA_TOKEN_FILE": "/none"})
    assert (read.get("GRAFANA_TOKEN"), read.mistakes) == (CANARY, ())


def test_a_password_from_a_file_in_the_environment_wins_over_a_token_in_dotenv() -> None:
    path = _file(CANARY)
    read = read_secrets(
        {"GRAFANA_PASSWORD_FILE": path}, {"GRAFANA_TOKEN": "t", "GRAFANA_USER": "a"}
    )
    login = secrets(read.environment, read.dotenv).grafana
    assert (login.user, login.password, login.token) == ("a", CANARY, "")


def test_every_mistake_is_told_not_the_first_alone() -> None:
    names = [secret.file_env for secret in SECRETS]
    read = read_secrets(dict.fromkeys(names, "/no/such/file"), {})
    assert [mistake.source.split()[0] for mistake in read.mistakes] == names


def test_sources_do_not_show_what_they_are() -> None:
    assert CANARY not in repr(read_secrets({"GRAFANA_TOKEN_FILE": _file(CANARY)}, {"X": CANARY}))


def test_names_of_files_are_names_that_dotenv_may_have() -> None:
    Path(".env").write_text("GRAFANA_TOKEN_FILE=/secrets/token\nGRAFANA_TOKN_FILE=/x\n")
    assert misspelt_names(read_dotenv(), {}) == [
        "GRAFANA_TOKN_FILE in .env is no setting: did you mean GRAFANA_TOKEN_FILE?"
    ]


# -- files that others can read


def _exposed(path: str) -> list[str]:
    files = read_secrets({"GRAFANA_TOKEN_FILE": path}, {}).files
    return list(warnings({}, {}, Path(".env"), Secrets(), files))


@pytest.mark.parametrize(
    ("mode", "who"), [(0o644, "everybody"), (0o440, "its group"), (0o600, ""), (0o400, "")]
)
def test_a_file_that_others_can_read_is_told_with_the_cure(mode: int, who: str) -> None:
    path = _file(CANARY)
    Path(path).chmod(mode)
    lines = _exposed(path)
    assert len(lines) == bool(who)
    for line in lines:
        assert line.startswith(f"GRAFANA_TOKEN_FILE: the file {path} can be read by {who}")
        assert line.endswith(f": chmod 600 {path}")


def test_a_file_in_a_volume_of_kubernetes_is_not_told_of() -> None:
    """As the kubelet writes them: NAME -> ..data/NAME, ..data -> a folder with a time in it."""
    (there := Path("..2026_11_30")).mkdir()
    _file(CANARY, f"{there}/token")
    Path(there, "token").chmod(0o644)
    Path("..data").symlink_to(there)
    Path("token").symlink_to("..data/token")
    assert read_secrets({"GRAFANA_TOKEN_FILE": "token"}, {}).get("GRAFANA_TOKEN") == CANARY
    assert _exposed("token") == []


def test_a_path_in_dotenv_is_no_secret_that_others_could_read() -> None:
    Path(".env").write_text("GRAFANA_TOKEN_FILE=/secrets/token\n")
    Path(".env").chmod(0o644)
    assert list(warnings({}, read_dotenv(), Path(".env"), Secrets())) == []


# -- whoever uses them (runs: tests/runs/test_secrets.py)


def test_grafana_gets_a_token_that_stands_in_a_file(tmp_path: Path) -> None:
    path = _file(f"{CANARY}\n")
    with RawServer(answering(raw_answer(403, b"no", "text/plain"))) as grafana:
        _, told = check(
            tmp_path,
            *("--file=a.png", "--host=http://127.0.0.1:9"),
            GRAFANA_HOST=grafana.url,
            GRAFANA_TOKEN_FILE=path,
        )
    assert {r.headers.get("authorization") for r in grafana.requests} == {f"Bearer {CANARY}"}
    assert CANARY not in told


def test_a_mistake_of_a_file_is_told_with_those_of_settings(tmp_path: Path) -> None:
    code, told = check(tmp_path, "--count=-3", GRAFANA_TOKEN_FILE=str(tmp_path / "none"))
    assert code == 2
    assert f"GRAFANA_TOKEN_FILE in the environment = '{tmp_path}/none': there is no such" in told
    assert "--count = '-3'" in told
