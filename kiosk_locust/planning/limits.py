"""Bottlenecks of a plan: the time that each part of the cluster alone would need for it."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk_locust.planning.plan import ForecastPlan, gpu_rate, mean_of_median, stage_s


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A part of the cluster, and the plan's duration if all other parts took no time."""

    part: str
    seconds: float


def limits(plan: ForecastPlan) -> tuple[Bottleneck, ...]:
    """Bottlenecks, the longest first.

    None is longer than the makespan, except by random deviations from the means.
    """
    cluster = plan.cluster
    mean = mean_of_median(cluster)
    bottlenecks = [
        Bottleneck("submission", (plan.jobs - 1) * plan.start_delay_s),
        Bottleneck("GPU nodes", plan.images / (plan.gpus * gpu_rate(cluster))),
    ]
    alone_s = stage_s(cluster)
    if plan.zips:
        unpacking_s = plan.images_per_job * cluster.zip_image_s * mean
        bottlenecks.append(
            Bottleneck("ZIP consumers", plan.jobs * unpacking_s / cluster.zip_consumers)
        )
        alone_s += unpacking_s + cluster.zip_cleanup_s * mean
    start_s = 0.0 if cluster.min_nodes else cluster.node_startup_s
    bottlenecks.append(Bottleneck("start of GPU nodes", start_s))
    bottlenecks.append(Bottleneck("one job alone", alone_s))
    return tuple(sorted(bottlenecks, key=lambda limit: -limit.seconds))
