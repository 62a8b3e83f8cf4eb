"""Whether the Kiosk has nothing to do, by the queue lengths in its cluster's Prometheus.

The Kiosk's chart has redis_exporter count keys by a script: for each queue those that wait, and
those that a consumer is working on, as ``redis_script_value{key="QUEUE"}`` (``redis_script_values``
since version 1.1 of the exporter). A queue of a job type has its name, that of its ZIPs ends in
``-zip``. See https://github.com/vanvalenlab/kiosk-console, conf/addons/redis-exporter-script.yaml
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import gevent

from kiosk_locust.clock import Clock
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.endpoints import Asked, Source, default_source
from kiosk_locust.cost.prometheus import Prometheus
from kiosk_locust.errors import KioskLocustError, PreflightError
from kiosk_locust.formatting import units
from kiosk_locust.formatting.wait_messages import reminding
from kiosk_locust.model.options import Options

logger = logging.getLogger(__name__)

METRICS = ("redis_script_value", "redis_script_values")
#: For all questions; a run that is to start, or has ended, waits no longer.
LIMIT_S = 10.0
#: Where that is waited for, it is said so often.
TELL_S = 5.0
#: How often it is asked again by --require-idle wait; the Kiosk's Prometheus scrapes every 15 s.
AGAIN_S = 15.0
_STEP_S = 0.5
_SETTINGS = "set GRAFANA_HOST or PROMETHEUS_URL"


@dataclass(frozen=True, slots=True)
class Queues:
    """Keys in each queue of a job type, waiting or in work; or why that is not known."""

    lengths: Mapping[str, int] = field(default_factory=dict)
    unknown: str = ""

    @property
    def jobs(self) -> int:
        """All of them together."""
        return sum(self.lengths.values())

    def __str__(self) -> str:
        if self.unknown:
            return f"how much it has to do cannot be known: {self.unknown}"
        busy = [f"{units.count(n, 'job')} in {name}" for name, n in self.lengths.items() if n]
        return f"it has {' and '.join(busy)}" if busy else "it is idle"


class Looker:
    """Asks the Prometheus that a run's options name for the queues of its job type."""

    def __init__(
        self, options: Options, secrets: Secrets, clock: Clock, environ: Mapping[str, str]
    ) -> None:
        self._options = options
        self._secrets = secrets
        self._clock = clock
        self._environ = environ
        self._asking: gevent.Greenlet | None = None

    def queues(self, limit_s: float = LIMIT_S, at: float | None = None) -> Queues:
        """The queues as far as known within ``limit_s``, as of now or of ``at``; raises nothing."""
        at = self._clock.now() if at is None else at
        found = Source(self._options.grafana.host, self._options.grafana.prometheus_url)
        source = found or default_source(self._environ)
        if not source:
            return Queues(unknown=_SETTINGS)
        asking = gevent.spawn(self._ask, source, at)
        try:
            asking.join(limit_s)
            is_answered = asking.dead
        finally:
            asking.kill(block=False)
        if not is_answered:
            return Queues(unknown=f"no answer in {units.seconds(limit_s)}")
        result: Queues = asking.value
        return result

    def insist(self, *, resumes: bool, is_ended: Callable[[], bool]) -> None:
        """Warn, refuse or wait as the options say; see `insist`.

        Nothing waits for what is told only: it comes when it is known, as of now.
        """
        require, began_at = self._options.require_idle, self._clock.now()
        if resumes or require == "warn":
            self._asking = gevent.spawn(
                insist,
                lambda: self.queues(LIMIT_S, began_at),
                *("warn", self._clock),
                resumes=resumes,
                is_ended=is_ended,
            )
            return

        def look() -> Queues:
            with reminding(f"asking for the Kiosk's queues, for {LIMIT_S:g} s at most", TELL_S):
                return self.queues(LIMIT_S)

        insist(look, require, self._clock, resumes=resumes, is_ended=is_ended)

    def close(self) -> None:
        """Tell no more."""
        if self._asking is not None:
            self._asking.kill()

    def _ask(self, source: Source, at: float) -> Queues:
        asked = Asked(source, self._secrets, self._clock)
        try:
            return queues(asked.prometheus(), self._options.job_type, at, str(asked))
        except KioskLocustError as error:
            return Queues(unknown=str(error))
        except Exception as error:
            logger.exception("a fault while the Kiosk's queues were asked for")
            return Queues(unknown=f"a fault of kiosk_locust: {error!r}")
        finally:
            asked.close()


def queues(prometheus: Prometheus, job_type: str, at: float, asked: str) -> Queues:
    """The lengths at a moment (epoch seconds); raises CostError."""
    names = (job_type, f"{job_type}-zip")
    lengths: dict[str, int] = {}
    for metric in METRICS:
        for name in names:
            for series in prometheus.query(f'{metric}{{key="{name}"}}', at):
                last = int(series.samples[-1][1])
                lengths[name] = max(last, lengths.get(name, 0))
    if not lengths:
        return Queues(
            unknown=f"{asked} knows no {METRICS[0]} of {job_type}: does redis_exporter run, with"
            " the Kiosk's script?"
        )
    return Queues(lengths)


def insist(
    look: Callable[[], Queues],
    require: str,
    clock: Clock,
    *,
    resumes: bool,
    is_ended: Callable[[], bool],
) -> None:
    """Warn, refuse or wait where the Kiosk is not idle, as ``require`` says.

    A run that goes on is told only: what is there may be its own. Raises PreflightError.
    """
    found = look()
    if resumes:
        logger.info("the Kiosk: %s", found)
        return
    if require == "warn":
        level = logging.WARNING if found.unknown or found.jobs else logging.INFO
        logger.log(level, "the Kiosk: %s", found)
        return
    while found.unknown or found.jobs:
        if found.unknown or require == "refuse":
            cure = "mend that, or say --require-idle warn"
            if not found.unknown:
                cure = "wait until they are done, or say --require-idle wait"
            raise PreflightError(f"the Kiosk must be idle (REQUIRE_IDLE), and {found}: {cure}")
        logger.warning("the Kiosk must be idle, and %s; asked again in %g s", found, AGAIN_S)
        until = clock.now() + AGAIN_S
        while clock.now() < until:
            if is_ended():
                raise PreflightError("the run was ended while it waited for an idle Kiosk")
            clock.sleep(_STEP_S)
        found = look()
    logger.info("the Kiosk: %s", found)
