"""A run's figures as a Prometheus reads them; names and units follow its conventions.

Every label has a bounded set of values: outcomes, stages and verdicts are ours, and nothing that
the Kiosk or a user makes up (job ids, statuses, file names) becomes a label, but for the one
``kiosk_run_info`` of the run that is on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

import kiosk_locust
from kiosk_locust.measurement.live_metrics import View
from kiosk_locust.model.job_metrics import STAGES, Measures, submission_lag_s
from kiosk_locust.model.options import Options
from kiosk_locust.model.ports import RunObserver
from kiosk_locust.model.record import Outcome, Record

#: Values of the label ``verdict``.
VERDICTS = ("valid", "invalid", "unknown")
#: Bounds of the histograms of jobs and stages, from 0.1 s to a day; a factor of 2 to 3 apart.
DURATIONS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000, 86_400)
#: The same of how late jobs are submitted.
LAGS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


def info_of(options: Options, run_name: str) -> dict[str, str]:
    """What ``kiosk_run_info`` says of a run."""
    return {
        "run_name": run_name,
        "job_type": options.job_type,
        "workload": options.workload,
        "simulated": str(options.host is None).lower(),
        "version": kiosk_locust.__version__,
    }


class Exposition(RunObserver):
    """The figures of one run; ``view`` tells its state.

    ``rates`` tells jobs wanted and submitted a second so far, None where that cannot be told, and
    ``verdict`` VALID or INVALID, in mid-run what it would be by now; empty where that is unknown.
    ``is_over`` tells whether all of it is final. ``checkpoint_age_s`` is None where there is no
    checkpoint.
    """

    def __init__(
        self,
        *,
        info: dict[str, str],
        view: Callable[[], View],
        rates: Callable[[], tuple[float | None, float | None]],
        verdict: Callable[[], str],
        is_over: Callable[[], bool],
        checkpoint_age_s: Callable[[], float | None],
    ) -> None:
        self._info = info
        self._view = view
        self._rates = rates
        self._verdict = verdict
        self._is_over = is_over
        self._checkpoint_age_s = checkpoint_age_s
        self._registry = registry = CollectorRegistry(auto_describe=False)
        self._durations = Histogram(
            "kiosk_job_duration_seconds",
            "How long jobs took by the Kiosk's stamps as they are, from created to finished.",
            registry=registry,
            buckets=DURATIONS_S,
        )
        self._stages = Histogram(
            "kiosk_job_stage_seconds",
            "How long each stage of jobs took, as the Kiosk tells it.",
            ("stage",),
            registry=registry,
            buckets=DURATIONS_S,
        )
        self._lags = Histogram(
            "kiosk_submission_lag_seconds",
            "How much later than due jobs began to be submitted.",
            registry=registry,
            buckets=LAGS_S,
        )
        for stage in STAGES:
            self._stages.labels(stage)
        registry.register(_State(self))

    def on_submitted(self, record: Record) -> None:
        """A job has an id."""
        if (lag_s := submission_lag_s(record)) is not None:
            self._lags.observe(max(0.0, lag_s))

    def on_closed(self, _record: Record, measures: Measures) -> None:
        """A ticket is closed."""
        if measures.duration_s is not None:
            self._durations.observe(measures.duration_s)
        for stage, times in measures.stages.items():
            for time_s in times:
                self._stages.labels(stage).observe(time_s)

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """All of it, and its content type: OpenMetrics where ``accept`` (the header) asks for it.

        Else Prometheus's text format.
        """
        return encoded(self._registry, accept)

    def state(self) -> Iterator[Metric]:
        """What is not counted here, but asked for when somebody looks."""
        view = self._view()
        yield InfoMetricFamily("kiosk_run", "The run that is on, or was last.", self._info)
        yield _gauge("kiosk_jobs_planned", "Jobs of the run; 0: it is open-ended.", view.total or 0)
        yield CounterMetricFamily(
            "kiosk_jobs_submitted", "Jobs that the Kiosk accepted.", view.submitted
        )
        yield _gauge("kiosk_jobs_in_flight", "Jobs submitted and not closed.", view.in_flight)
        closed = CounterMetricFamily(
            "kiosk_jobs", "Jobs that are closed, by outcome.", labels=("outcome",)
        )
        for outcome in Outcome:
            closed.add_metric((outcome.value,), view.outcomes.get(outcome, 0))
        yield closed
        yield _gauge(
            "kiosk_jobs_never_begun",
            "Planned jobs that the end of the run came before: nothing of them was sent.",
            view.never_begun,
        )
        images = CounterMetricFamily(
            "kiosk_images", "Images of jobs that ended.", labels=("result",)
        )
        images.add_metric(("done",), view.images_done)
        images.add_metric(("failed",), view.images_failed)
        yield images
        wanted, achieved = self._rates()
        if wanted is not None:
            yield _gauge("kiosk_wanted_jobs_per_second", "The rate by the schedule so far.", wanted)
        if achieved is not None:
            yield _gauge("kiosk_achieved_jobs_per_second", "The rate of submissions.", achieved)
        verdict = GaugeMetricFamily(
            "kiosk_run_verdict",
            "1 for the run's verdict; while it is on, for what it would be by now.",
            labels=("verdict",),
        )
        now = self._verdict().lower() or "unknown"
        for name in VERDICTS:
            verdict.add_metric((name,), float(name == now))
        yield verdict
        over = float(self._is_over())
        yield _gauge("kiosk_run_over", "1 once the run is over and every figure is final.", over)
        age_s = self._checkpoint_age_s()
        if age_s is not None:
            yield _gauge("kiosk_checkpoint_age_seconds", "Age of the last checkpoint.", age_s)


def encoded(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """What ``registry`` has, in the format that the header ``accept`` asks for, and its name."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _State(Collector):
    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition

    def collect(self) -> Iterator[Metric]:
        """See `Exposition.state`."""
        return self._exposition.state()


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value)
