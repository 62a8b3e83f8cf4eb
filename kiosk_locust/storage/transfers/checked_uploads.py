"""Uploads of files that are looked at once more, right before they are sent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from kiosk_locust.errors import InputError
from kiosk_locust.model.input_file import InputFile
from kiosk_locust.model.options import TransferOptions
from kiosk_locust.model.record import Record, Upload
from kiosk_locust.native_thread import in_thread
from kiosk_locust.storage.inputs import recheck
from kiosk_locust.storage.inputs.finding import Looking, Rules
from kiosk_locust.storage.inputs.look_cache import Looks
from kiosk_locust.storage.upload_stage import Uploader


class CheckedUploader:
    """Uploads what is still as planned: an image or a ZIP, of its kind, in its folder.

    ``is_named``: whoever started this process has named the one file that is uploaded.
    """

    def __init__(
        self, uploader: Uploader, moved: TransferOptions, rules: Rules, *, is_named: bool
    ) -> None:
        self._uploader = uploader
        self._moved = moved
        self._rules = rules
        self._root = Path(moved.root)
        self._look = Looking(self._root, rules, Looks().begin(), is_named=is_named)
        self._fit: dict[str, tuple[int, ...]] = {}  # the state of files that may be uploaded

    def upload(self, record: Record, wanted: Callable[[], bool]) -> Upload:
        """Upload a ticket's file; raises InputError for one that must not be uploaded."""
        file = self._moved.input_of(record.ticket.number)
        state = self._state(file)
        if state is None or self._fit.get(file.path) != state:
            reason = in_thread(lambda: recheck.reason(self._look, self._root, file, self._rules))
            if reason:
                raise InputError(f"{self._root / file.path} {reason}: it is not uploaded")
            if state is not None:
                self._fit[file.path] = state
        return self._uploader.upload(record, wanted)

    def _state(self, file: InputFile) -> tuple[int, ...] | None:
        """Return what changes with a file's content; None where it cannot be told."""
        try:
            stat = os.stat(self._root / file.path)
        except OSError:
            return None
        return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
