"""Which Kiosk a run is for, and on which file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.layered import make_layers, mistakes, mistakes_in, resolve, resolve_layers


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


#: From the highest to the lowest: layer, name, label.
WAYS = [
    ("form", "host", "Host in the form"),
    ("cli", "--host", "--host"),
    ("env", "LOCUST_HOST", "LOCUST_HOST in the environment"),
    ("env", "API_HOST", "API_HOST in the environment"),
    ("dotenv", "API_HOST", "API_HOST in .env"),
    ("conf", "host", "host in locust.conf"),
]


@pytest.mark.parametrize("rank", range(len(WAYS)))
def test_the_host_is_that_of_the_highest_source(rank: int) -> None:
    sources: dict[str, dict[str, str]] = {"env": {"FILE": "image.png"}}
    for number, (layer, name, _) in enumerate(WAYS[rank:], start=rank):
        sources.setdefault(layer, {})[name] = f"http://kiosk-{number}"
    found = resolve_layers(make_layers(**sources), class_host="http://of-the-class")
    assert found.options.host == f"http://kiosk-{rank}"
    assert found.sources["host"] == WAYS[rank][2]


def test_the_classs_host_comes_last() -> None:
    layers = make_layers(env={"FILE": "image.png"})
    found = resolve_layers(layers, class_host="https://kiosk/")
    assert found.options.host == "https://kiosk"
    assert found.sources["host"] == "host in the user class"


def test_two_hosts_in_the_environment_are_told_apart() -> None:
    found = resolve(env={"LOCUST_HOST": "one", "API_HOST": "two", "FILE": "a.png"})
    assert found.options.host == "http://one"
    assert (
        "LOCUST_HOST = one in the environment wins over API_HOST = two in the environment"
        in found.notices
    )


def test_two_hosts_in_dotenv_that_disagree_are_a_mistake() -> None:
    found = mistakes(dotenv={"LOCUST_HOST": "one", "API_HOST": "two", "FILE": "a.png"})
    assert found == [
        "API_HOST in .env = 'two': contradicts LOCUST_HOST = one in .env; give only one of them"
    ]


def test_two_hosts_in_dotenv_that_mean_the_same_are_fine() -> None:
    assert not mistakes(dotenv={"LOCUST_HOST": "one", "API_HOST": "http://one/", "FILE": "a.png"})


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("kiosk", "http://kiosk"),
        ("  kiosk.example.org/ ", "http://kiosk.example.org"),
        ("https://Kiosk.Example.org//", "https://kiosk.example.org"),
        ("HTTP://kiosk", "http://kiosk"),
        ("localhost:8080", "http://localhost:8080"),
        ("10.0.0.1:80/some/Kiosk/", "http://10.0.0.1:80/some/Kiosk"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_hosts_are_made_whole(text: str, host: str) -> None:
    assert resolve(cli={"--host": text, "--file": "a.png"}).options.host == host


@pytest.mark.parametrize(
    "text",
    [
        "ftp://kiosk",
        "file:///etc/passwd",
        "http:/kiosk",
        "http://",
        "http://kiosk:port",
        "http://kiosk:99999",
        "http://kiosk:",
        "http://kiosk?x=1",
        "http://kiosk/#top",
        "http://ki osk",
        "http://[::1",
        "http://[zz]/",
        "http://kiosk..org",
        "http://\u212aiosk",
        "://kiosk",
        "/kiosk",
        ":8080",
        "kiosk\\path",
    ],
)
def test_other_hosts_are_mistakes(text: str) -> None:
    (mistake,) = mistakes(cli={"--host": text, "--file": "a.png"})
    assert mistake.startswith("--host = ")
    assert "must be an address such as http://" in mistake


@pytest.mark.parametrize(
    "text", ["http://me:s3cret@kiosk", "me:s3cret@kiosk", "http://me:s3/cret@kiosk", "s3cret@kiosk"]
)
def test_a_password_in_the_host_is_refused_and_not_repeated(text: str) -> None:
    (mistake,) = mistakes(env={"API_HOST": text, "FILE": "a.png"})
    assert "must not hold a user or a password" in mistake
    assert "s3" not in mistake


def test_a_password_is_not_repeated_where_hosts_disagree() -> None:
    layers = {"LOCUST_HOST": "http://me:s3cret@kiosk", "API_HOST": "me:s3cret@other"}
    found = mistakes(dotenv=layers, cli={"--simulate": "true"})
    assert len(found) == 4  # both names, the bad host, --simulate beside it, and no FILE
    assert not [mistake for mistake in found if "s3cret" in mistake]


# --- the simulated Kiosk ----------------------------------------------------------------------


def test_without_a_host_the_kiosk_is_simulated() -> None:
    options = resolve().options
    assert (options.host, options.simulate, options.file) == (None, False, "image.png")


def test_it_can_be_asked_for_plainly() -> None:
    options = resolve(cli={"--simulate": "true"}, env={"FILE": "zip100.zip"}).options
    assert (options.host, options.simulate, options.file) == (None, True, "zip100.zip")


@pytest.mark.parametrize(
    ("env", "dotenv", "source"),
    [
        ({"STORAGE_BUCKET": "gs://real"}, {}, "STORAGE_BUCKET in the environment"),
        ({}, {"STORAGE_BUCKET": "gs://real"}, "STORAGE_BUCKET in .env"),
        ({"GRAFANA_HOST": "grafana"}, {}, "GRAFANA_HOST in the environment"),
        ({}, {"PROMETHEUS_URL": "http://p:9090"}, "PROMETHEUS_URL in .env"),
        ({}, {"MODEL": "Mesmer:1"}, "MODEL in .env"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, {}, "KUBERNETES_SERVICE_HOST in the environment"),
    ],
)
def test_what_speaks_of_a_real_kiosk_refuses_the_simulated_one(
    env: dict[str, str], dotenv: dict[str, str], source: str
) -> None:
    (mistake,) = mistakes(env=env, dotenv=dotenv)
    assert mistake.startswith(f"{source} = ")
    assert "set API_HOST (or --host), or ask for the simulated Kiosk with --simulate" in mistake
    assert not mistakes(env=env | {"SIMULATE": "1"}, dotenv=dotenv)
    assert not mistakes(env=env | {"API_HOST": "kiosk", "FILE": "a.png"}, dotenv=dotenv)


def test_every_sign_is_reported() -> None:
    env = {"STORAGE_BUCKET": "real", "GRAFANA_HOST": "me:s3cret@g", "MODEL": "m:1"}
    found = mistakes(env=env)
    assert len(found) == 3
    assert "s3cret" not in str(found)


def test_the_model_that_leaves_the_choice_to_the_job_type_is_no_sign() -> None:
    assert not mistakes(env={"MODEL": "modelname:0", "STORAGE_BUCKET": ""})


def test_a_kubernetes_host_in_dotenv_says_nothing() -> None:
    assert not mistakes(dotenv={"KUBERNETES_SERVICE_HOST": "10.0.0.1"})


def test_simulate_with_a_host_is_a_mistake() -> None:
    found = mistakes(cli={"--simulate": "true"}, dotenv={"API_HOST": "kiosk", "FILE": "a.png"})
    assert found == [
        "--simulate = 'true': contradicts API_HOST = kiosk in .env: give a host for a real "
        "Kiosk, or --simulate without one"
    ]


def test_simulate_with_the_classs_host_is_a_mistake() -> None:
    layers = make_layers(cli={"--simulate": "true", "--file": "a.png"})
    assert len(mistakes_in(layers, class_host="kiosk")) == 1


def test_a_file_is_required_with_a_real_kiosk() -> None:
    (mistake,) = mistakes(cli={"--host": "kiosk"})
    assert mistake.startswith("FILE (--file): is required with a real Kiosk")


@pytest.mark.parametrize("text", ["/", "/image.png", "folder/", "two\nlines.png", "\udcff.png"])
def test_a_file_is_named_relative_to_the_upload_folder(text: str) -> None:
    assert len(mistakes(cli={"--host": "kiosk"}, env={"FILE": text})) == 1


def test_who_filled_in_the_form_reads_the_name_of_the_field() -> None:
    found = mistakes_in(make_layers(form={"host": "http://kiosk", "file": ""}))
    assert [each.split(":")[0] for each in found] == ["File in the form"]
