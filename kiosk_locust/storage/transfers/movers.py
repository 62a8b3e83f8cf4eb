"""File transfers of one process: its uploader, its downloads, the bucket."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.clock import Clock
from kiosk_locust.errors import Mistake, OptionsError
from kiosk_locust.filesystem.symlinks import leads_out
from kiosk_locust.model.options import Options
from kiosk_locust.storage.bucket import Address, Bucket, open_bucket
from kiosk_locust.storage.transfers.downloads import LEADS_OUT, Downloads
from kiosk_locust.storage.transfers.reach import Reach
from kiosk_locust.storage.transfers.uploading import BucketUploader, FrontendUploader
from kiosk_locust.storage.upload_stage import Uploader


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
