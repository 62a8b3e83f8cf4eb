"""Waits before the cost query: for the scale-down, and for the last scrape."""

from __future__ import annotations

import logging
from functools import partial

from gevent.event import Event

from kiosk_locust.clock import Clock
from kiosk_locust.cost.collect import cluster_series, last_scrape, scrapes
from kiosk_locust.cost.estimate import is_idle
from kiosk_locust.cost.prometheus import Prometheus
from kiosk_locust.cost.types import Window
from kiosk_locust.formatting import units
from kiosk_locust.model.options import CostOptions
from kiosk_locust.native_thread import in_thread

logger = logging.getLogger(__name__)

SCRAPE_POLL_S = 2.0
IDLE_POLL_S = 15.0
#: Longest wait for the scale-down.
LONGEST_TAIL_S = 3600.0


class Waiting:
    """Waits that end early when ``hurry`` is set; methods raise CostError if no server answers."""

    def __init__(
        self, prometheus: Prometheus, options: CostOptions, clock: Clock, hurry: Event
    ) -> None:
        self._prometheus = prometheus
        self._options = options
        self._clock = clock
        self._hurry = hurry

    def for_the_scale_down(self, run: Window) -> float:
        """Wait as COST_TAIL says.

        Returns:
            The moment up to which nodes are counted, epoch seconds.

        """
        tail_s = self._options.tail_s
        if tail_s == 0 or self._hurry.is_set():
            return run.end_at
        if tail_s is not None:
            logger.warning("COST_TAIL: waiting %s for the scale-down", units.seconds(tail_s))
            self._clock.wait(self._hurry, run.end_at + tail_s - self._clock.now())
            return min(self._clock.now(), run.end_at + tail_s)
        logger.warning(
            "COST_TAIL: waiting until the GPU nodes of this run are gone, at most %s; a signal"
            " ends the waiting",
            units.seconds(LONGEST_TAIL_S),
        )
        while self._clock.now() < run.end_at + LONGEST_TAIL_S:
            now = self._clock.now()
            series = cluster_series(self._prometheus, run.start_at, now)
            if in_thread(partial(is_idle, series, run, self._options.node_types)):
                return now
            if self._clock.wait(self._hurry, IDLE_POLL_S):
                return self._clock.now()
        logger.warning("COST_TAIL: there are still GPU nodes of this run; they are counted so far")
        return self._clock.now()

    def for_a_scrape(self, moment: float) -> float:
        """Wait briefly until nodes were scraped at or after ``moment``.

        Returns:
            The later of ``moment`` and now, epoch seconds.

        """
        state = scrapes(self._prometheus, self._clock.now())
        deadline = self._clock.now() + state.patience_s
        last_at = state.last_at
        if last_at is not None and last_at < moment:  # else there is no scrape to wait for
            logger.info("waiting for the next scrape, at most %s", units.seconds(state.patience_s))
            while last_at < moment and (now := self._clock.now()) < deadline:
                if self._clock.wait(self._hurry, min(SCRAPE_POLL_S, deadline - now)):
                    break
                last_at = last_scrape(self._prometheus, self._clock.now()) or last_at
        return max(moment, self._clock.now())
