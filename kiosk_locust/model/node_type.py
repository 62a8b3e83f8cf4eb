"""What nodes are, in the user's words: ``prediction-gpu=n1-highmem-2+nvidia-tesla-t4:spot``.

::

    PATTERN=MACHINE[+[COUNTx]ACCELERATOR][@REGION][:spot|:on-demand]

``PATTERN`` is a node pool's name, which stands between dashes in a node's name on GKE
(``gke-<cluster>-<pool>-<hash>-<id>``) and in its provider id, or with ``*`` and ``?`` a pattern
of the whole of one of them. Several are separated by commas; the first that matches counts.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

EXAMPLE = "prediction-gpu=n1-highmem-2+nvidia-tesla-t4:spot"

_NAME = r"[a-z][a-z0-9-]*"
_GRAMMAR = re.compile(
    rf"(?P<machine>{_NAME})(?:\+(?:(?P<gpus>\d{{1,3}})x)?(?P<accelerator>{_NAME}))?"
    rf"(?:@(?P<region>{_NAME}))?(?::(?P<model>spot|preemptible|on-demand))?"
)


@dataclass(frozen=True, slots=True)
class NodeType:
    """What the nodes are that ``pattern`` matches."""

    pattern: str
    machine_type: str
    accelerator: str = ""  # empty: none, or what the labels say
    gpus: int | None = None  # None: as many as the node has, at least 1
    region: str = ""  # empty: what the labels or the provider id say
    spot: bool = False

    def matches(self, node: str, provider_id: str = "") -> bool:
        """Whether this is said of the node; ``provider_id`` is ``gce://project/zone/name``."""
        candidates = [text for text in (node, provider_id, provider_id.rpartition("/")[2]) if text]
        if re.search(r"[*?]", self.pattern):
            return any(fnmatch.fnmatchcase(text, self.pattern) for text in candidates)
        whole = re.compile(rf"(?:^|[-/]){re.escape(self.pattern)}(?:[-/]|$)")
        return any(whole.search(text) for text in candidates)

    def __str__(self) -> str:
        """As people write it."""
        number = "" if self.gpus is None else f"{self.gpus}x"
        accelerator = f"+{number}{self.accelerator}" if self.accelerator else ""
        region = f"@{self.region}" if self.region else ""
        spot = ":spot" if self.spot else ""
        return f"{self.pattern}={self.machine_type}{accelerator}{region}{spot}"


def read_node_types(text: str) -> tuple[NodeType, ...]:
    """What a setting says of nodes; raises ValueError that names every part it cannot read."""
    found: list[NodeType] = []
    bad: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(_read(part))
        except ValueError as error:
            bad.append(f"{part!r}: {error}")
    if bad:
        raise ValueError("; ".join(bad))
    if not found:
        raise ValueError(f"must be PATTERN=MACHINE, such as {EXAMPLE}")
    return tuple(found)


def _read(part: str) -> NodeType:
    pattern, equals, what = (text.strip() for text in part.partition("="))
    if not equals or not pattern or not what:
        raise ValueError(f"must be PATTERN=MACHINE, such as {EXAMPLE}")
    if not re.fullmatch(r"[A-Za-z0-9._:/*?-]+", pattern):
        raise ValueError(
            "the pattern before the = must be of letters, digits and . _ : / - * ?, such as the "
            "name of a node pool"
        )
    parts = _GRAMMAR.fullmatch(what.lower())
    if not parts or parts["gpus"] == "0":
        raise ValueError(
            "after the = must stand a machine type, and if need be +ACCELERATOR or "
            "+2xACCELERATOR, @REGION, :spot or :on-demand, in this order, such as "
            "n1-highmem-2+nvidia-tesla-t4@us-west1:spot"
        )
    return NodeType(
        pattern=pattern,
        machine_type=parts["machine"],
        accelerator=parts["accelerator"] or "",
        gpus=int(parts["gpus"]) if parts["gpus"] else None,
        region=parts["region"] or "",
        spot=parts["model"] in ("spot", "preemptible"),
    )
