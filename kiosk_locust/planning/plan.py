"""One benchmark to be forecast: its jobs, its cluster, and what is paid for beside GPU nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from kiosk_locust.simulator.settings import ClusterSettings

#: vCPUs that the consumers of one GPU ask for at most, by the Kiosk's own set-up (kiosk-console,
#: conf/helmfile.d/0230 and 0231): 150 segmentation consumers of 0.3, 100 ZIP consumers of 0.2.
VCPUS_PER_GPU = 150 * 0.3 + 100 * 0.2
#: ZIP consumers a GPU at most, from the same file.
ZIP_CONSUMERS_PER_GPU = 100


@dataclass(frozen=True, slots=True)
class ForecastPlan:
    """``images`` submitted in jobs of ``images_per_job``, one each ``start_delay_s`` seconds.

    ``cluster`` is the simulated Kiosk's own settings; its ``max_nodes`` is the number of GPUs.
    ``consumer_nodes`` stand beside each GPU node for its time: consumers run on them.
    """

    images: int
    images_per_job: int = 100
    zips: bool = True  # whether a job is a ZIP; else it is one image
    start_delay_s: float = 0.5
    consumer_nodes: int = 8
    consumer_machine_type: str = "n1-standard-8"
    consumer_spot: bool = True
    zones: int = 2  # that the cluster's nodes are in
    network: bool = True  # whether the bucket and the traffic between zones count
    cluster: ClusterSettings = field(default_factory=ClusterSettings)

    @property
    def gpus(self) -> int:
        """GPU nodes at most, with one GPU each."""
        return self.cluster.max_nodes

    @property
    def jobs(self) -> int:
        """How many jobs there are."""
        return self.images // self.images_per_job

    @property
    def is_papers(self) -> bool:
        """Whether its jobs are those of the paper's benchmark."""
        return self.zips and self.images_per_job == 100 and self.start_delay_s in (0.5, 5.0)


def stage_s(settings: ClusterSettings) -> float:
    """How long an image is in work in the mean, in seconds.

    The mean of a log-normal with median m and standard deviation s of the logarithm is
    m * exp(s^2 / 2).
    """
    return math.fsum(settings.stages_s) * mean_of_median(settings)


def mean_of_median(settings: ClusterSettings) -> float:
    """By how much the mean of a duration is above its median."""
    return math.exp(settings.spread**2 / 2)


def gpu_rate(settings: ClusterSettings) -> float:
    """Images a second of one GPU node that is never idle; infinite where stages take no time."""
    in_work_s = stage_s(settings)
    return settings.jobs_per_gpu / in_work_s if in_work_s else math.inf


def with_gpu_rate(settings: ClusterSettings, images_per_s: float) -> ClusterSettings:
    """The same with all stages longer or shorter, so that a GPU node does ``images_per_s``."""
    factor = gpu_rate(settings) / images_per_s
    return replace(
        settings,
        download_s=settings.download_s * factor,
        preprocess_s=settings.preprocess_s * factor,
        predict_s=settings.predict_s * factor,
        postprocess_s=settings.postprocess_s * factor,
        save_s=settings.save_s * factor,
    )
