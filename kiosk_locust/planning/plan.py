"""Input of a forecast: jobs, cluster, and costs other than GPU nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from kiosk_locust.simulator.settings import ClusterSettings

#: Most vCPUs that the consumers of one GPU request in the Kiosk's own set-up (kiosk-console,
#: conf/helmfile.d/0230 and 0231): 150 segmentation consumers of 0.3, 100 ZIP consumers of 0.2.
VCPUS_PER_GPU = 150 * 0.3 + 100 * 0.2
#: ZIP consumers a GPU at most, from the same file.
ZIP_CONSUMERS_PER_GPU = 100


@dataclass(frozen=True, slots=True)
class ForecastPlan:
    """``images`` submitted in jobs of ``images_per_job``, one each ``start_delay_s`` seconds.

    ``cluster`` holds the simulated Kiosk's own settings; its ``max_nodes`` is the number of GPUs.
    ``consumer_nodes`` CPU nodes exist for each GPU node's lifetime and run the consumers.
    """

    images: int
    images_per_job: int = 100
    zips: bool = True  # a job is a ZIP; else one image
    start_delay_s: float = 0.5
    consumer_nodes: int = 8
    consumer_machine_type: str = "n1-standard-8"
    consumer_spot: bool = True
    zones: int = 2  # of the cluster's nodes
    network: bool = True  # include the bucket and the traffic between zones
    cluster: ClusterSettings = field(default_factory=ClusterSettings)

    @property
    def gpus(self) -> int:
        """Most GPU nodes, with one GPU each."""
        return self.cluster.max_nodes

    @property
    def jobs(self) -> int:
        """Number of jobs."""
        return self.images // self.images_per_job

    @property
    def is_papers(self) -> bool:
        """True if the jobs are those of the paper's benchmark."""
        return self.zips and self.images_per_job == 100 and self.start_delay_s in (0.5, 5.0)


def stage_s(settings: ClusterSettings) -> float:
    """Mean time of an image in work, seconds.

    The mean of a log-normal with median m and standard deviation s of the logarithm is m * exp(s^2
    / 2).
    """
    return math.fsum(settings.stages_s) * mean_of_median(settings)


def mean_of_median(settings: ClusterSettings) -> float:
    """Ratio of a duration's mean to its median."""
    return math.exp(settings.spread**2 / 2)


def gpu_rate(settings: ClusterSettings) -> float:
    """Images per second of one GPU node that is never idle; infinite if stages take no time."""
    in_work_s = stage_s(settings)
    return settings.jobs_per_gpu / in_work_s if in_work_s else math.inf


def with_gpu_rate(settings: ClusterSettings, images_per_s: float) -> ClusterSettings:
    """Settings with all stages scaled, so that a GPU node processes ``images_per_s``."""
    factor = gpu_rate(settings) / images_per_s
    return replace(
        settings,
        download_s=settings.download_s * factor,
        preprocess_s=settings.preprocess_s * factor,
        predict_s=settings.predict_s * factor,
        postprocess_s=settings.postprocess_s * factor,
        save_s=settings.save_s * factor,
    )
