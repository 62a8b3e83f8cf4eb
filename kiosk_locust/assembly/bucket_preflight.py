"""Before the first job: whether the bucket can be used, and has the file that jobs work on."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterable

from kiosk_locust.assembly.form_check import tell_unseen
from kiosk_locust.consumer.arrays import array_of
from kiosk_locust.consumer.forms import AUTO, SEGMENTATION, Form
from kiosk_locust.errors import BucketError, NotPermitted, PreflightError
from kiosk_locust.formatting.wait_messages import reminding
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import JobRequest
from kiosk_locust.storage.bucket import Address, Bucket, open_bucket
from kiosk_locust.storage.inputs.kinds import array_in_zip, images_in_zip

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
    writes = writes or files.checkpoint_s > 0
    if not writes and not wanted:
        return None
    address = Address.parse(files.storage_bucket)
    bucket, results = None, address.results("")
    try:
        with reminding(f"asking whether {files.storage_bucket} can be used"):
            bucket = open_bucket(address)
            bucket.check(reading=min(wanted, default=""), writing=results if writes else "")
            if files.checkpoint_s > 0:
                _may_replace(bucket, results)
            _look_for(bucket, options, wanted)
    except BaseException as error:
        if bucket is not None:
            bucket.close()
        if isinstance(error, BucketError):
            raise PreflightError(f"the bucket cannot be used: {error}") from error
        raise
    return bucket


def with_images(options: Options, bucket: Bucket) -> Options:
    """The options, with IMAGES_PER_JOB by the ZIP that jobs find in the bucket.

    As they were where it is given, where that ZIP is none, or where it cannot be read: a cost
    an image is no reason to refuse a run.
    """
    named_so = options.file.lower().endswith(".zip")
    is_known = options.cost.images_per_job is not None or options.transfers.upload
    if is_known or not named_so or options.host is None:
        return options
    name = _expected(options)
    try:
        with bucket.open(name) as archive:
            images = images_in_zip(archive)
    except Exception as error:  # noqa: BLE001  the library raises its own from within a read
        logger.info("IMAGES_PER_JOB stays unset: %s could not be read: %r", name, error)
        return options
    if images is None:
        return options
    logger.info("IMAGES_PER_JOB is %d: so many files are in %s", images, bucket.url_of(name))
    costs = dataclasses.replace(options.cost, images_per_job=images)
    return dataclasses.replace(options, cost=costs)


def with_array(options: Options, bucket: Bucket) -> Options:
    """The options with the array of FILE in the bucket (of a ZIP's images), for ``auto``.

    As they were, with a warning of what may fail, where it cannot be read or is not known.
    """
    is_open = options.dimension_order == AUTO and options.job_type == SEGMENTATION
    if not is_open or options.transfers.upload or options.host is None:
        return options
    name, array = _expected(options), None
    try:
        with bucket.open(name) as file:
            if options.file.lower().endswith(".zip"):
                array = array_in_zip(file)
            else:
                array = array_of(file, file.seek(0, os.SEEK_END), options.file)
    except Exception as error:  # noqa: BLE001  the library raises its own from within a read
        logger.info("%s could not be read: %r", name, error)
    if array is None:
        tell_unseen(Form(options.job_type, options.dimension_order), options.file)
        return options
    logger.info("DIMENSION_ORDER is auto: %s is %s", bucket.url_of(name), array)
    return dataclasses.replace(options, file_array=str(array))


def _may_replace(bucket: Bucket, names: str) -> None:
    """Warn where checkpoints cannot be replaced; results can be kept all the same."""
    try:
        bucket.check(replacing=names)
    except NotPermitted as error:
        logger.warning(
            "%s; until then the first checkpoint of a run stays its only one (--checkpoint 0 takes"
            " none)",
            error,
        )


def _expected(options: Options) -> str:
    """The object that FILE names."""
    return f"{options.upload_prefix}/{options.file}".removeprefix("/")


def _names(requests: Iterable[JobRequest]) -> set[str]:
    """The names of the objects that jobs work on, where they are known yet."""
    return {request.uploaded_name for request in requests if request.uploaded_name}


def _look_for(bucket: Bucket, options: Options, names: Iterable[str]) -> None:
    """Raise PreflightError where FILE is missing; warn of others, which may come in time."""
    expected = _expected(options)
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
