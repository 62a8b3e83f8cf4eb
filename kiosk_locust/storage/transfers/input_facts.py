"""Facts of the files to upload, as a master tells its workers of them."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterable, Mapping

from kiosk_locust.errors import InputError
from kiosk_locust.formatting import units
from kiosk_locust.ledger.resume_state import Remains
from kiosk_locust.model.input_file import InputFile
from kiosk_locust.model.options import Options, TransferOptions
from kiosk_locust.native_thread import in_thread
from kiosk_locust.storage.inputs.recheck import strange_path
from kiosk_locust.storage.transfers.uploading import path_of

logger = logging.getLogger(__name__)

#: Keys of the facts that workers are told.
INPUTS, NOT_NEEDED = "inputs", "inputs_not_needed"
_SHOWN = 5


def not_needed_of(options: Options, remains: Remains) -> set[int]:
    """Files that a resumed run's workers need not have: done with, or not as they were planned.

    The latter are logged; their jobs will end with an error.
    """
    moved = options.transfers
    left = remains.inputs_left() if moved.inputs else []
    if missing := in_thread(lambda: _missing(moved, left)):
        logger.warning(
            "%s of the plan gone or changed, so that jobs on them will end with an error: %s",
            *(units.count(len(missing), "file"), _first_of(missing)),
        )
    return set(range(len(moved.inputs))) - set(left) | set(missing)


def facts(options: TransferOptions, not_needed: Iterable[int]) -> dict[str, str]:
    """Facts for workers: the files of the plan, and the numbers of those that are not needed."""
    if not options.inputs:
        return {}
    return {
        INPUTS: json.dumps([file.as_json() for file in options.inputs]),
        NOT_NEEDED: json.dumps(sorted(not_needed)),
    }


def from_facts(
    options: TransferOptions, texts: Mapping[str, str], only: str = ""
) -> TransferOptions:
    """The options with the files, of which this worker must have all that its master has.

    ``only`` is the one file that may be uploaded, where FILE is one. Raises InputError where this
    worker has not all files, or where one is not below FILE.
    """
    files = tuple(InputFile.from_json(tuple(one)) for one in json.loads(texts.get(INPUTS, "[]")))
    options = dataclasses.replace(options, inputs=files)
    not_needed = set(json.loads(texts.get(NOT_NEEDED, "[]")))
    needed = [number for number in range(len(files)) if number not in not_needed]
    for file in files:
        if why := strange_path(file.path, only):
            raise InputError(f"the master has {file.path!r} uploaded, which {why}: nothing is sent")
    if missing := in_thread(
        lambda: _missing(options, needed)
    ):  # a network's disk may take a minute
        raise InputError(
            f"{len(missing):,} of {len(files):,} files to upload are not on this worker's machine"
            f" as they are on the master's: {_first_of(missing)}; give all machines the same files"
            " under the same path"
        )
    return options


def _missing(options: TransferOptions, numbers: Iterable[int]) -> dict[int, str]:
    """Files of the plan, by number, that are not here as they were planned, and what they are."""
    missing = {}
    for number in numbers:
        file = options.inputs[number]
        path = path_of(options, file)
        try:
            size = path.stat().st_size
        except OSError as error:
            missing[number] = f"{path} ({error.strerror})"
            continue
        if size != file.size:
            missing[number] = f"{path} ({size:,} bytes; {file.size:,} in the plan)"
    return missing


def _first_of(missing: Mapping[int, str]) -> str:
    """The first of them, for a message."""
    more = len(missing) - _SHOWN
    shown = ", ".join(list(missing.values())[:_SHOWN])
    return f"{shown} and {more:,} more" if more > 0 else shown
