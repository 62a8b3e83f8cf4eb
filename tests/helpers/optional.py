"""Programs that some tests use and not every machine has: where one is missing, they are skipped.

With ``CI=true`` a program that `.ci/packages` installs must be there. `scripts/test_without.py`
hides them one after the other.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Optional:
    """Programs that are needed together; of ``any_of`` one will do.

    ``tests`` are arguments of pytest that choose tests which need them, ``install`` says how to
    get them. ``in_ci``: `.ci/packages` installs them.
    """

    install: str
    tests: tuple[str, ...]
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    in_ci: bool = False

    @property
    def programs(self) -> tuple[str, ...]:
        """All of them."""
        return self.all_of + self.any_of

    @property
    def missing(self) -> tuple[str, ...]:
        """Those that are not on the PATH."""
        lacking = tuple(name for name in self.all_of if shutil.which(name) is None)
        if self.any_of and not any(map(shutil.which, self.any_of)):
            lacking += self.any_of[:1]
        return lacking


OPTIONAL = {
    "chromium": Optional(
        "apt-get install chromium",
        (
            "tests/reporting/web/test_in_browser.py",
            "tests/reporting/web/test_failed_images_in_browser.py",
        ),
        any_of=("chromium", "chromium-browser"),
        in_ci=True,
    ),
    "prometheus": Optional(
        "apt-get install prometheus",
        (
            "tests/cost/test_prometheus.py",
            "tests/cost/test_queue_depth.py",
            "tests/monitoring/test_metrics_server.py",
        ),
        all_of=("prometheus", "promtool"),
        in_ci=True,
    ),
    "kubectl": Optional(
        "kubectl 1.27 or newer, of kubernetes.io or of Google's Cloud CLI",
        ("tests/deploy/test_manifests.py", "-k", "kubectl"),
        all_of=("kubectl",),
    ),
    "git": Optional(
        "apt-get install git",
        ("tests/project/test_package.py", "-k", "source_distribution"),
        all_of=("git",),
    ),
    "iproute2": Optional(
        "apt-get install iproute2",
        ("tests/outages/test_outages.py", "-k", "cut_between_master_and_workers"),
        all_of=("ip",),
    ),
    "mount": Optional(
        "apt-get install mount",
        ("tests/runs/test_disk.py",),
        all_of=("mount", "umount"),
    ),
}


def need(name: str) -> None:
    """Skip the test where a program is missing; in a CI that promised it, fail."""
    optional = OPTIONAL[name]
    if not (missing := optional.missing):
        return
    words = f"{' and '.join(missing)} not found: {optional.install}"
    if optional.in_ci and os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)
