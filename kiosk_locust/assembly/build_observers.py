"""Builds what observes a run: counters, pages, metrics, spans, watches."""

from __future__ import annotations

from dataclasses import dataclass

import gevent
from rich.console import Console

from kiosk_locust.assembly.conclusion import Conclusion
from kiosk_locust.assembly.connect import Connection
from kiosk_locust.assembly.run_host import RunHost
from kiosk_locust.assembly.stop_reason import StopRequests
from kiosk_locust.assembly.watches import call_alerts, generator_watch, threshold_gate
from kiosk_locust.checkpoint.scheduler import Checkpoints
from kiosk_locust.clock import Clock
from kiosk_locust.distributed.coordinator_run import MasterRun
from kiosk_locust.execution.run import Run
from kiosk_locust.ledger.resume_state import Remains
from kiosk_locust.measurement.live_metrics import Metrics
from kiosk_locust.model.options import options_as_json
from kiosk_locust.model.ports import RunObserver
from kiosk_locust.monitoring import otel
from kiosk_locust.monitoring.load_generator import GeneratorWatch
from kiosk_locust.monitoring.process import Watch
from kiosk_locust.monitoring.prometheus import Exposition, info_of
from kiosk_locust.monitoring.tracing import spans_if_on
from kiosk_locust.reporting.terminal.progress import Progress
from kiosk_locust.reporting.web.live import LiveRun, RunNotes


@dataclass(frozen=True, slots=True)
class Observers:
    """All observers of a run, in the order in which they start; some of them by name."""

    all: tuple[RunObserver, ...]
    metrics: Metrics
    live: LiveRun
    generator: GeneratorWatch
    exposition: Exposition | None  # None: no metrics are wanted


def build_observers(
    run: Run | MasterRun,
    name: str,
    host: RunHost,
    kiosk: Connection,
    clock: Clock,
    *,
    remains: Remains,
    checkpoints: Checkpoints | None,
    stops: StopRequests,
    conclusion: Conclusion,
    own: Watch,
    console: Console,
) -> Observers:
    """Build the observers of a run; ``own`` watches this process."""
    options = run.options
    gevent.spawn(otel.warn_if_away, host.otel_options)
    metrics = Metrics(clock, options.count * options.num_cycles or None)
    past = remains.earlier
    metrics.take_up(past.outcomes, past.submitted, past.images_done, past.images_failed)
    generator = generator_watch(run, kiosk, clock, own)
    alerts = call_alerts(run, kiosk, clock)
    notes = RunNotes(
        name,
        kiosk.url,
        kiosk.is_simulated,
        options_as_json(options),
        run.ledger.path,
        checkpoint=lambda: checkpoints.line if checkpoints else "",
        alerts=lambda: alerts.texts,
        doubts=lambda: generator.told,
    )
    live = LiveRun(clock, metrics, run.state, run.cycles.planned, notes)
    exposition = None
    if options.outside.metrics:
        exposition = Exposition(
            info=info_of(options, name) | {"simulated": str(kiosk.is_simulated).lower()},
            view=metrics.view,
            rates=live.rates,
            verdict=lambda: (
                conclusion.judged or ("" if conclusion.is_over else generator.verdict())
            ),
            is_over=lambda: conclusion.is_over,
            checkpoint_age_s=lambda: checkpoints.age_s if checkpoints else None,
        )
    progress = Progress(
        metrics.view,
        options.refresh_s,
        clock,
        console,
        note=notes.checkpoint,
        alerts=lambda: alerts.lines,
    )
    # Workers send spans and statistics of their jobs.
    of_jobs = () if host.is_master else (spans_if_on(host.otel_options), host.statistics)
    gate = threshold_gate(run, stops, clock)
    wanted = (progress, metrics, *of_jobs, live, exposition, generator, alerts, gate)
    return Observers(tuple(filter(None, wanted)), metrics, live, generator, exposition)
