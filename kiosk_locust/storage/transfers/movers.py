"""What moves a run's files in one process, and what master and workers tell each other of them."""

from __future__ import annotations

import dataclasses
import json
import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.clock import Clock
from kiosk_locust.errors import InputError, Mistake, OptionsError
from kiosk_locust.filesystem.symlinks import leads_out
from kiosk_locust.formatting import units
from kiosk_locust.ledger.resume_state import Remains
from kiosk_locust.model.input_file import InputFile
from kiosk_locust.model.options import Options, TransferOptions
from kiosk_locust.native_thread import in_thread
from kiosk_locust.storage.bucket import Address, Bucket, open_bucket
from kiosk_locust.storage.inputs.recheck import strange_path
from kiosk_locust.storage.transfers.downloads import LEADS_OUT, Downloads
from kiosk_locust.storage.transfers.reach import Reach
from kiosk_locust.storage.transfers.uploading import BucketUploader, FrontendUploader, path_of
from kiosk_locust.storage.upload_stage import Uploader

logger = logging.getLogger(__name__)

#: Keys of the facts that workers are told.
INPUTS, NOT_NEEDED = "inputs", "inputs_not_needed"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Movers:
    """What uploads and downloads; None where nothing is to be."""

    uploader: Uploader | None = None
    downloads: Downloads | None = None
    bucket: Bucket | None = None

    def close(self) -> None:
        """Close their connections."""
        if self.downloads:
            self.downloads.close()
        if self.bucket:
            self.bucket.close()


def movers(
    options: Options,
    kiosk: Kiosk,
    clock: Clock,
    rng: random.Random,
    run_name: str,
    *,
    calls: CallFailures | None = None,
) -> Movers:
    """What the options want moved; ``calls`` hears how it goes. Raises BucketError."""
    moved = options.transfers
    uploader: Uploader | None = None
    bucket = None
    if moved.upload and moved.upload_via == "bucket":
        bucket = open_bucket(options.files.storage_bucket)
        bucket.check(writing=f"{options.upload_prefix}/")
        uploader = BucketUploader(bucket, moved, options.upload_prefix, clock, calls)
    elif moved.upload:
        uploader = FrontendUploader(kiosk, moved)
    downloads = None
    if moved.download:
        downloads = Downloads(
            results_folder(options.output_dir, run_name),
            at_once=moved.concurrent_downloads,
            timeout_s=options.request_timeout_s,
            reach=Reach(kiosk.transport.base_url, moved.download_hosts.split(",")),
            clock=clock,
            rng=rng,
            calls=calls,
            buckets=None if moved.any_bucket else [_name(options.files.storage_bucket)],
        )
    return Movers(uploader, downloads, bucket)


def _name(bucket: str) -> str:
    """The name of STORAGE_BUCKET; empty where there is none, or a folder stands in for it."""
    return Address.parse(bucket).name if bucket else ""


def results_folder(output_dir: Path, run_name: str) -> Path:
    """Where a run's downloads go."""
    return output_dir / f"{run_name}_results"


def check_results_folder(output_dir: Path, run_name: str) -> None:
    """Raise OptionsError where downloads would go through a link that leads out of OUTPUT_DIR."""
    folder = results_folder(output_dir, run_name)
    if leads_out(folder):
        advice = f"has {folder.name}, {LEADS_OUT}"
        raise OptionsError([Mistake("OUTPUT_DIR", str(output_dir), advice)])


def gone(options: TransferOptions, numbers: Iterable[int]) -> dict[int, str]:
    """Files of the plan, by number, that are not here as they were planned, and what they are."""
    found = {}
    for number in numbers:
        file = options.inputs[number]
        path = path_of(options, file)
        try:
            size = path.stat().st_size
        except OSError as error:
            found[number] = f"{path} ({error.strerror})"
            continue
        if size != file.size:
            found[number] = f"{path} ({size:,} bytes; {file.size:,} in the plan)"
    return found


def told(found: Mapping[int, str]) -> str:
    """The first of them, for a message."""
    more = len(found) - _SHOWN
    shown = ", ".join(list(found.values())[:_SHOWN])
    return f"{shown} and {more:,} more" if more > 0 else shown


def not_needed_of(options: Options, remains: Remains) -> set[int]:
    """Files that a resumed run's workers need not have: done with, or not as they were planned.

    The latter are told; their jobs will end with an error.
    """
    moved = options.transfers
    left = remains.inputs_left() if moved.inputs else []
    if found := in_thread(lambda: gone(moved, left)):
        logger.warning(
            "%s of the plan gone or changed, so that jobs on them will end with an error: %s",
            *(units.count(len(found), "file"), told(found)),
        )
    return set(range(len(moved.inputs))) - set(left) | set(found)


def facts(options: TransferOptions, not_needed: Iterable[int]) -> dict[str, str]:
    """What workers are told of the files."""
    if not options.inputs:
        return {}
    return {
        INPUTS: json.dumps([file.as_json() for file in options.inputs]),
        NOT_NEEDED: json.dumps(sorted(not_needed)),
    }


def from_facts(
    options: TransferOptions, given: Mapping[str, str], only: str = ""
) -> TransferOptions:
    """The options with the files, of which this worker must have all that its master has.

    ``only`` is the one file that may be uploaded, where FILE is one. Raises InputError where this
    worker has not all files, or where one is not below FILE.
    """
    files = tuple(InputFile.from_json(tuple(one)) for one in json.loads(given.get(INPUTS, "[]")))
    options = dataclasses.replace(options, inputs=files)
    known = set(json.loads(given.get(NOT_NEEDED, "[]")))
    needed = [number for number in range(len(files)) if number not in known]
    for file in files:
        if why := strange_path(file.path, only):
            raise InputError(f"the master has {file.path!r} uploaded, which {why}: nothing is sent")
    if missing := in_thread(lambda: gone(options, needed)):  # a network's disk may take a minute
        raise InputError(
            f"{len(missing):,} of {len(files):,} files to upload are not on this worker's machine"
            f" as they are on the master's: {told(missing)}; give all machines the same files"
            " under the same path"
        )
    return options
