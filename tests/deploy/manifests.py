"""The project's kustomizations, and ways to look into what they make."""

from __future__ import annotations

from typing import Any

from tests.deploy.kustomize import Resource, name_of, render
from tests.helpers.real import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
BASE = "base"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
ALL = [BASE, *(f"overlays/{name}" for name in OVERLAYS)]
#: A release that GKE still supports for long, the one in the middle, the newest that there is.
VERSIONS = ("1.31", "1.34", "1.37")


def rendered(name: str) -> dict[tuple[str, str], Resource]:
    """By kind and name: what a kustomization makes."""
    return {name_of(each): each for each in render(KUBERNETES / name)}


def of_kind(resources: dict[tuple[str, str], Resource], kind: str) -> list[Resource]:
    """All of one kind."""
    return [each for (its_kind, _), each in resources.items() if its_kind == kind]


def pod(job: Resource) -> dict[str, Any]:
    """The specification of a Job's pods."""
    return dict(job["spec"]["template"]["spec"])


def labels(job: Resource) -> dict[str, str]:
    """The labels of a Job's pods."""
    return dict(job["spec"]["template"]["metadata"]["labels"])


def settings(name: str) -> dict[str, str]:
    """What the ConfigMap of a kustomization sets."""
    return dict(rendered(name)["ConfigMap", "kiosk-locust-settings"]["data"])
