"""What of a run goes to its bucket: checkpoints while it goes on, its files at the end."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk_locust.assembly.bucket_preflight import open_for, with_array, with_images
from kiosk_locust.assembly.resume import Resumption
from kiosk_locust.checkpoint.archive import Archive
from kiosk_locust.checkpoint.scheduler import Checkpoints
from kiosk_locust.checkpoint.snapshot import object_name
from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.clock import Clock
from kiosk_locust.errors import LedgerError
from kiosk_locust.execution.run import Run
from kiosk_locust.ledger import file
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import JobRequest
from kiosk_locust.storage.bucket import Address, Bucket


class Keeping:
    """The bucket of one run; ``archive`` and ``checkpoints`` are None where they are not wanted.

    ``resumed`` is the run that is gone on with; ``insist`` says that somebody counts on going on
    with this one elsewhere. ``calls`` hears of the checkpoints that are sent.
    """

    def __init__(
        self,
        clock: Clock,
        resumed: Resumption | None,
        *,
        insist: bool,
        calls: CallFailures | None = None,
    ) -> None:
        self.archive: Archive | None = None
        self.checkpoints: Checkpoints | None = None
        self._clock = clock
        self._calls = calls
        self._resumed = resumed
        self._insist = insist or resumed is not None
        self._bucket: Bucket | None = None

    @property
    def age_s(self) -> float | None:
        """How old the last checkpoint is."""
        return self.checkpoints.age_s if self.checkpoints else None

    @property
    def line(self) -> str:
        """The same for people; empty where none is taken."""
        return self.checkpoints.line if self.checkpoints else ""

    def open(self, options: Options, requests: Iterable[JobRequest]) -> Options:
        """Look at the bucket, and return the options with what it knows; raises PreflightError."""
        bucket = open_for(options, requests)
        if bucket is None:
            return options
        self._bucket = bucket
        options = with_array(with_images(options, bucket), bucket)
        files = options.files
        if files.upload_results:
            address = Address.parse(files.storage_bucket)
            self.archive = Archive(
                bucket, address, public=files.public_results, calls=self._calls, holds_locks=True
            )
        return options

    def begin(self, run: Run, name: str) -> None:
        """Have the ledger in the bucket before the first job, if that is wanted.

        A ledger that was just made is gone again where it cannot be. Raises LedgerError.
        """
        options = run.options
        files = options.files
        if self._bucket is None or not files.checkpoint_s:
            return
        checkpoints = Checkpoints(
            self._bucket,
            object_name(Address.parse(files.storage_bucket), name),
            run.ledger,
            run.tickets,
            self._clock,
            every_s=files.checkpoint_s,
            generation=self._resumed.generation if self._resumed else 0,
            users=options.users if options.workload == "closed" else None,
            on_overtaken=run.state.fail,
            calls=self._calls,
        )
        try:
            checkpoints.first(insist=self._insist)
        except LedgerError:
            if self._resumed is None:
                file.remove(run.ledger.path)
            raise
        self.checkpoints = checkpoints

    def start(self) -> None:
        """Take checkpoints from now on."""
        if self.checkpoints:
            self.checkpoints.start()

    def close(self) -> None:
        """Take none any more, and let the bucket go."""
        if self.checkpoints:
            self.checkpoints.stop()
        if self._bucket is not None:
            self._bucket.close()
