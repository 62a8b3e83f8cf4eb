"""Before the first job: whether the bucket can be used, and has the file that jobs work on."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from kiosk_locust.bucket import Address, Bucket, open_bucket
from kiosk_locust.errors import BucketError, PreflightError
from kiosk_locust.options import Options
from kiosk_locust.record import JobRequest

logger = logging.getLogger(__name__)


def open_for(options: Options, requests: Iterable[JobRequest]) -> Bucket | None:
    """The run's bucket, checked; None where there is none, or nothing to do with it.

    ``requests`` are what would be submitted first. Raises PreflightError, with what to do.
    """
    files, simulated = options.files, options.host is None
    if not files.storage_bucket:
        logger.info("STORAGE_BUCKET is not set: results stay in %s", options.output_dir)
        return None
    wanted = set() if simulated or options.transfers.upload else _names(requests)
    writes = files.upload_results or options.transfers.upload_via == "bucket"
    if not writes and not wanted:
        return None
    address = Address.parse(files.storage_bucket)
    bucket = None
    try:
        bucket = open_bucket(address)
        bucket.check(reading=min(wanted, default=""), writing=address.results("") if writes else "")
        _look_for(bucket, options, wanted)
    except BaseException as error:
        if bucket is not None:
            bucket.close()
        if isinstance(error, BucketError):
            raise PreflightError(f"the bucket cannot be used: {error}") from error
        raise
    return bucket


def _names(requests: Iterable[JobRequest]) -> set[str]:
    """The names of the objects that jobs work on, where they are known yet."""
    return {request.uploaded_name for request in requests if request.uploaded_name}


def _look_for(bucket: Bucket, options: Options, names: Iterable[str]) -> None:
    """Raise PreflightError where FILE is missing; warn of others, which may come in time."""
    expected = f"{options.upload_prefix}/{options.file}".removeprefix("/")
    for name in sorted(names):
        if bucket.exists(name):
            continue
        if name != expected:
            logger.warning("%s is not in %s: jobs on it will fail", name, bucket.url)
            continue
        raise PreflightError(
            f"{name} is not in {bucket.url}: upload the file there, or correct FILE, UPLOAD_PREFIX"
            " or STORAGE_BUCKET, or have each job upload a local file with --upload"
        )
