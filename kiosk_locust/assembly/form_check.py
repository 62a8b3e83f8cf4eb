"""The check of the jobs' forms before the first job: by the job type, and by the files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields

from kiosk_locust.consumer.forms import (
    AUTO,
    Form,
    FormFailure,
    auto_order_warning,
    failure,
    faults,
    filled,
)
from kiosk_locust.formatting.excerpt import excerpt
from kiosk_locust.model.input_file import InputFile, Kind
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import JobRequest

logger = logging.getLogger(__name__)

_FIELDS = [field.name for field in fields(Form)]


def form_of(request: JobRequest) -> Form:
    """The part of a request that consumers parse."""
    return Form(**{name: getattr(request, name) for name in _FIELDS})


def form_troubles(request: JobRequest, options: Options, name: str) -> list[str]:
    """Why jobs of user class ``name`` would fail for their form, each with its cure.

    ``request`` is what the class asks for, with ``auto`` where it stands. Logs what a file that
    cannot be looked at leaves open, and ZIPs whose images do not fit.
    """
    form = form_of(request)
    troubles = [
        f"{_shown(fault.field)} {fault.value!r}{_origin(fault.field, fault.value, options, name)}:"
        f" {fault.advice}"
        for fault in faults(form)
    ]
    if troubles:
        return troubles
    if not options.transfers.upload:
        may_be_seen = options.files.storage_bucket and request.image_name == options.file
        if options.host is not None and not may_be_seen:
            tell_unseen(form, request.image_name)
        return []
    return list(_misfits(form, options, name))


def tell_unseen(form: Form, image_name: str) -> None:
    """Log what ``auto`` leaves open where nobody could look at the file."""
    if note := auto_order_warning(form, image_name):
        logger.warning("%s", note)


def _misfits(form: Form, options: Options, name: str) -> Iterator[str]:
    """What is wrong between a form and the files of the plan, once for each kind of failure."""
    failures: Counter[str] = Counter()
    examples: dict[str, tuple[InputFile, FormFailure]] = {}
    for file in options.transfers.inputs:
        file_name = file.image_name_for(form.job_type)
        if file.kind is Kind.ZIP and file.array is None:
            continue
        of_image = "image.tif" if file.array and file.array.reader == "tifffile" else "image.png"
        shown = of_image if file.kind is Kind.ZIP else file_name
        fails = failure(filled(form, file.array, file_name), file.array, shown)
        if fails is None:
            continue
        if file.kind is Kind.ZIP:
            logger.warning("%s: images in it will fail with %s", file.path, fails.error)
            continue
        key = fails.error.partition(" image has shape")[0]
        failures[key] += 1
        examples.setdefault(key, (file, fails))
    for key, number in failures.items():
        file, fails = examples[key]
        yield (
            f"{number:,} of {len(options.transfers.inputs):,} files would fail as the"
            f" {form.job_type} jobs of {name}, such as {excerpt(file.path)} with"
            f" “{fails.error}”: {_cure(form)}"
        )


def _cure(form: Form) -> str:
    """What to change, by what was set."""
    set_by_hand = [
        _shown(name)
        for name in ("dimension_order", "channels", "segmentation_type")
        if getattr(form, name) != AUTO
    ]
    if set_by_hand:
        return f"set {' and '.join(set_by_hand)} to what the files are, or to auto"
    return "leave these files out, or choose another JOB_TYPE"


def _shown(field: str) -> str:
    return field.upper()


def _origin(field: str, value: str, options: Options, name: str) -> str:
    """Where a value comes from, where that is not the settings."""
    return "" if getattr(options, field) == value else f" of {name}"
