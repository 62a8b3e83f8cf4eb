"""File transfers of one process, and the file lists that a master sends to workers."""

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

#: Keys in the facts that a master sends to workers.
INPUTS, NOT_NEEDED = "inputs", "inputs_not_needed"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Movers:
    """Uploader and downloader of a process; None if not needed."""

    uploader: Uploader | None = None
    downloads: Downloads | None = None
    bucket: Bucket | None = None

    def close(self) -> None:
        """Close all connections."""
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
    """Transfers that the options need; ``calls`` receives their results.

    Raises:
        BucketError: The bucket cannot be used.

    """
    transfer_options = options.transfers
    uploader: Uploader | None = None
    bucket = None
    if transfer_options.upload and transfer_options.upload_via == "bucket":
        bucket = open_bucket(options.files.storage_bucket)
        bucket.check(writing=f"{options.upload_prefix}/")
        uploader = BucketUploader(bucket, transfer_options, options.upload_prefix, clock, calls)
    elif transfer_options.upload:
        uploader = FrontendUploader(kiosk, transfer_options)
    downloads = None
    if transfer_options.download:
        downloads = Downloads(
            results_folder(options.output_dir, run_name),
            at_once=transfer_options.concurrent_downloads,
            timeout_s=options.request_timeout_s,
            reach=Reach(kiosk.transport.base_url, transfer_options.download_hosts.split(",")),
            clock=clock,
            rng=rng,
            calls=calls,
            buckets=None if transfer_options.any_bucket else [_name(options.files.storage_bucket)],
        )
    return Movers(uploader, downloads, bucket)


def _name(bucket: str) -> str:
    """Name of STORAGE_BUCKET; empty if it is not set, or is a folder."""
    return Address.parse(bucket).name if bucket else ""


def results_folder(output_dir: Path, run_name: str) -> Path:
    """Folder of a run's downloads."""
    return output_dir / f"{run_name}_results"


def check_results_folder(output_dir: Path, run_name: str) -> None:
    """Check that downloads do not go through a link out of OUTPUT_DIR.

    Raises:
        OptionsError: They would.

    """
    folder = results_folder(output_dir, run_name)
    if leads_out(folder):
        advice = f"has {folder.name}, {LEADS_OUT}"
        raise OptionsError([Mistake("OUTPUT_DIR", str(output_dir), advice)])


def changed_inputs(options: TransferOptions, numbers: Iterable[int]) -> dict[int, str]:
    """Planned files that are missing or changed here, by number, with descriptions."""
    changes = {}
    for number in numbers:
        file = options.inputs[number]
        path = path_of(options, file)
        try:
            size = path.stat().st_size
        except OSError as error:
            changes[number] = f"{path} ({error.strerror})"
            continue
        if size != file.size:
            changes[number] = f"{path} ({size:,} bytes; {file.size:,} in the plan)"
    return changes


def changes_text(changes: Mapping[int, str]) -> str:
    """The first changed files, for a message."""
    more = len(changes) - _SHOWN
    listed = ", ".join(list(changes.values())[:_SHOWN])
    return f"{listed} and {more:,} more" if more > 0 else listed


def not_needed_of(options: Options, remains: Remains) -> set[int]:
    """Files that a resumed run's workers do not need: completed, missing or changed.

    Missing and changed files are logged; their jobs will end with an error.
    """
    transfer_options = options.transfers
    inputs_left = remains.inputs_left() if transfer_options.inputs else []
    if changes := in_thread(lambda: changed_inputs(transfer_options, inputs_left)):
        logger.warning(
            "%s of the plan gone or changed, so that jobs on them will end with an error: %s",
            *(units.count(len(changes), "file"), changes_text(changes)),
        )
    return set(range(len(transfer_options.inputs))) - set(inputs_left) | set(changes)


def facts(options: TransferOptions, not_needed: Iterable[int]) -> dict[str, str]:
    """File lists for workers."""
    if not options.inputs:
        return {}
    return {
        INPUTS: json.dumps([file.as_json() for file in options.inputs]),
        NOT_NEEDED: json.dumps(sorted(not_needed)),
    }


def from_facts(
    options: TransferOptions, received: Mapping[str, str], only: str = ""
) -> TransferOptions:
    """The options with the master's file list, which this worker must have as well.

    ``only`` is the one file that may be uploaded, if FILE is one.

    Raises:
        InputError: Files are missing on this worker, or one is not below FILE.

    """
    files = tuple(
        InputFile.from_json(tuple(fields)) for fields in json.loads(received.get(INPUTS, "[]"))
    )
    options = dataclasses.replace(options, inputs=files)
    not_needed = set(json.loads(received.get(NOT_NEEDED, "[]")))
    needed = [number for number in range(len(files)) if number not in not_needed]
    for file in files:
        if problem := strange_path(file.path, only):
            raise InputError(
                f"the master has {file.path!r} uploaded, which {problem}: nothing is sent"
            )
    # In a thread, since a network disk may take a minute.
    if missing := in_thread(lambda: changed_inputs(options, needed)):
        raise InputError(
            f"{len(missing):,} of {len(files):,} files to upload are not on this worker's machine"
            f" as they are on the master's: {changes_text(missing)}; give all machines the same"
            " files under the same path"
        )
    return options
