"""The pins, what they are pinned by, and what is told of their licences."""

from __future__ import annotations

import re
import runpy
import tomllib
from importlib.metadata import PackageNotFoundError, version

import pytest

from tests.helpers.real import ROOT

FILES = (
    "requirements.txt", "requirements-dev.txt", "requirements-docs.txt", "requirements-tools.txt",
)  # fmt: skip
OTEL = "requirements-otel.txt"  # requirements.txt, and what --otel takes


def _pins(name: str) -> dict[str, tuple[str, int]]:
    """By package: its version, and how many hashes it has. Lines that are no pin are refused."""
    found: dict[str, tuple[str, int]] = {}
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        pin = re.fullmatch(
            r"([a-z0-9-]+)==([^\s;]+)( ;.*?)?((?:\s+--hash=sha256:[0-9a-f]{64})*)\s*", line
        )
        assert pin, f"{name}: no pin: {line[:80]}"
        found[pin[1]] = (pin[2], line.count("--hash=sha256:"))
    return found


@pytest.mark.parametrize("name", [*FILES, OTEL])
def test_every_pin_has_a_hash(name: str) -> None:
    pins = _pins(name)
    assert len(pins) > 20
    assert not [package for package, (_, hashes) in pins.items() if not hashes]


def test_the_files_agree_on_every_version() -> None:
    run, dev, docs, tools = (_pins(name) for name in FILES)
    assert run.keys() <= dev.keys()
    assert run.items() < _pins(OTEL).items() <= dev.items()
    assert all(dev[package] == run[package] for package in run)
    for others in (docs, tools):
        assert all(dev[package] == others[package] for package in dev.keys() & others.keys())


def test_everything_that_the_project_asks_for_is_pinned() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = told["project"]["optional-dependencies"]
    groups = told["dependency-groups"]
    asked = {
        "requirements.txt": [
            *told["project"]["dependencies"], *extras["simulator"], *extras["report"],
            *groups["build"], *told["build-system"]["requires"],
        ],
        OTEL: extras["otel"],
        "requirements-dev.txt": [*extras["test"], *extras["dev"], *groups["docs"]],
        "requirements-docs.txt": groups["docs"],
        "requirements-tools.txt": groups["tools"],
    }  # fmt: skip
    for name, wanted in asked.items():
        names = {re.match(r"[\w.-]+", each)[0].lower().replace("_", "-") for each in wanted}  # type: ignore[index]  # each begins with a name
        assert names - {"kiosk-locust"} <= _pins(name).keys()


def test_every_script_installs_by_hash() -> None:
    setup = (ROOT / "scripts" / "setup.sh").read_text(encoding="utf-8")
    installs = re.findall(r"pip install (.*)", setup)
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert {"--no-deps", "--no-build-isolation"} <= {*installs[1].split()}


def test_the_page_of_licences_is_what_the_packages_say() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "licences.py"))
    for package, pinned in script["pins"]().items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            continue  # one for another system
        if installed != pinned:
            pytest.skip(f"{package} {installed} is installed, {pinned} is pinned")
    assert (ROOT / "docs" / "reference" / "licences.md").read_text(encoding="utf-8") == script[
        "page"
    ]()


def test_no_package_is_without_a_licence_or_under_one_that_would_bind_us() -> None:
    text = (ROOT / "docs" / "reference" / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| (\S+) \| (.*) \|$", text, re.MULTILINE)[1:]
    assert len(rows) > 50
    for package, _, licence in rows:
        assert licence, package
        assert not re.search(r"\bA?L?GPL|SSPL|Commons Clause", licence), package
