"""A run that is on, with all that serves it: simulator, transport, ledger, listeners, files."""

from __future__ import annotations

import json
import logging
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import gevent
from locust.env import Environment
from rich.console import Console

from kiosk_locust.assembly import closing_screen, earlier_run
from kiosk_locust.assembly.connect import Contact
from kiosk_locust.assembly.finalize import finalize, isolated
from kiosk_locust.assembly.finalize_steps.inputs import ClosedRun, FinalizeInputs
from kiosk_locust.assembly.finalize_steps.state import Finalization
from kiosk_locust.assembly.preflight import warn_of_pool
from kiosk_locust.assembly.resume import Resumption
from kiosk_locust.assembly.run_files import Keeping
from kiosk_locust.assembly.run_ledger import RunLedger
from kiosk_locust.client.call_trouble import Trouble
from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.clock import Clock, SystemClock
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.query import Costing
from kiosk_locust.cost.queue_depth import Looker
from kiosk_locust.distributed.coordinator_run import MasterRun
from kiosk_locust.errors import KioskLocustError, LedgerError, PreflightError
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.gc_tuning import calm
from kiosk_locust.execution.run import Run
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.formatting import quoting
from kiosk_locust.formatting.console import say
from kiosk_locust.ledger import reader, send_account
from kiosk_locust.measurement.live_metrics import Metrics
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.model.file_remarks import Tally
from kiosk_locust.model.options import Options, options_as_json
from kiosk_locust.model.record import JobRequest, Outcome
from kiosk_locust.model.user_mix import Mix
from kiosk_locust.monitoring import otel
from kiosk_locust.monitoring.call_alerts import HERE, Alerts
from kiosk_locust.monitoring.load_generator import GeneratorWatch, Others
from kiosk_locust.monitoring.prometheus import Exposition, info_of
from kiosk_locust.monitoring.tracing import spans_if_on
from kiosk_locust.plugin.dispatcher import lead_s
from kiosk_locust.plugin.master_runner import PatientMaster
from kiosk_locust.plugin.request_event import tell_of_request
from kiosk_locust.plugin.request_stats import LocustStatistics
from kiosk_locust.plugin.stat_batches import Tallies
from kiosk_locust.reporting.terminal import summary_table
from kiosk_locust.reporting.terminal.progress import Progress
from kiosk_locust.reporting.web.live import LiveRun
from kiosk_locust.storage.transfers.input_facts import facts, not_needed_of
from kiosk_locust.storage.transfers.movers import Movers, check_results_folder, movers
from kiosk_locust.verdict import evaluate
from kiosk_locust.verdict.exit_code import ABORTED, Verdict
from kiosk_locust.verdict.judgement import Judgement
from kiosk_locust.verdict.threshold_parser import parse_all
from kiosk_locust.verdict.threshold_watch import Gate
from kiosk_locust.verdict.thresholds import Miss

logger = logging.getLogger(__name__)

#: Workers get their users, say hello and get tickets before the first job is due.
JOIN_LEAD_S = 1.0


class ActiveRun:
    """Opens, starts and finishes one run in ``environment``.

    ``on_end`` is called when the run is over by itself or can go on no longer. ``resumed`` is
    the interrupted run to go on with, in whose ledger everything then goes. ``mix`` has the user
    classes that share the tickets. ``secrets`` are for
    asking what the run cost. ``is_ended`` tells whether somebody ends it before it is on;
    ``may_be_resumed`` says that somebody counts on going on with it elsewhere; ``tally`` counts
    the files that a new run was made of.
    """

    def __init__(
        self,
        options: Options,
        environment: Environment,
        console: Console,
        on_end: Callable[[], None],
        resumed: Resumption | None = None,
        *,
        mix: Mix,
        secrets: Secrets | None = None,
        is_ended: Callable[[], bool] = lambda: False,
        may_be_resumed: bool = False,
        tally: Tally | None = None,
    ) -> None:
        self.options = options
        self.state = RunState()
        self._mix = mix
        self._is_ended = is_ended
        self._looker: Looker | None = None
        self._resumed = resumed
        self.simulated = options.host is None
        self.verdict = Verdict(2, "the run was not finished")
        self._environment = environment
        self._console = console
        self._on_end = on_end
        self._clock: Clock = SystemClock()
        self._started_at = self._clock.now()
        is_master = isinstance(environment.runner, PatientMaster)
        self.generator = GeneratorWatch(options, self._clock, "master" if is_master else "run")
        self.aborted: Miss | None = None  # the threshold whose miss ended the run
        self._run_ledger = RunLedger(
            options,
            resumed,
            self._started_at,
            self._clock.now,
            self.state.fail,
            mix=mix,
            tally=tally,
        )
        self._contact = Contact(options, self._clock, self._on_request)
        self._alerts = Alerts(self._troubles, self._clock)
        self._keeping = Keeping(
            self._clock, resumed, insist=may_be_resumed, calls=self._contact.calls
        )
        self._closers: list[Callable[[], None]] = [self._contact.close]
        self._detachers: list[Callable[[], None]] = []
        self._tallies = Tallies(environment.stats)
        self._finalization: Finalization | None = None  # by the last step that was done
        self._is_over = False  # everything is written and judged
        self.live: LiveRun | None = None  # once it is open
        self.exposition: Exposition | None = None  # the same, where it is wanted
        self._secrets = secrets or Secrets()
        self._costing: Costing | None = None
        self._begun: reader.RunFacts | None = None  # what the ledger had when this session began

    @property
    def elapsed_s(self) -> float:
        """Seconds since the test was started."""
        return self._clock.now() - self._started_at

    @property
    def name(self) -> str:
        """The run's name."""
        return self._run_ledger.name

    @property
    def path(self) -> Path:
        """Where the ledger is."""
        return self._run_ledger.path

    @property
    def url(self) -> str:
        """The Kiosk's base URL, once the run is open; a simulated one's, too."""
        return self._contact.host

    @property
    def judgement(self) -> Judgement | None:
        """VALID or INVALID, and the thresholds; None before the end."""
        return self._finalization.judgement if self._finalization else None

    @property
    def files(self) -> list[Path]:
        """What the run has written: the ledger, and once it is finished the results."""
        return self._finalization.files if self._finalization else [self.path]

    # -- the beginning

    def open(self, requests: Iterable[JobRequest]) -> Run:
        """Reach the Kiosk, ask whether it can run ``requests``, make the ledger and the run.

        Raises KioskLocustError, with nothing left open, where it cannot be done.
        """
        try:
            return self._open(requests)
        except BaseException:
            self._close_all()
            raise

    def _open(self, requests: Iterable[JobRequest]) -> Run:
        if self.options.transfers.download:
            check_results_folder(self.options.output_dir, self.name)
        requests = list(requests)
        refusals = []
        for reach in (self._open_bucket, self._contact.make):  # what ails both is told at once
            try:
                reach(requests)
            except KioskLocustError as error:
                refusals.append(error)
        if len(refusals) == 1:
            raise refusals[0]
        if refusals:
            raise PreflightError("\n".join(str(error) for error in refusals))
        kiosk, host = self._contact.kiosk, self._contact.host
        warn_of_pool(kiosk, self.options, self._clock)
        # The cluster that this process is in is not that of a simulated Kiosk.
        environ = {} if self._contact.is_simulated_elsewhere else os.environ
        if not self.simulated:
            self._looker = Looker(self.options, self._secrets, self._clock, environ)
            self._closers.append(self._looker.close)
            self._looker.insist(resumes=self._resumed is not None, is_ended=self._is_ended)
        url = host if self.simulated else ""
        self._costing = Costing(self.options, self._secrets, self._clock, environ, url)
        self.run = self._make_run(kiosk, host)
        if blurred := earlier_run.advice(self.options, self.path):
            logger.info("%s", blurred)
        self._keeping.begin(self.run, self.name)
        return self.run

    def _open_bucket(self, requests: Iterable[JobRequest]) -> None:
        """Look at the bucket, where there is one."""
        self._closers.append(self._keeping.close)
        self.options = self._keeping.open(self.options, requests)

    def _on_request(self, sample: RequestSample) -> None:
        self.generator.watch.on_request(sample)
        tell_of_request(self._environment, sample, self._tallies)

    def _make_run(self, kiosk: Kiosk, host: str) -> Run:
        by_address = self._contact.is_simulated_elsewhere
        is_simulated = self.simulated or by_address
        self._ledger, remains = self._run_ledger.open(host, is_simulated_elsewhere=by_address)
        self._closers.append(self._ledger.discard)
        runner = self._environment.runner
        is_master = isinstance(runner, PatientMaster)
        if not self.simulated:  # such a run cannot be resumed
            self._ledger.keep_account(self.options.pool_size)
            self._ledger.keep_reserve()
        moving = Movers()
        if not is_master:  # workers have theirs
            rng = random.Random(f"{self.options.arrival_seed}/downloads")
            calls = self._contact.calls
            moving = movers(self.options, kiosk, self._clock, rng, self.name, calls=calls)
            self._closers.append(moving.close)
        bus = JobBus()
        run = (MasterRun if is_master else Run)(
            self.options,
            self.state,
            ledger=self._ledger,
            bus=bus,
            kiosk=kiosk,
            clock=self._clock,
            rng=random.Random(f"{self.options.arrival_seed}/polls"),
            mix=self._mix,
            remains=remains,
            uploader=moving.uploader,
            downloads=moving.downloads,
        )
        not_needed = not_needed_of(self.options, remains) if self._resumed else set()
        if isinstance(run, MasterRun) and isinstance(runner, PatientMaster):
            all_facts = self._run_ledger.meta(host) | facts(self.options.transfers, not_needed)
            all_facts[send_account.PLACE] = send_account.place_of(self.path)
            all_facts[quoting.FACT] = json.dumps(quoting.is_on())
            awaited = runner.worker_count if self.options.transfers.inputs else 0
            run.attach(runner.send_message, all_facts, awaited)
            runner.serve(run, self._clock)
        gevent.spawn(otel.warn_if_away, self._environment.parsed_options)
        self._metrics = Metrics(self._clock, self.options.count * self.options.num_cycles or None)
        statistics = LocustStatistics(self._environment.stats, self._tallies)
        past = remains.earlier
        self._metrics.take_up(past.outcomes, past.submitted, past.images_done, past.images_failed)
        bus.add(self._metrics, is_essential=True)
        if not is_master:  # workers send theirs
            if spans := spans_if_on(self._environment.parsed_options):
                spans.start()
                self._detachers.append(spans.stop)
                bus.add(spans)
            bus.add(statistics, is_essential=True)
        self.live = LiveRun(
            self._clock,
            self._metrics,
            self.state,
            run.planned,
            name=self.name,
            host=host,
            simulated=is_simulated,
            options=options_as_json(self.options),
            ledger=self.path,
        )
        bus.add(self.live)
        if self.options.outside.metrics:
            self.exposition = Exposition(
                info=info_of(self.options, self.name) | {"simulated": str(is_simulated).lower()},
                view=self._metrics.view,
                rates=self.live.rates,
                verdict=self._verdict_by_now,
                is_over=lambda: self._is_over,
                checkpoint_age_s=lambda: self._keeping.age_s,
            )
            bus.add(self.exposition)
        bus.add(self.generator.lateness, is_essential=True)
        self._gate = self._make_gate()
        if self._gate is not None:
            bus.add(self._gate, is_essential=True)
        self._progress = Progress(
            self._metrics.view,
            self.options.refresh_s,
            self._clock,
            self._console,
            note=lambda: self._keeping.line,
            alerts=lambda: self._alerts.lines,
        )
        self.live.checkpoint = lambda: self._keeping.line
        return run

    def _verdict_by_now(self) -> str:
        """VALID or INVALID; before the run is judged what its generator saw, if anything."""
        if self.judgement is not None:
            return self.judgement.verdict
        return "" if self._is_over else self.generator.verdict()

    def _make_gate(self) -> Gate | None:
        """What ends the run where a threshold is missed, if that is wanted."""
        trust = self.options.trust
        if trust.abort_after_s is None:
            return None
        gate = Gate(parse_all(trust.wanted), trust.abort_after_s, self._clock, self._on_miss)
        self._detachers.append(gate.stop)
        return gate

    def _on_miss(self, missed: Miss) -> None:
        logger.error("%s ends the run: %s", ABORTED, missed)
        self.aborted = missed
        self.state.end()

    def start(self) -> None:
        """Set time zero, a stated lead from now, and begin."""
        lead = lead_s(self.options.users)
        if isinstance(self.run, MasterRun):
            lead += JOIN_LEAD_S
        self._closers += [self._tallies.start(), calm()]
        zero_at = self._clock.now() + lead
        if self._resumed is None:
            self._ledger.set_meta(time_zero=repr(zero_at))
        self._ledger.set_session(time_zero=zero_at)
        logger.info(
            "run %s: the first job is due in %.2g s; ledger: %s", self.name, lead, self.path
        )
        self._progress.start()
        if self.live:
            self.live.doubts = self.generator.told
            self.live.alerts = lambda: self._alerts.texts
            self.live.begin(zero_at)
        self._start_watching(zero_at)
        self.run.start(zero_at)
        self.state.over.rawlink(lambda _: self._on_end())
        self._keeping.start()

    def _troubles(self) -> Mapping[str, Sequence[Trouble]]:
        """The calls that fail, by process; a master makes none but for checkpoints."""
        own = {HERE: self._contact.calls.look()}
        return {**self.run.troubles, **own} if isinstance(self.run, MasterRun) else own

    def _start_watching(self, zero_at: float) -> None:
        run, embedded = self.run, self._contact.embedded
        others = Others(simulator_cpu_s=(lambda: embedded.cpu_s) if embedded else None)
        if isinstance(run, MasterRun):
            others = replace(
                others,
                workers=lambda: run.workers,
                workers_lost=lambda: run.workers_lost,
                unread_messages=lambda: run.unread_messages,
            )
        self.generator.start(others, zero_at, self._keep_figures)
        self._detachers.append(self.generator.stop)
        self._alerts.start()
        self._detachers.append(self._alerts.stop)
        if self._gate is not None:
            self._gate.start(zero_at)

    def _keep_figures(self, seen: Generator) -> None:
        """Keep in the ledger what the processes saw by now: this one may die before it tells."""
        if self._begun is None:
            with suppress(LedgerError), reader.opened(self.path) as db:
                self._begun = reader.facts(db)
        if self._begun is not None:
            self._ledger.set_meta(generator=evaluate.whole(self._begun, seen).as_text())

    # -- the end

    def drain(self, ended_by: str, grace_s: float) -> None:
        """Let jobs in flight end within ``grace_s``, close the rest; see Run.drain."""
        if not self.options.count:
            self._metrics.total = None
        self.run.drain(ended_by, grace_s)

    def give_up(self) -> None:
        """Wait no longer, neither for jobs in flight nor for what the run cost."""
        self.state.give_up()
        if self._costing is not None:
            self._costing.hurry()

    def finish(self) -> Verdict:
        """Write everything and tell how it went; to be called once every ticket is closed.

        Whatever goes wrong in one part of it, the other parts are done, and the verdict says so.
        """
        unfinished = self.state.never_leased
        if unfinished:
            self._metrics.on_never_leased(Outcome.UNFINISHED, unfinished)
        self._detach()  # a run that is started while this one writes is none of its business
        inputs = FinalizeInputs(
            ClosedRun.of(self.run, str(self.aborted or "")),
            self.name,
            self.options.output_dir,
            self._clock,
            cost_query=self._costing,
            archive=self._keeping.archive,
            checkpoints=self._keeping.checkpoints,
            queue_depth=self._looker.queues if self._looker else None,
            process_figures=self.generator.figures,
        )
        if self.live:
            self.live.end()
        state = isolated(self._progress.stop, Finalization.of(inputs, self._ledger))
        state = finalize(state, release=self._release, on_step=self._note)
        self._finalization, self.verdict = state, state.last_verdict
        self._is_over = True
        return self.verdict

    def _note(self, state: Finalization) -> None:
        self._finalization = state

    def _release(self, state: Finalization) -> None:
        """Let go of all that the run holds; from now on its page shows what was written."""
        try:
            self._close_all()
        finally:
            if self.live:
                self.live.final = state.picture

    def show(self, verdict: Verdict | None = None) -> None:
        """Print the closing summary; its last line is the exit code and why.

        ``verdict`` is the process's, where that is another than the run's.
        """
        verdict = verdict or self.verdict
        if self._finalization is None or self._finalization.summary is None:
            say(self._console, verdict.line)
            return
        if self._contact.is_simulated_elsewhere:
            say(self._console, summary_table.SIMULATED, "bold yellow")
        closing_screen.show(self._console, self._finalization, verdict, simulated=self.simulated)

    def _detach(self) -> None:
        while self._detachers:
            self._detachers.pop()()

    def _close_all(self) -> None:
        self._detach()
        while self._closers:
            self._closers.pop()()
