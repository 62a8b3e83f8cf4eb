"""Watches over a run: its load generator, calls that fail, thresholds that end it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from kiosk_locust.assembly.connect import Connection
from kiosk_locust.assembly.stop_reason import StopRequests
from kiosk_locust.client.call_trouble import Trouble
from kiosk_locust.clock import Clock
from kiosk_locust.distributed.coordinator_run import MasterRun
from kiosk_locust.errors import LedgerError
from kiosk_locust.execution.run import Run
from kiosk_locust.ledger import reader
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.monitoring.call_alerts import HERE, Alerts
from kiosk_locust.monitoring.load_generator import GeneratorWatch, Others
from kiosk_locust.monitoring.process import Watch
from kiosk_locust.verdict import evaluate
from kiosk_locust.verdict.threshold_parser import parse_all
from kiosk_locust.verdict.threshold_watch import Gate


def generator_watch(
    run: Run | MasterRun, kiosk: Connection, clock: Clock, own: Watch
) -> GeneratorWatch:
    """The watch over what makes the load; its figures are kept in the ledger while the run is on.

    ``own`` is that of this process, which may die before it tells.
    """
    embedded = kiosk.embedded
    simulator_cpu_s = (lambda: embedded.cpu_s) if embedded else None
    keep = _keeper(run.ledger)
    if not isinstance(run, MasterRun):
        others = Others(simulator_cpu_s=simulator_cpu_s)
        return GeneratorWatch(run.options, clock, "run", own, others=others, keep=keep)
    others = Others(
        workers=lambda: run.roster.figures,
        workers_lost=lambda: run.roster.workers_lost,
        unread_messages=lambda: run.roster.unread_messages,
        simulator_cpu_s=simulator_cpu_s,
    )
    return GeneratorWatch(run.options, clock, "master", own, others=others, keep=keep)


def call_alerts(run: Run | MasterRun, kiosk: Connection, clock: Clock) -> Alerts:
    """Alerts of calls that fail; a master makes none but for checkpoints."""

    def troubles() -> Mapping[str, Sequence[Trouble]]:
        own = {HERE: kiosk.calls.look()}
        return {**run.roster.troubles, **own} if isinstance(run, MasterRun) else own

    return Alerts(troubles, clock)


def threshold_gate(run: Run | MasterRun, stops: StopRequests, clock: Clock) -> Gate | None:
    """The gate that ends the run where a threshold is missed; None where that is not wanted."""
    trust = run.options.trust
    if trust.abort_after_s is None:
        return None
    return Gate(parse_all(trust.wanted), trust.abort_after_s, clock, stops.miss)


def _keeper(ledger: Ledger) -> Callable[[Generator], None]:
    """Writes figures of processes into the ledger, beside those that earlier sessions left."""
    begun: list[reader.RunFacts] = []  # what the ledger had when this session began

    def keep(seen: Generator) -> None:
        if not begun:
            with suppress(LedgerError), reader.opened(ledger.path) as db:
                begun.append(reader.facts(db))
        if begun:
            ledger.set_meta(generator=evaluate.whole(begun[0], seen).as_text())

    return keep
