"""The bucket of a run: checkpoints while it goes on, its files at the end."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from kiosk_locust.assembly.bucket_preflight import open_for, with_array, with_images
from kiosk_locust.assembly.resume import Resumption
from kiosk_locust.checkpoint.archive import Archive
from kiosk_locust.checkpoint.scheduler import Checkpoints
from kiosk_locust.checkpoint.snapshot import object_name
from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.clock import Clock
from kiosk_locust.distributed.coordinator_run import MasterRun
from kiosk_locust.errors import LedgerError
from kiosk_locust.execution.run import Run
from kiosk_locust.ledger import file
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import JobRequest
from kiosk_locust.storage.bucket import Address, Bucket


@dataclass(frozen=True, slots=True)
class RunBucket:
    """The bucket of one run, with the options that were completed by a look at it.

    ``bucket`` and ``archive`` are None where they are not wanted.
    """

    options: Options
    calls: CallFailures  # hears of what is sent
    bucket: Bucket | None = None
    archive: Archive | None = None


def open_bucket(
    options: Options, requests: Iterable[JobRequest], calls: CallFailures, resources: ExitStack
) -> RunBucket:
    """Look at the bucket, where one is wanted; ``resources`` closes it. Raises PreflightError."""
    bucket = open_for(options, requests)
    if bucket is None:
        return RunBucket(options, calls)
    resources.callback(bucket.close)
    options = with_array(with_images(options, bucket), bucket)
    files, archive = options.files, None
    if files.upload_results:
        address = Address.parse(files.storage_bucket)
        archive = Archive(
            bucket, address, public=files.public_results, calls=calls, holds_locks=True
        )
    return RunBucket(options, calls, bucket, archive)


def first_checkpoint(
    kept_in: RunBucket,
    run: Run | MasterRun,
    name: str,
    clock: Clock,
    resumed: Resumption | None,
    *,
    insist: bool,
) -> Checkpoints | None:
    """Have the ledger in the bucket before the first job; None where that is not wanted.

    ``insist`` says that somebody counts on going on with the run elsewhere. A ledger that was just
    made is gone again where it cannot be. Raises LedgerError.
    """
    options, bucket = run.options, kept_in.bucket
    files = options.files
    if bucket is None or not files.checkpoint_s:
        return None
    checkpoints = Checkpoints(
        bucket,
        object_name(Address.parse(files.storage_bucket), name),
        run.ledger,
        run.tickets,
        clock,
        every_s=files.checkpoint_s,
        generation=resumed.generation if resumed else 0,
        users=options.users if options.workload == "closed" else None,
        on_overtaken=run.state.fail,
        calls=kept_in.calls,
    )
    try:
        checkpoints.first(insist=insist or resumed is not None)
    except LedgerError:
        if resumed is None:
            file.remove(run.ledger.path)
        raise
    return checkpoints
