"""The wheel and the source distribution: what is in them, and a run from an empty folder.

The wheel is built from what the source distribution holds, as installers do that find no wheel.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust import __version__
from kiosk_locust.locustfiles import KIOSK
from tests.helpers.optional import need
from tests.helpers.real import CLEAN, QUICK, ROOT, UNJUDGED

BUILD = "import setuptools.build_meta as b, sys; print(getattr(b, sys.argv[1])(sys.argv[2]))"
#: Of a work tree, what no distribution takes.
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist",
    "results", ".env", "benchmark.log*",
)  # fmt: skip


def _build(hook: str, source: Path, folder: Path) -> Path:
    """Have setuptools build in ``source``; its word on the last line is the file's name."""
    command = [sys.executable, "-c", BUILD, hook, str(folder)]
    told = subprocess.run(
        command, cwd=source, capture_output=True, text=True, timeout=60, check=False
    )
    assert told.returncode == 0, told.stderr
    return folder / told.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, folder / "tree", ignore=LEFT_OUT)
    return _build("build_sdist", folder / "tree", folder)


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return _build("build_wheel", folder / f"kiosk_locust-{__version__}", folder)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel, and all else from this one, but not the work tree."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # A path in a .pth file is searched, but .pth files in it, such as this project's, are not read.
    here = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "dependencies.pth").write_text("\n".join(here))
    return python


def _run(python: Path, folder: Path, *words: str, **environment: str) -> Any:
    return subprocess.run(
        [python, *words],
        cwd=folder,
        env={k: v for k, v in CLEAN.items() if k != "PYTHONPATH"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "kiosk_locust").rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".pyo")
    }
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    metadata = {name for name in names if name.startswith(f"kiosk_locust-{__version__}.dist-info/")}
    assert names - metadata == there
    assert f"kiosk_locust-{__version__}.dist-info/licenses/LICENSE" in metadata


def test_the_source_distribution_has_what_a_clone_has(sdist: Path) -> None:
    need("git")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\n")
    if not any(wanted):
        pytest.skip("this is no clone (git ls-files finds nothing)")
    kept = {name for name in wanted if name and (ROOT / name).exists()}
    assert kept - names <= {".gitignore", ".ci/packages", ".ci/run"}


def test_a_run_from_an_empty_folder_needs_the_wheel_alone(python: Path, tmp_path: Path) -> None:
    where = "import kiosk_locust; print(kiosk_locust.__file__)"
    assert str(python.parent.parent) in _run(python, tmp_path, "-c", where).stdout
    locustfile = _run(python, tmp_path, "-m", "kiosk_locust", "locustfile").stdout.strip()
    assert Path(locustfile).is_relative_to(python.parent.parent)
    assert not list(tmp_path.iterdir())
    run = _run(
        python, tmp_path,
        "-m", "locust", "-f", locustfile, "--headless", "-u", "5", "--start-delay", "0.05",
        **UNJUDGED, UPDATE_INTERVAL="0.2", KIOSK_SIMULATOR_ARGS=" ".join(QUICK),
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    (results,) = tmp_path.glob("results/*delay_*.json")
    told = json.loads(results.read_text())
    assert [job["outcome"] for job in told["job_data"]] == ["done"] * 5
    assert float(told["total_node_and_networking_costs"]) > 0  # the price tables are there
    (report,) = tmp_path.glob("results/*.html")  # and the templates
    assert "plotly" in report.read_text()


def test_the_locustfile_of_the_package_is_that_of_the_project() -> None:
    assert KIOSK.read_text() == (ROOT / "locustfiles" / "kiosk.py").read_text()


def test_all_places_that_tell_the_version_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert f"\n## {__version__} " in (ROOT / "CHANGELOG.md").read_text()
    image = (ROOT / "deploy" / "kubernetes" / "image" / "kustomization.yaml").read_text()
    assert f"newTag: {__version__}\n" in image
    assert f"kiosk-locust:{__version__} ." in (ROOT / "deploy" / "Dockerfile").read_text()


def test_the_project_names_no_address_of_its_own() -> None:
    """Nobody has given it one; a URL that is made up would be somebody else's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "urls" not in project
