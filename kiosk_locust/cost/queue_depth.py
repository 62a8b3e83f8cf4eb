"""Queue lengths of the Kiosk, from its cluster's Prometheus, and the check that it is idle.

The Kiosk's chart has redis_exporter count keys by a script: for each queue the keys that wait and
those that a consumer is working on, as ``redis_script_value{key="QUEUE"}`` (``redis_script_values``
since version 1.1 of the exporter). A job type's queue has its name; its ZIP queue ends in ``-zip``.
See https://github.com/vanvalenlab/kiosk-console, conf/addons/redis-exporter-script.yaml
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import gevent

from kiosk_locust.clock import Clock
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.endpoints import CostServers, Source, default_source
from kiosk_locust.cost.prometheus import Prometheus
from kiosk_locust.errors import KioskLocustError, PreflightError
from kiosk_locust.formatting import units
from kiosk_locust.formatting.wait_messages import reminding
from kiosk_locust.model.options import Options

logger = logging.getLogger(__name__)

METRICS = ("redis_script_value", "redis_script_values")
#: For all queries; the start or end of a run is not delayed further.
LIMIT_S = 10.0
#: Interval of log lines during such a wait.
LOG_INTERVAL_S = 5.0
#: Interval of --require-idle wait; the Kiosk's Prometheus scrapes every 15 s.
IDLE_RETRY_S = 15.0
_STEP_S = 0.5
_SETTINGS = "set GRAFANA_HOST or PROMETHEUS_URL"


@dataclass(frozen=True, slots=True)
class Queues:
    """Keys in each queue of a job type, waiting or in work; or the reason why they are unknown."""

    lengths: Mapping[str, int] = field(default_factory=dict)
    unknown: str = ""

    @property
    def jobs(self) -> int:
        """Keys in all queues together."""
        return sum(self.lengths.values())

    def __str__(self) -> str:
        if self.unknown:
            return f"how much it has to do cannot be known: {self.unknown}"
        busy = [f"{units.count(n, 'job')} in {name}" for name, n in self.lengths.items() if n]
        return f"it has {' and '.join(busy)}" if busy else "it is idle"


class IdleCheck:
    """Check of the job type's queues at the Prometheus that a run's options name."""

    def __init__(
        self, options: Options, secrets: Secrets, clock: Clock, environ: Mapping[str, str]
    ) -> None:
        self._options = options
        self._secrets = secrets
        self._clock = clock
        self._environ = environ
        self._background_check: gevent.Greenlet | None = None

    def queues(self, limit_s: float = LIMIT_S, at: float | None = None) -> Queues:
        """Queue lengths at ``at`` (epoch seconds; default: now), queried for at most ``limit_s``.

        Raises nothing: a failure is the reason in ``unknown``.
        """
        at = self._clock.now() if at is None else at
        configured = Source(self._options.grafana.host, self._options.grafana.prometheus_url)
        source = configured or default_source(self._environ)
        if not source:
            return Queues(unknown=_SETTINGS)
        greenlet = gevent.spawn(self._ask, source, at)
        try:
            greenlet.join(limit_s)
            is_answered = greenlet.dead
        finally:
            greenlet.kill(block=False)
        if not is_answered:
            return Queues(unknown=f"no answer in {units.seconds(limit_s)}")
        result: Queues = greenlet.value
        return result

    def enforce_idle(self, *, resumes: bool, is_ended: Callable[[], bool]) -> None:
        """Warn, refuse or wait as the options say; see `enforce_idle`.

        A check that only warns runs in the background, as of now, and delays nothing.
        """
        require, began_at = self._options.require_idle, self._clock.now()
        if resumes or require == "warn":
            self._background_check = gevent.spawn(
                enforce_idle,
                lambda: self.queues(LIMIT_S, began_at),
                *("warn", self._clock),
                resumes=resumes,
                is_ended=is_ended,
            )
            return

        def query_queues() -> Queues:
            with reminding(
                f"asking for the Kiosk's queues, for {LIMIT_S:g} s at most", LOG_INTERVAL_S
            ):
                return self.queues(LIMIT_S)

        enforce_idle(query_queues, require, self._clock, resumes=resumes, is_ended=is_ended)

    def close(self) -> None:
        """Cancel a check in the background."""
        if self._background_check is not None:
            self._background_check.kill()

    def _ask(self, source: Source, at: float) -> Queues:
        servers = CostServers(source, self._secrets, self._clock)
        try:
            return queues(servers.prometheus(), self._options.job_type, at, str(servers))
        except KioskLocustError as error:
            return Queues(unknown=str(error))
        except Exception as error:
            logger.exception("a fault while the Kiosk's queues were asked for")
            return Queues(unknown=f"a fault of kiosk_locust: {error!r}")
        finally:
            servers.close()


def queues(prometheus: Prometheus, job_type: str, at: float, server_name: str) -> Queues:
    """Queue lengths at a moment (epoch seconds).

    Raises:
        CostError: The Prometheus cannot be queried.

    """
    names = (job_type, f"{job_type}-zip")
    lengths: dict[str, int] = {}
    for metric in METRICS:
        for name in names:
            for series in prometheus.query(f'{metric}{{key="{name}"}}', at):
                last = int(series.samples[-1][1])
                lengths[name] = max(last, lengths.get(name, 0))
    if not lengths:
        return Queues(
            unknown=f"{server_name} knows no {METRICS[0]} of {job_type}: does redis_exporter run,"
            " with the Kiosk's script?"
        )
    return Queues(lengths)


def enforce_idle(
    look: Callable[[], Queues],
    require: str,
    clock: Clock,
    *,
    resumes: bool,
    is_ended: Callable[[], bool],
) -> None:
    """Warn, refuse or wait if the Kiosk is not idle, as ``require`` says.

    A resumed run only logs the queues, since their jobs may be its own.

    Args:
        look: Returns the present queues.
        require: ``warn``, ``refuse`` or ``wait``.
        clock: The clock for pauses.
        resumes: The run is a resumed one.
        is_ended: Tells if the run was ended meanwhile.

    Raises:
        PreflightError: The run is refused, or was ended while it waited.

    """
    state = look()
    if resumes:
        logger.info("the Kiosk: %s", state)
        return
    if require == "warn":
        level = logging.WARNING if state.unknown or state.jobs else logging.INFO
        logger.log(level, "the Kiosk: %s", state)
        return
    while state.unknown or state.jobs:
        if state.unknown or require == "refuse":
            advice = "mend that, or say --require-idle warn"
            if not state.unknown:
                advice = "wait until they are done, or say --require-idle wait"
            raise PreflightError(f"the Kiosk must be idle (REQUIRE_IDLE), and {state}: {advice}")
        logger.warning("the Kiosk must be idle, and %s; asked again in %g s", state, IDLE_RETRY_S)
        retry_at = clock.now() + IDLE_RETRY_S
        while clock.now() < retry_at:
            if is_ended():
                raise PreflightError("the run was ended while it waited for an idle Kiosk")
            clock.sleep(_STEP_S)
        state = look()
    logger.info("the Kiosk: %s", state)
