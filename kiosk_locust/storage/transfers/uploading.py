"""Uploads of tickets' files: through the Kiosk's frontend, or directly to its bucket.

Both give each upload a unique file name. The frontend names the object by the MD5 of the
file's name and the millisecond, so two files of one name would otherwise become one object.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from kiosk_locust.client.body import FileForm, open_input
from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.client.call_trouble import TroubleKind
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.clock import Clock
from kiosk_locust.model.input_file import InputFile
from kiosk_locust.model.options import TransferOptions
from kiosk_locust.model.record import Record, Upload
from kiosk_locust.storage import transfer_progress
from kiosk_locust.storage.bucket.protocol import Bucket


class FrontendUploader:
    """Uploader through the frontend, which derives the object's name from the file name."""

    def __init__(self, kiosk: Kiosk, options: TransferOptions) -> None:
        self._kiosk = kiosk
        self._options = options

    def upload(self, record: Record, wanted: Callable[[], bool]) -> Upload:
        """Upload a ticket's file.

        Raises:
            KioskError: The frontend failed.
            InputError: The file cannot be read.
            Withdrawn: ``wanted`` returned False.

        """
        file = self._options.input_of(record.ticket.number)
        name_sent = unique_name(record.request.image_name)
        form = FileForm(path_of(self._options, file), name_sent, file.size)
        name, exchange = self._kiosk.upload(form, wanted)
        return Upload(exchange.sent_at, exchange.received_at, file.size, name)


class BucketUploader:
    """Uploader to the bucket, under a unique name below ``prefix``."""

    def __init__(
        self,
        bucket: Bucket,
        options: TransferOptions,
        prefix: str,
        clock: Clock,
        calls: CallFailures | None = None,
    ) -> None:
        self._bucket = bucket
        self._calls = calls or CallFailures(clock)
        self._options = options
        self._prefix = prefix
        self._clock = clock

    def upload(self, record: Record, wanted: Callable[[], bool]) -> Upload:  # noqa: ARG002
        """Upload a ticket's file.

        Raises:
            BucketError: The bucket failed.
            InputError: The file is missing or changed.

        """
        file = self._options.input_of(record.ticket.number)
        path = path_of(self._options, file)
        os.close(open_input(path, file.size))  # checks that it exists as planned
        name_sent = unique_name(record.request.image_name)
        name = "/".join(part for part in (self._prefix, name_sent) if part)
        started_at = self._clock.now()
        with self._calls.trying(TroubleKind.BUCKET) as pending, transfer_progress.watched(pending):
            self._bucket.put(path, name)
        return Upload(started_at, self._clock.now(), file.size, name)


def unique_name(image_name: str) -> str:
    """Unique file name with the extension by which consumers read it."""
    return f"{uuid.uuid4().hex}{PurePosixPath(image_name).suffix}"


def path_of(options: TransferOptions, file: InputFile) -> Path:
    """Path of a planned file on this machine."""
    return Path(options.root, file.path)
