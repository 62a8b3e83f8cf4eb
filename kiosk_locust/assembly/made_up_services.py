"""Services that a run's finalization asks when it is made up, and stand-ins for those gone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from kiosk_locust.assembly.bucket_preflight import open_for
from kiosk_locust.assembly.finalize_steps.inputs import CostQuery, FileArchive
from kiosk_locust.assembly.resume import Unfinished
from kiosk_locust.checkpoint.archive import Archive, Archived
from kiosk_locust.checkpoint.scheduler import Checkpoints, SettledLedger
from kiosk_locust.checkpoint.snapshot import object_name
from kiosk_locust.clock import Clock
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.query import CostCollector, EndedRun
from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.errors import KioskLocustError
from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.ledger.reader import RunFacts
from kiosk_locust.model.options import Options
from kiosk_locust.storage.bucket import Address

#: Steps that need the bucket.
_STEPS = {"keep_checkpoint", "keep_last_checkpoint", "upload"}


class _Nobody:
    """In the place of a simulated Kiosk's Prometheus, which ended with the run's process."""

    def hurry(self, limit_s: float = 0.0) -> None:
        """Nobody is asked."""

    def ask(self, ended: EndedRun) -> RunCost:  # noqa: ARG002  nobody is asked
        """The cost, which nobody knows."""
        return RunCost("the simulated Kiosk", "it ended with the run's process, which died")


def cost_query_of(run: RunFacts, options: Options, secrets: Secrets, clock: Clock) -> CostQuery:
    """Who is asked what the run cost."""
    if run.embedded:
        return _Nobody()
    # The cluster that this process is in is not that of a simulated Kiosk.
    return CostCollector(options, secrets, clock, {} if run.simulated else os.environ)


@dataclass(frozen=True, slots=True)
class _Missed:
    """In the place of an archive whose bucket cannot be used."""

    reason: str
    url: str = ""
    unheard_s: float = 0.0  # nobody is asked

    def keep(self, files: Iterable[Path]) -> Archived:
        """None of them was uploaded."""
        return Archived(missed=[(path, self.reason) for path in files])

    def drop(self, file_names: Iterable[str]) -> None:
        """Nothing is deleted."""


@dataclass(frozen=True, slots=True)
class BucketServices:
    """The bucket of a run, for its last checkpoint and its files; None: not wanted."""

    archive: FileArchive | None = None
    checkpoints: Checkpoints | None = None
    overtaken: list[str] = field(default_factory=list)  # that others write checkpoints of the run


def open_services(
    unfinished: Unfinished, options: Options, ledger: SettledLedger, clock: Clock, held: ExitStack
) -> BucketServices:
    """Open the run's bucket if a step needs it, for ``held`` to close; miss it where it is away."""
    files = options.files
    if not _STEPS & set(unfinished.record.missing):
        return BucketServices()
    try:
        bucket = open_for(options, ())
    except KioskLocustError as error:
        return BucketServices(_Missed(str(error)) if files.upload_results else None)
    if bucket is None:
        return BucketServices()
    held.callback(bucket.close)
    address = Address.parse(files.storage_bucket)
    archive = None
    if files.upload_results:
        archive = Archive(bucket, address, public=files.public_results, holds_locks=True)
    services = BucketServices(archive)
    if not files.checkpoint_s:
        return services
    checkpoints = Checkpoints(
        bucket,
        object_name(address, ledger.path.stem),
        ledger,
        Tickets(lambda *_: iter(())),
        clock,
        every_s=files.checkpoint_s,
        generation=unfinished.resumption.generation,
        on_overtaken=lambda error: services.overtaken.append(str(error)),
    )
    held.callback(checkpoints.stop)
    checkpoints.start()
    return replace(services, checkpoints=checkpoints)
