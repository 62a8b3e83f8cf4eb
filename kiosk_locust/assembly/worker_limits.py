"""Limits of what a master may have a worker read, write and send: those of the worker's operator.

The port between master and workers has no login, so whoever answers there says where files are,
where results go and which bucket is meant. As with a ledger of another's making, that counts in
the working folder; anything else is named by whoever started the worker, on its command line, in
its environment, in ``.env`` or in a configuration file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from kiosk_locust.config import confined, parsers
from kiosk_locust.config.folders import is_near
from kiosk_locust.config.sources import Layers
from kiosk_locust.errors import BucketError, InputError, PreflightError
from kiosk_locust.ledger import send_account
from kiosk_locust.ledger.reader import part_of_a_name
from kiosk_locust.model.input_file import Checks
from kiosk_locust.model.options import Options, TransferOptions
from kiosk_locust.native_thread import in_thread
from kiosk_locust.storage.bucket.address import Address
from kiosk_locust.storage.inputs.finding import Rules
from kiosk_locust.storage.transfers.checked_uploads import CheckedUploader
from kiosk_locust.storage.transfers.input_facts import INPUTS, from_facts
from kiosk_locust.storage.upload_stage import Uploader


class WorkerLimits:
    """Holds a master's options against ``layers``, the settings of a worker's own operator."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers.operators
        self._only = ""  # the one file that may be uploaded, where FILE is one

    def applied(self, options: Options, facts: Mapping[str, str]) -> Options:
        """The options as this worker may carry them out, with the files to upload.

        Raises PreflightError, InputError and BucketError, which say what to set at the worker.
        """
        try:
            part_of_a_name(facts["run_name"])
        except ValueError:
            raise PreflightError(
                "the master's name of the run is that of no file: nothing is written under it"
            ) from None
        moved = options.transfers
        if moved.download:
            options = replace(options, output_dir=self._output_dir(options.output_dir))
        if moved.upload and moved.upload_via == "bucket":
            self._check_bucket(options.files.storage_bucket)
        if moved.upload or INPUTS in facts:
            theirs = moved.root
            root = in_thread(lambda: self._root(theirs))  # a network's disk may take a minute
            moved = replace(moved, root=root)
            self._check_rules(moved)
        return replace(options, transfers=from_facts(moved, facts, self._only))

    def place_of_account(self, facts: Mapping[str, str]) -> str:
        """The place of the master's ledger, where that is near; empty: nothing is kept there."""
        place = facts.get(send_account.PLACE, "")
        try:
            ledger = Path(json.loads(place)["ledger"])
        except (ValueError, KeyError, TypeError):
            return ""
        resumed, output_dir = self._path("resume"), self._path("output_dir")
        own = [*([resumed.parent] if resumed else []), *([output_dir] if output_dir else [])]
        return place if _is(lambda: is_near(ledger, *own)) else ""

    def guarded(self, uploader: Uploader | None, moved: TransferOptions) -> Uploader | None:
        """An uploader that looks at each file before it is uploaded first."""
        if uploader is None:
            return None
        return CheckedUploader(uploader, moved, self._rules(), is_named=bool(self._only))

    def _output_dir(self, theirs: Path) -> Path:
        """Where results go; raises PreflightError."""
        if self._path("output_dir"):
            return parsers.path(self._layers.text("output_dir"))
        ledger = self._path("resume")
        if _is(lambda: is_near(theirs, *([ledger.parent] if ledger else []))):
            return theirs
        raise PreflightError(
            f"the master has results written to {theirs}, which is not in this worker's working"
            " folder: set OUTPUT_DIR (--output-dir) on the worker"
        )

    def _check_bucket(self, theirs: str) -> None:
        """Raise BucketError for a bucket that the master alone names, unless it is near."""
        address = _address(theirs)
        if address is None:
            raise BucketError("the master names no bucket to upload to")
        text = self._layers.text("storage_bucket")
        own = _address(text)
        if own is not None and (own.name, own.folder) == (address.name, address.folder):
            return
        output_dir = self._path("output_dir")
        folder = address.folder
        if folder and _is(lambda: is_near(folder, *([output_dir] if output_dir else []))):
            return
        raise BucketError(
            f"the master has files uploaded to {address.url}, and this worker's STORAGE_BUCKET is"
            f" {own.url if own else 'not set'}: a worker's login goes with an upload, so set"
            " STORAGE_BUCKET (--storage-bucket) on the worker to that bucket if it is meant"
        )

    def _root(self, theirs: str) -> str:
        """The folder below which files are uploaded; raises InputError."""
        self._only = ""
        root, own = Path(theirs), self._path("file")
        named = list(confined.roots(self._layers))
        if _is(lambda: any(root.resolve().is_relative_to(folder) for folder in named)):
            return theirs
        if own is not None and own.is_file():
            self._only = own.name
            return theirs if _is(lambda: own.parent.samefile(root)) else str(own.parent)
        if own is not None and own.is_dir():
            return str(own)
        if _is(lambda: is_near(root)):
            return theirs
        raise InputError(
            f"the master has files uploaded from {theirs}, which is not in this worker's working"
            " folder: set FILE (--file) on the worker to where its files are"
        )

    def _check_rules(self, moved: TransferOptions) -> None:
        """Raise InputError where the master has less looked at than the worker's operator."""
        own = self._rules()
        lacks = []
        if moved.input_checks == Checks.NONE and own.checks is not Checks.NONE:
            lacks.append("INPUT_CHECKS=none")
        if moved.follow_symlinks and not own.follow_symlinks:
            lacks.append("FOLLOW_SYMLINKS=true")
        if lacks:
            raise InputError(
                f"the master has {' and '.join(lacks)}, which counts on a worker only where it is"
                " set there, too: set it on the worker, or on neither"
            )

    def _rules(self) -> Rules:
        checks = self._layers.text("input_checks").lower() or Checks.LENIENT.value
        try:
            follows = parsers.boolean(self._layers.text("follow_symlinks") or "false")
            return Rules(Checks(checks), follows)
        except ValueError as error:
            raise InputError(f"this worker's INPUT_CHECKS or FOLLOW_SYMLINKS {error}") from None

    def _path(self, name: str) -> Path | None:
        """A path as the worker's operator gave it, absolute; None where nobody did."""
        text = self._layers.text(name)
        try:
            return parsers.path(text).absolute() if text else None
        except ValueError:
            return None


def _address(text: str) -> Address | None:
    try:
        return Address.parse(text) if text else None
    except ValueError:
        return None


def _is(question: Callable[[], bool]) -> bool:
    """The answer; False where a path is none, or cannot be followed."""
    try:
        return question()
    except (ValueError, OSError, RuntimeError):
        return False
