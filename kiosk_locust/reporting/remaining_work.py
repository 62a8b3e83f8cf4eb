"""Jobs that an interrupted run left in the Kiosk, and the time and cost to finish them; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kiosk_locust.formatting import units


@dataclass(frozen=True, slots=True)
class RemainingWork:
    """Submitted jobs that did not end, and the run's figures for an estimate of the rest."""

    jobs: int
    images_per_job: int | None  # None: they are ZIPs, and their images are not counted
    images_done: int  # of the run
    images_per_s: float | None  # the pace of the run
    gpu_nodes_usd: float | None  # of the run; None: not known
    is_planned: bool = False  # ``images_per_job`` is a setting, not a count of the Kiosk
    queues: str = ""  # the Kiosk's queues in words; empty: not queried

    @property
    def images(self) -> int | None:
        """Number of images of these jobs; None: not known."""
        return None if self.images_per_job is None else self.jobs * self.images_per_job

    @property
    def takes_s(self) -> float | None:
        """Time to finish them at the run's pace, in seconds; None: not known."""
        if self.images is None or not self.images_per_s:
            return None
        return self.images / self.images_per_s

    @property
    def costs_usd(self) -> float | None:
        """Cost of GPU nodes for that time, at the run's price; None: not known.

        The price is the nodes' cost over the run's time, the pace its images over the same time, so
        the time cancels out.
        """
        if self.images is None or self.gpu_nodes_usd is None or not self.images_done:
            return None
        return self.gpu_nodes_usd / self.images_done * self.images

    def lines(self) -> Iterator[str]:
        """Text lines about it; none if there are no such jobs."""
        if not self.jobs:
            return
        planned = " (planned)" if self.is_planned else ""
        images = "" if self.images in (None, self.jobs) else f", {self.images:,} images{planned}"
        yield f"left in the Kiosk: {units.count(self.jobs, 'job')} of this run{images}"
        if self.queues:
            yield f"the Kiosk: {self.queues}"
        if self.takes_s is None:
            reason = "IMAGES_PER_JOB is not set" if self.images is None else "no image was done"
            yield f"how long that takes, and what it costs, is not known: {reason}"
            return
        cost = "what it costs is not known, as the run's cost is not"
        if self.costs_usd is not None:
            cost = f"it costs {units.usd(self.costs_usd)} of GPU nodes"
        yield f"to finish them takes {units.about(self.takes_s)} at this run's pace, and {cost}"
