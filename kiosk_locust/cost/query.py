"""Cost query at the end of a run; no failure in it changes how the run ends."""

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
from kiosk_locust.cost.endpoints import CostServers, Source, default_source
from kiosk_locust.cost.run_estimates import run_estimates
from kiosk_locust.cost.scale_down import LONGEST_TAIL_S, Waiting
from kiosk_locust.cost.serialisation import Priced, RunCost
from kiosk_locust.cost.types import Window
from kiosk_locust.errors import CostError, KioskLocustError
from kiosk_locust.model.options import Options
from kiosk_locust.native_thread import in_thread

logger = logging.getLogger(__name__)

#: For all queries and the estimate; waits for scrapes and for the scale-down are extra.
LIMIT_S = 300.0
#: For one request with all its tries: to a server that has not answered yet, and to one that has.
FIRST_ANSWER_S, ANSWER_S = 20.0, 60.0
#: Interval of log lines about an unanswered request.
LOG_INTERVAL_S = 5.0
#: The overall limit once the user is in a hurry.
HURRIED_LIMIT_S = 8.0
#: The same after SIGTERM during a run: jobs had 10 s and a last poll, and everything must end
#: within 15 s.
SIGTERM_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class EndedRun:
    """Input of a cost query: the run's ledger, window and annotation.

    ``due_at`` is its first due time. ``ends`` has the last end of a job by cycle, and of the run
    under None (epoch seconds). Where these are unknown, or jobs did not end, the run's own start
    and end are used.
    """

    ledger: Path
    note: RunNote
    was_signalled: bool = False  # a signalled run does not wait for a scale-down
    due_at: float | None = None
    ends: Mapping[int | None, float] = field(default_factory=dict)

    @property
    def window(self) -> Window:
        """From the first due time to the end of the makespan."""
        start_at = self.note.start_at if self.due_at is None else self.due_at
        return Window(start_at, max(start_at, self.ends.get(None, self.note.end_at)))


class CostCollector:
    """Cost of one run, from the Grafana or Prometheus that its options name.

    A simulated run queries only its own simulator, at ``simulated_url``.
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
        self._server_name = "the cluster's Grafana"  # setting and address of the server, once known
        self._servers: CostServers | None = None  # while they are queried

    def hurry(self, limit_s: float = HURRIED_LIMIT_S) -> None:
        """Stop waiting for scrapes and for the scale-down; limit the query to ``limit_s``."""
        self._hurried_limit_s = min(self._hurried_limit_s, limit_s)
        self._hurry.set()

    def ask(self, ended: EndedRun) -> RunCost | None:
        """Cost of the run, or why it is unknown; None if no server is configured.

        Logs one warning for any failure; raises nothing.
        """
        greenlet = gevent.spawn(self._ask, ended)
        limit_s = LIMIT_S + self._longest_wait_s()
        self._wait(greenlet, limit_s)
        if not greenlet.dead:
            limit_s = self._hurried_limit_s
            greenlet.join(limit_s)
        if greenlet.dead and greenlet.successful():
            cost: RunCost | None = greenlet.value
        else:
            greenlet.kill()
            cost = RunCost(
                self._server_name,
                f"{self._server_name} did not answer all questions in {limit_s:g} s, and the run's"
                " end waits no longer; is it overloaded, or is there a firewall before it?",
            )
        if cost is not None and cost.trouble:
            logger.warning("the cost is not known: %s", cost.trouble)
        return cost

    def _wait(self, greenlet: gevent.Greenlet, limit_s: float) -> None:
        """Wait until all requests are answered or the user is in a hurry.

        Logs every few seconds for how long a request is open, and cancels one that is open too
        long.
        """
        deadline, logged_s = monotonic() + limit_s, 0.0
        while not greenlet.dead and not self._hurry.is_set() and monotonic() < deadline:
            gevent.wait([greenlet, self._hurry], timeout=1.0, count=1)
            client = self._servers.open if self._servers else None
            if client is None:
                logged_s = 0.0
                continue
            limit_for_request_s = ANSWER_S if client.has_answered else FIRST_ANSWER_S
            if client.open_s >= limit_for_request_s and not client.is_given_up:
                client.is_given_up = True
                greenlet.kill(
                    CostError(unanswered(client.target, limit_for_request_s)), block=False
                )
            elif client.open_s >= logged_s + LOG_INTERVAL_S:
                logged_s = client.open_s
                logger.warning(
                    "asking %s for the cost: no answer for %.0f s; it is given up after %.0f s,"
                    " Ctrl-C does so sooner",
                    *(client.target, logged_s, limit_for_request_s),
                )

    def _longest_wait_s(self) -> float:
        tail_s = self._options.cost.tail_s
        return PATIENCE_S + (LONGEST_TAIL_S if tail_s is None else tail_s)

    def _source(self) -> Source:
        if self._simulated_url:
            return Source(grafana=self._simulated_url)
        configured = Source(self._options.grafana.host, self._options.grafana.prometheus_url)
        return configured or default_source(self._environ)

    def _ask(self, ended: EndedRun) -> RunCost | None:
        source = self._source()
        if not source:
            logger.info("the cost is not asked for: neither GRAFANA_HOST nor PROMETHEUS_URL is set")
            return None
        servers = self._servers = CostServers(source, self._secrets, self._clock)
        self._server_name = str(servers)
        try:
            cost = self._answer(servers, ended)
        except KioskLocustError as error:
            cost = RunCost(str(servers), str(error))
        except Exception as error:
            logger.exception("a fault while the cost was asked for")
            cost = RunCost(str(servers), f"a fault of kiosk_locust: {error!r}")
        try:
            self._annotate(servers, ended.note, quietly=bool(cost.trouble))
        finally:
            servers.close()
        return cost

    def _annotate(self, servers: CostServers, note: RunNote, *, quietly: bool) -> None:
        """Mark the run in Grafana; if the cost failed already, a failure is logged at INFO only."""
        if servers.grafana is None or not self._options.grafana.annotations:
            return
        if servers.grafana.is_given_up:
            logger.info("the run is not marked in Grafana, which has just not answered")
            return
        try:
            annotate(servers.grafana, note)
        except CostError as error:
            level = logging.INFO if quietly else logging.WARNING
            logger.log(level, "the run is not marked in Grafana: %s", error)
        except Exception:
            logger.exception("a fault while the run was marked in Grafana")

    def _answer(self, servers: CostServers, ended: EndedRun) -> RunCost:
        prometheus = servers.prometheus()
        waiting = Waiting(prometheus, self._options.cost, self._clock, self._hurry)
        seen_to = ended.window.end_at
        if not ended.was_signalled:
            seen_to = waiting.for_the_scale_down(ended.window)
        series_end = waiting.for_a_scrape(seen_to)
        series = cluster_series(prometheus, ended.window.start_at, series_end)
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
        priced = {cycle: Priced.of(cycle_estimate) for cycle, cycle_estimate in estimates.items()}
        run = priced.pop(None)
        return RunCost(
            str(servers), run=run, cycles={c: p for c, p in priced.items() if c is not None}
        )


def unanswered(server: object, seconds: float) -> str:
    """Message about a server that did not answer in time."""
    return (
        f"{server} did not answer within {seconds:g} s; is it overloaded, or is there a firewall"
        " before it?"
    )
