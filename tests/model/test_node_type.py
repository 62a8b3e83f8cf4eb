"""What users say of nodes."""

from __future__ import annotations

import pytest

from kiosk_locust.model.node_type import NodeType, read_node_types

NODE = "gke-deepcell-prediction-gpu-1a2b3c4d-x5yz"
PROVIDER = f"gce://project/us-west1-b/{NODE}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p=e2-standard-2", NodeType("p", "e2-standard-2")),
        ("p=n1-highmem-2:spot", NodeType("p", "n1-highmem-2", spot=True)),
        ("p=n1-highmem-2:preemptible", NodeType("p", "n1-highmem-2", spot=True)),
        ("p=n1-highmem-2:on-demand", NodeType("p", "n1-highmem-2")),
        ("p=n1-highmem-2+nvidia-tesla-t4", NodeType("p", "n1-highmem-2", "nvidia-tesla-t4")),
        (
            "p=n1-highmem-2+2xnvidia-tesla-t4@us-west1:spot",
            NodeType("p", "n1-highmem-2", "nvidia-tesla-t4", 2, "us-west1", spot=True),
        ),
        ("gke-*-gpu-*=G2-Standard-4", NodeType("gke-*-gpu-*", "g2-standard-4")),
    ],
)
def test_a_nodes_type_is_read(text: str, told: NodeType) -> None:
    assert read_node_types(text) == (told,)
    assert read_node_types(str(told)) == (told,)


def test_several_are_separated_by_commas() -> None:
    assert [told.pattern for told in read_node_types("a=e2-small, b=e2-medium,")] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("prediction-gpu", "must be PATTERN=MACHINE"),
        (" , ", "must be PATTERN=MACHINE"),
        ("=e2-small", "must be PATTERN=MACHINE"),
        ("a=", "must be PATTERN=MACHINE"),
        ("a b=e2-small", "the pattern before the ="),
        ("a=e2-small:cheap", ":spot or :on-demand"),
        ("a=n1-highmem-2+0xnvidia-tesla-t4", "after the ="),
        ("a=n1-highmem-2:spot@us-west1", "in this order"),
    ],
)
def test_a_mistake_is_told_in_words(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        read_node_types(text)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"'a': .*; 'b=\?': "):
        read_node_types("a,ok=e2-small,b=?")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("prediction-gpu", True),
        ("gpu", True),
        ("prediction", True),
        (NODE, True),
        ("predict", False),
        ("1a2b3c4d", True),
        ("prediction-cpu", False),
        ("gke-*-gpu-*", True),
        ("*-gpu", False),
        ("gce://project/us-west1-?/*", True),
        ("us-west1-b", True),
    ],
)
def test_a_pattern_matches_whole_parts_of_a_name(pattern: str, *, matches: bool) -> None:
    assert NodeType(pattern, "e2-small").matches(NODE, PROVIDER) == matches
