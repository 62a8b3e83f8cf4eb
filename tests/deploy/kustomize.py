"""As much of kustomize as the project's overlays use, for machines without kubectl.

It knows resources, components, images, namespace, and patches: lists of JSON operations with a
target, and ``$patch: delete``. `tests.deploy.test_manifests` compares it with kubectl's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Resource = dict[str, Any]
KNOWN = {"apiVersion", "kind", "namespace", "resources", "components", "images", "patches"}
#: Kinds that pods have in them, by the way to the pod's specification.
_POD = ("spec", "template", "spec")


def documents(path: Path) -> list[Resource]:
    """All that stands in a file."""
    return [each for each in yaml.safe_load_all(path.read_text("utf-8")) if each]


def render(folder: Path) -> list[Resource]:
    """What ``kubectl kustomize FOLDER`` gives, in the order in which it was named."""
    return _apply(folder, [])


def name_of(resource: Resource) -> tuple[str, str]:
    """What tells a resource from others: its kind and its name."""
    return resource["kind"], resource["metadata"]["name"]


def _apply(folder: Path, resources: list[Resource]) -> list[Resource]:
    """The resources after what the kustomization in ``folder`` adds and does to them."""
    (told,) = documents(folder / "kustomization.yaml")
    assert told.keys() <= KNOWN, f"{folder}: not known here: {told.keys() - KNOWN}"
    for name in told.get("resources", ()):
        path = folder / name
        resources = [*resources, *(render(path) if path.is_dir() else documents(path))]
    for name in told.get("components", ()):
        resources = _apply(folder / name, resources)
    for patch in told.get("patches", ()):
        resources = _patch(resources, documents(folder / patch["path"]), patch.get("target"))
    for resource in resources:
        _rename(resource, told)
    return resources


def _rename(resource: Resource, told: Resource) -> None:
    if "namespace" in told:
        resource["metadata"]["namespace"] = told["namespace"]
    for image in told.get("images", ()):
        for container in _containers(resource):
            if container["image"] == image["name"]:
                end = f"@{image['digest']}" if "digest" in image else f":{image['newTag']}"
                container["image"] = image["newName"] + end


def _containers(resource: Resource) -> list[Resource]:
    for word in _POD:
        resource = resource.get(word, {})
    return list(resource.get("containers", ()))


def _patch(
    resources: list[Resource], patch: list[Any], target: dict[str, str] | None
) -> list[Resource]:
    if target is None:
        (deletion,) = patch
        assert deletion.pop("$patch") == "delete"
        kept = [each for each in resources if name_of(each) != name_of(deletion)]
        assert len(kept) == len(resources) - 1, f"nothing to delete: {name_of(deletion)}"
        return kept
    meant = [each for each in resources if name_of(each) == (target["kind"], target["name"])]
    assert len(meant) == 1, f"{target}: {len(meant)} resources"
    for operation in patch[0]:
        _operate(meant[0], **operation)
    return resources


def _operate(resource: Any, op: str, path: str, value: Any = None) -> None:
    """One operation of RFC 6902; raises KeyError or IndexError where its place is not there."""
    *way, last = (word.replace("~1", "/").replace("~0", "~") for word in path.split("/")[1:])
    for word in way:
        resource = resource[int(word) if isinstance(resource, list) else word]
    if last == "-":
        assert op == "add"
        resource.append(value)
        return
    key: Any = int(last) if isinstance(resource, list) else last
    if op != "add":
        resource[key]
    if op == "remove":
        del resource[key]
    else:
        assert op in ("add", "replace")
        resource[key] = value
