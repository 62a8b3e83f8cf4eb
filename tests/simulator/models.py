"""Clusters in virtual time, for tests of the model."""

from __future__ import annotations

from typing import Any

from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.settings import ClusterSettings
from kiosk_locust.simulator.submission import SimulatedSubmission, parse_submission

START = 1_800_000_000.0
STEADY: dict[str, Any] = {
    "spread": 0.0,
    "download_s": 1.0,
    "preprocess_s": 1.0,
    "predict_s": 1.0,
    "postprocess_s": 1.0,
    "save_s": 1.0,
    "zip_image_s": 0.5,
    "zip_cleanup_s": 2.0,
    "images_per_zip": 4,
    "max_nodes": 1,
}


def cluster(**settings: Any) -> Cluster:
    """A cluster whose every stage takes 1 s exactly, on one node unless told otherwise."""
    return Cluster(ClusterSettings(**(STEADY | settings)), START)


def form(image_name: str = "a.png", **body: object) -> SimulatedSubmission:
    """A submission as the plugin sends it."""
    asked: dict[str, object] = {
        "jobType": "segmentation",
        "imageName": image_name,
        "uploadedName": f"uploads/{image_name}",
        "jobForm": {"dimensionOrder": "XYB", "selectedChannels": "0,,"},
    }
    return parse_submission(asked | body, ("segmentation", "mesmer", "polaris"))
