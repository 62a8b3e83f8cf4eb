"""Published results of the Kiosk's own benchmark, for comparison with the model's figures.

Bannon et al., DeepCell Kiosk, Nature Methods 18 (2021): 1,000,000 images of one megapixel in
about 5.5 h for about 250 USD, below 100 USD with another configuration; a GPU does 5 to 10
images a second. The text has no other cell of its grid.
"""

from __future__ import annotations

from dataclasses import dataclass

from kiosk_locust.planning.plan import ForecastPlan


@dataclass(frozen=True, slots=True)
class Published:
    """A published cell of the grid."""

    makespan_s: float
    usd: float


_CELLS = {(8, 1_000_000): Published(5.5 * 3600, 250.0)}


def published(plan: ForecastPlan) -> Published | None:
    """Published result of a plan; None if there is none.

    The cell was measured with a ZIP each 0.5 s: with one each 5 s the submission alone would take
    13.9 h.
    """
    return _CELLS.get((plan.gpus, plan.images)) if plan.is_papers else None


def relative_error(model: float, published: float) -> float:
    """Relative deviation of the model from the published value."""
    return model / published - 1
