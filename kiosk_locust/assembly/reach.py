"""A run's Kiosk and bucket, reached before anything of the run is made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from kiosk_locust.assembly.connect import Connection, connect
from kiosk_locust.assembly.preflight import warn_of_pool
from kiosk_locust.assembly.run_files import RunBucket, open_bucket
from kiosk_locust.assembly.run_request import RunRequest
from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.clock import Clock
from kiosk_locust.errors import KioskLocustError, PreflightError
from kiosk_locust.storage.transfers.movers import check_results_folder


def reach(
    request: RunRequest,
    name: str,
    clock: Clock,
    on_request: Callable[[RequestSample], None],
    resources: ExitStack,
) -> tuple[Connection, RunBucket]:
    """Reach the Kiosk and the bucket of the run ``name``, which ``resources`` lets go again.

    Raises KioskLocustError; what ails both is told at once.
    """
    options, jobs, calls = request.options, request.first_jobs, CallFailures(clock)
    if options.transfers.download:
        check_results_folder(options.output_dir, name)
    refusals: list[KioskLocustError] = []
    bucket = kiosk = None
    try:
        bucket = open_bucket(options, jobs, calls, resources)
    except KioskLocustError as error:
        refusals.append(error)
    try:
        kiosk = connect(
            options, jobs, clock, calls=calls, on_request=on_request, resources=resources
        )
    except KioskLocustError as error:
        refusals.append(error)
    if bucket is None or kiosk is None:
        if len(refusals) == 1:
            raise refusals[0]
        raise PreflightError("\n".join(str(error) for error in refusals))
    warn_of_pool(kiosk.kiosk, bucket.options, clock)
    return kiosk, bucket
