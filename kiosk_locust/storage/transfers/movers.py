"""Movers of a run's files in one process: its uploader, its downloads, the bucket."""

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
