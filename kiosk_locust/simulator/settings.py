"""Settings of the simulated cluster: one frozen value, each field with its own help."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from kiosk_locust.errors import Mistake, OptionsError


def _setting(default: Any, text: str, group: str) -> Any:  # as dataclasses.field is typed
    return field(default=default, metadata={"help": text, "group": group})


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Settings of the model; durations in seconds, rates as shares from 0 to 1.

    Raises:
        OptionsError: A value is invalid; the error lists every mistake.

    """

    seed: int = _setting(0, "seed of every draw of the model", "Jobs")
    job_types: tuple[str, ...] = _setting(
        ("segmentation", "mesmer", "polaris"), "job types, with commas between them", "Jobs"
    )
    models: tuple[str, ...] = _setting(
        (), "models that /api/models lists, as name:version with commas between them", "Jobs"
    )
    model_prefix: str = _setting(
        "models/", "MODEL_PREFIX of the frontend; without a slash at its end, as the real one's"
        " default models, /api/models lists no versions", "Jobs",
    )  # fmt: skip
    bucket_url: str = _setting(
        "https://storage.googleapis.com/simulated-kiosk",
        "output URLs begin so; python -m kiosk_locust.simulator serves them itself instead",
        "Jobs",
    )
    upload_clock_s: float = _setting(
        0.001, "step of the clock by which uploads are named: two files of one name within a step"
        " become one object, as in a Kiosk, whose step is a millisecond", "Jobs",
    )  # fmt: skip
    upload_mb_per_s: float = _setting(
        0.0, "how fast the frontend passes an upload on to the bucket, once it has it whole; it"
        " answers after that; 0: at once", "Jobs",
    )  # fmt: skip
    output_bytes: int = _setting(10_000, "size of what each job makes", "Jobs")
    images_per_zip: int = _setting(100, "images in every ZIP", "Jobs")
    stage_times: bool = _setting(
        default=True,
        text="write started_at, prediction_time, postprocess_time, predict_retries as older"
        " consumers",
        group="Jobs",
    )

    download_s: float = _setting(0.15, "median of the status started", "Stages of an image")
    preprocess_s: float = _setting(0.1, "median of pre-processing", "Stages of an image")
    predict_s: float = _setting(0.5, "median of predicting", "Stages of an image")
    postprocess_s: float = _setting(
        0.15, "median of post-processing; 0 leaves the status out", "Stages of an image"
    )
    save_s: float = _setting(0.2, "median of saving-results", "Stages of an image")
    spread: float = _setting(
        0.3, "standard deviation of the logarithm of every duration; 0: all the same",
        "Stages of an image",
    )  # fmt: skip

    zip_consumers: int = _setting(4, "ZIPs unpacked at once", "ZIPs")
    zip_image_s: float = _setting(0.02, "median to unpack and queue one image", "ZIPs")
    zip_cleanup_s: float = _setting(0.5, "median to pack the results", "ZIPs")
    child_expire_s: float = _setting(3600.0, "a ZIP's children vanish so long after it", "ZIPs")
    lost_timings_rate: float = _setting(
        0.0, "share of the children's timings missing from the ZIP's lists", "ZIPs"
    )

    failure_rate: float = _setting(0.0, "share of images that fail", "What goes wrong")
    zip_failure_rate: float = _setting(
        0.0, "share of ZIPs that fail while they are unpacked", "What goes wrong"
    )
    uniform_access: bool = _setting(
        default=False,
        text="the bucket has uniform bucket-level access: the frontend stores an upload, cannot"
        " make it public, and never answers",
        group="What goes wrong",
    )
    zip_stuck_rate: float = _setting(
        0.0, "share of ZIPs left waiting for ever, as by a name that the lists of children cannot"
        " carry", "What goes wrong",
    )  # fmt: skip
    finished_at_missing_rate: float = _setting(
        1.0,
        "share of failed jobs without finished_at; consumers of today never write it",
        "What goes wrong",
    )
    vanish_rate: float = _setting(
        0.0, "share of submitted jobs whose hash vanishes", "What goes wrong"
    )
    vanish_after_s: float = _setting(5.0, "median age at which a hash vanishes", "What goes wrong")
    requeue_rate: float = _setting(
        0.0, "share of attempts whose consumer dies in mid-job, so that another one starts anew",
        "What goes wrong",
    )  # fmt: skip
    requeue_delay_s: float = _setting(
        10.0, "until such a job is back in its queue", "What goes wrong"
    )

    jobs_per_gpu: int = _setting(8, "images that one node processes at once", "GPU nodes")
    min_nodes: int = _setting(1, "fewest GPU nodes; these run from the start", "GPU nodes")
    max_nodes: int = _setting(4, "most GPU nodes", "GPU nodes")
    jobs_per_node: int = _setting(50, "images queued or in work that justify one node", "GPU nodes")
    autoscale_interval_s: float = _setting(5.0, "the autoscaler looks so often", "GPU nodes")
    node_startup_s: float = _setting(8.0, "median until a new node takes work", "GPU nodes")
    scale_down_delay_s: float = _setting(60.0, "a node idle for so long is removed", "GPU nodes")
    machine_type: str = _setting("n1-highmem-2", "machine type of GPU nodes", "GPU nodes")
    accelerator: str = _setting("nvidia-tesla-t4", "GPU of GPU nodes, one a node", "GPU nodes")
    spot: bool = _setting(default=True, text="GPU nodes are spot nodes", group="GPU nodes")

    frontend_skew_s: float = _setting(
        0.0, "the frontend's clock is ahead by so much (below 0: behind)", "Clocks"
    )
    consumer_skew_s: float = _setting(
        0.0, "the consumers' clocks are ahead by so much (below 0: behind)", "Clocks"
    )

    region: str = _setting("us-west1", "where all nodes are, for their prices", "Other nodes")
    cpu_nodes: int = _setting(2, "nodes without a GPU, which are always there", "Other nodes")
    cpu_machine_type: str = _setting("n1-standard-4", "their machine type", "Other nodes")

    @property
    def stages_s(self) -> tuple[float, ...]:
        """Medians of an image's stages in seconds, in order."""
        return (
            self.download_s,
            self.preprocess_s,
            self.predict_s,
            self.postprocess_s,
            self.save_s,
        )

    def __post_init__(self) -> None:
        mistakes = list(self._mistakes())
        if mistakes:
            raise OptionsError(mistakes)

    def _mistakes(self) -> Iterator[Mistake]:
        for setting in fields(self):
            value = getattr(self, setting.name)
            advice = _complaint(setting.name, value)
            if advice:
                yield Mistake(flag(setting.name), str(value), advice)
        if self.max_nodes < max(1, self.min_nodes):
            advice = f"give at least 1 and at least --min-nodes ({self.min_nodes})"
            yield Mistake("--max-nodes", str(self.max_nodes), advice)
        if not self.job_types:
            yield Mistake("--job-types", "", "give at least one job type")
        for model in self.models:
            if not all(model.partition(":")[::2]):
                yield Mistake("--models", model, "write each model as name:version")


_AT_LEAST_ONE = {"images_per_zip", "zip_consumers", "jobs_per_gpu", "jobs_per_node"}


def flag(name: str) -> str:
    """Command line flag of a field."""
    return "--" + name.replace("_", "-")


def _complaint(name: str, value: object) -> str:
    """Advice on an invalid number; empty if it is valid."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if name.endswith("_skew_s") and math.isfinite(value):
        return ""
    if not math.isfinite(value) or value < 0:
        return "give a finite number of at least 0"
    if name.endswith("_rate") and value > 1:
        return "give a share from 0 to 1"
    if name in _AT_LEAST_ONE and value < 1:
        return "give a whole number of at least 1"
    if name in ("autoscale_interval_s", "upload_clock_s") and value == 0:
        return "give a number of seconds above 0"
    return ""
