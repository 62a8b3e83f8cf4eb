"""Asks at the end of a run what it cost; whatever goes wrong, the run ends as it would have."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import gevent
from gevent.event import Event

from kiosk_locust.clock import Clock
from kiosk_locust.cost.annotations import RunNote, annotate
from kiosk_locust.cost.collect import PATIENCE_S, cluster_series
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.endpoints import Asked, Source, default_source
from kiosk_locust.cost.run_estimates import run_estimates
from kiosk_locust.cost.scale_down import LONGEST_TAIL_S, Waiting
from kiosk_locust.cost.serialisation import Priced, RunCost
from kiosk_locust.cost.types import Window
from kiosk_locust.errors import CostError, KioskLocustError
from kiosk_locust.model.options import Options
from kiosk_locust.native_thread import in_thread

logger = logging.getLogger(__name__)

#: For all questions and the estimate; waiting for scrapes and for the scale-down comes on top.
LIMIT_S = 300.0
#: For one question with all its tries: to somebody who has not answered yet, and who has.
FIRST_ANSWER_S, ANSWER_S = 20.0, 60.0
#: A question that stays open is told so often, in seconds.
TELL_S = 5.0
#: The same as the first once somebody is in a hurry.
HURRIED_LIMIT_S = 8.0
#: The same after SIGTERM in mid-run: jobs had 10 s and a last look, all is to be over after 15 s.
SIGTERM_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What of a run is needed for its cost: its ledger, its window, and what to tell of it.

    ``due_at`` is its first due time; ``ends`` has the last end of a job of each cycle, and of the
    run under None (epoch seconds). Where they are not known, or jobs did not end, the run's own
    start and end stand in.
    """

    ledger: Path
    note: RunNote
    was_signalled: bool = False  # whoever ended it does not want to wait for a scale-down
    due_at: float | None = None
    ends: Mapping[int | None, float] = field(default_factory=dict)

    @property
    def window(self) -> Window:
        """From the first due time to the end of the makespan."""
        start_at = self.note.start_at if self.due_at is None else self.due_at
        return Window(start_at, max(start_at, self.ends.get(None, self.note.end_at)))


class Costing:
    """The cost of one run, from the Grafana or Prometheus that its options name.

    A simulated run asks its own simulator, at ``simulated_url``, and nobody else.
    """

    def __init__(
        self,
        options: Options,
        secrets: Secrets,
        clock: Clock,
        environ: Mapping[str, str],
        simulated_url: str = "",
    ) -> None:
        self._options = options
        self._secrets = Secrets() if simulated_url else secrets
        self._clock = clock
        self._environ = environ
        self._simulated_url = simulated_url
        self._hurry = Event()
        self._hurried_limit_s = HURRIED_LIMIT_S
        self._asked = "the cluster's Grafana"  # by its setting and address, once they are known
        self._servers: Asked | None = None  # while they are asked

    def hurry(self, limit_s: float = HURRIED_LIMIT_S) -> None:
        """Wait for nothing any more, neither scrapes nor the scale-down; ask for so long."""
        self._hurried_limit_s = min(self._hurried_limit_s, limit_s)
        self._hurry.set()

    def ask(self, ended: Ended) -> RunCost | None:
        """What the run cost, or why that is not known; None where there is nobody to ask.

        Warns once of any trouble, and raises nothing.
        """
        greenlet = gevent.spawn(self._ask, ended)
        limit_s = LIMIT_S + self._longest_wait_s()
        self._wait(greenlet, limit_s)
        if not greenlet.dead:
            limit_s = self._hurried_limit_s
            greenlet.join(limit_s)
        if greenlet.dead and greenlet.successful():
            found: RunCost | None = greenlet.value
        else:
            greenlet.kill()
            found = RunCost(
                self._asked,
                f"{self._asked} did not answer all questions in {limit_s:g} s, and the run's end"
                " waits no longer; is it overloaded, or is there a firewall before it?",
            )
        if found is not None and found.trouble:
            logger.warning("the cost is not known: %s", found.trouble)
        return found

    def _wait(self, greenlet: gevent.Greenlet, limit_s: float) -> None:
        """Wait until all is answered, or somebody is in a hurry; ends a question nobody answers.

        Says every few seconds that one is open, for how long, and when it is given up.
        """
        until, told_s = monotonic() + limit_s, 0.0
        while not greenlet.dead and not self._hurry.is_set() and monotonic() < until:
            gevent.wait([greenlet, self._hurry], timeout=1.0, count=1)
            web = self._servers.open if self._servers else None
            if web is None:
                told_s = 0.0
                continue
            most_s = ANSWER_S if web.has_answered else FIRST_ANSWER_S
            if web.open_s >= most_s and not web.is_given_up:
                web.is_given_up = True
                greenlet.kill(CostError(unanswered(web.target, most_s)), block=False)
            elif web.open_s >= told_s + TELL_S:
                told_s = web.open_s
                logger.warning(
                    "asking %s for the cost: no answer for %.0f s; it is given up after %.0f s,"
                    " Ctrl-C does so sooner",
                    *(web.target, told_s, most_s),
                )

    def _longest_wait_s(self) -> float:
        tail_s = self._options.cost.tail_s
        return PATIENCE_S + (LONGEST_TAIL_S if tail_s is None else tail_s)

    def _source(self) -> Source:
        if self._simulated_url:
            return Source(grafana=self._simulated_url)
        given = Source(self._options.grafana.host, self._options.grafana.prometheus_url)
        return given or default_source(self._environ)

    def _ask(self, ended: Ended) -> RunCost | None:
        source = self._source()
        if not source:
            logger.info("the cost is not asked for: neither GRAFANA_HOST nor PROMETHEUS_URL is set")
            return None
        asked = self._servers = Asked(source, self._secrets, self._clock)
        self._asked = str(asked)
        try:
            found = self._answer(asked, ended)
        except KioskLocustError as error:
            found = RunCost(str(asked), str(error))
        except Exception as error:
            logger.exception("a fault while the cost was asked for")
            found = RunCost(str(asked), f"a fault of kiosk_locust: {error!r}")
        try:
            self._annotate(asked, ended.note, quietly=bool(found.trouble))
        finally:
            asked.close()
        return found

    def _annotate(self, asked: Asked, note: RunNote, *, quietly: bool) -> None:
        """Mark the run in Grafana; where the cost could not be had, one warning is enough."""
        if asked.grafana is None or not self._options.grafana.annotations:
            return
        if asked.grafana.is_given_up:
            logger.info("the run is not marked in Grafana, which has just not answered")
            return
        try:
            annotate(asked.grafana, note)
        except CostError as error:
            level = logging.INFO if quietly else logging.WARNING
            logger.log(level, "the run is not marked in Grafana: %s", error)
        except Exception:
            logger.exception("a fault while the run was marked in Grafana")

    def _answer(self, asked: Asked, ended: Ended) -> RunCost:
        prometheus = asked.prometheus()
        waiting = Waiting(prometheus, self._options.cost, self._clock, self._hurry)
        seen_to = ended.window.end_at
        if not ended.was_signalled:
            seen_to = waiting.for_the_scale_down(ended.window)
        asked_to = waiting.for_a_scrape(seen_to)
        series = cluster_series(prometheus, ended.window.start_at, asked_to)
        estimates = in_thread(
            lambda: run_estimates(
                series,
                ended.ledger,
                ended.window,
                ended.ends,
                options=self._options,
                seen_to=seen_to,
            )
        )
        priced = {cycle: Priced.of(found) for cycle, found in estimates.items()}
        run = priced.pop(None)
        return RunCost(
            str(asked), run=run, cycles={c: p for c, p in priced.items() if c is not None}
        )


def unanswered(server: object, seconds: float) -> str:
    """The message for a server that gave no answer in time."""
    return (
        f"{server} did not answer within {seconds:g} s; is it overloaded, or is there a firewall"
        " before it?"
    )
