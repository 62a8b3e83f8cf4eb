"""Ledger readers in separate processes, so that a run in this process never waits for them.

A thread would delay submissions through the interpreter's lock. Processes take CPU time from the
run, too, so their number is limited, and concurrent requests for the same output share one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from threading import Condition, Lock, Timer

from kiosk_locust.errors import LedgerError, PageBusy

#: Concurrent processes at most; a further request is answered with 503.
MOST = 2
#: Time limit in seconds, enough for a ledger of a million jobs; then a process or a slow reader is
#: cut off.
LIMIT_S = 300.0
#: Readers that share an output wait this long, in seconds, for one that takes nothing.
STALL_S = 10.0
_PIECE = 1 << 16
#: Pieces kept from the start, so that others can join; and the most pieces in all.
_FIRST_PIECES, _MOST_PIECES = 16, 64


class ReaderPool:
    """Pool of reader processes: ``most`` at once, each for ``limit_s`` seconds at most."""

    def __init__(self, most: int = MOST, limit_s: float = LIMIT_S) -> None:
        self._most = most
        self._limit_s = limit_s
        self._lock = Lock()
        self._outputs: list[_Output] = []

    def picture(self, ledger: Path) -> bytes:
        """Picture of the run in ``ledger`` as JSON.

        Raises:
            LedgerError: The ledger cannot be read.
            PageBusy: The pool is exhausted.

        """
        return b"".join(self._shared("from_ledger", ledger))

    def runs(self, folder: Path) -> bytes:
        """Runs in a folder, as `run_index.main` prints them.

        Raises:
            LedgerError: The folder cannot be read.
            PageBusy: The pool is exhausted.

        """
        return b"".join(self._shared("run_index", folder))

    def jobs_csv(self, ledger: Path) -> Reader:
        """All jobs of ``ledger`` as CSV, in pieces as they are read.

        Raises:
            PageBusy: The pool is exhausted.

        """
        return self._shared("jobs_csv", ledger)

    def _shared(self, module: str, path: Path) -> Reader:
        """Join a process with the same output, or start one."""
        key = (module, path.absolute())
        with self._lock:
            self._outputs = [output for output in self._outputs if output.is_wanted]
            for output in self._outputs:
                if output.key == key and (reader := output.join()):
                    return reader
            if len(self._outputs) >= self._most:
                raise PageBusy(
                    f"{self._most} ledgers are being read, which is the most at once, so that no"
                    " run is disturbed"
                )
            started = _Output(key, self._limit_s)
            self._outputs.append(started)
            return started.first


class Reader:
    """Iterator over the pieces of an output for one request; to be closed."""

    def __init__(self, output: _Output) -> None:
        self._output = output
        self._number = 0
        self._is_done = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._is_done:
            raise StopIteration
        try:
            piece = self._output.piece(self, self._number)
        except LedgerError:
            self.close()
            raise
        if piece is None:
            self.close()
            raise StopIteration
        self._number += 1
        return piece

    def close(self) -> None:
        """Stop reading; the last reader ends the process."""
        self._is_done = True
        self._output.leave(self)


class _Output:
    """Output of one process, for all readers that joined while its start was kept."""

    def __init__(self, key: tuple[str, Path], limit_s: float) -> None:
        self.key = key
        module, self._path = key
        self._limit_s = limit_s
        self._changed = Condition()
        self._pieces: deque[bytes] = deque()
        self._begin = 0  # number of the first kept piece
        self.first = Reader(self)
        self._next = {self.first: 0}  # number of each reader's next piece
        self._error = ""
        self._is_over = False  # no further piece will come
        self._is_reading = False  # one reader waits for the process on behalf of all
        self._errors = os.memfd_create("errors")  # in memory, since a disk may be full
        self._process = subprocess.Popen(  # noqa: S603  our own module, no shell
            [sys.executable, "-m", f"kiosk_locust.reporting.web.{module}", str(self._path)],
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._timer = Timer(limit_s, self._cut_off)
        self._timer.daemon = True
        self._timer.start()

    @property
    def is_wanted(self) -> bool:
        """True while it has readers."""
        return bool(self._next)

    def join(self) -> Reader | None:
        """Another reader of the whole output; None if its start was dropped."""
        with self._changed:
            if self._begin or not self._next:
                return None
            reader = Reader(self)
            self._next[reader] = 0
            return reader

    def piece(self, reader: Reader, number: int) -> bytes | None:
        """The piece of that number, once available; None after the last.

        Raises:
            LedgerError: The process failed or was cut off, or this reader was too slow.

        """
        with self._changed:
            while reader in self._next:
                if number < self._begin + len(self._pieces):
                    piece = self._pieces[number - self._begin]
                    self._next[reader] = number + 1
                    self._drop()
                    self._changed.notify_all()
                    return piece
                if self._error:
                    raise LedgerError(self._error)
                if self._is_over:
                    return None
                if self._is_reading:
                    self._changed.wait()
                elif len(self._pieces) < _MOST_PIECES:
                    self._read()
                elif not self._changed.wait(STALL_S):
                    self._leave_slowest_behind()
            raise LedgerError(self._error or f"{self._path} was read by others, and too fast")

    def leave(self, reader: Reader) -> None:
        """Remove a reader; the last one ends the process."""
        with self._changed:
            if self._next.pop(reader, None) is not None and not self._next:
                self._end()
            self._drop()
            self._changed.notify_all()

    def _read(self) -> None:
        """Take one piece from the process, or note its end; others may join meanwhile."""
        self._is_reading = True
        self._changed.release()
        try:
            piece = self._process.stdout.read(_PIECE) if self._process.stdout else b""
            code = 0 if piece else self._process.wait()
        finally:
            self._changed.acquire()
            self._is_reading = False
            self._changed.notify_all()
        if not self._next:  # all readers have left meanwhile
            self._close()
            return
        if piece:
            self._pieces.append(piece)
            return
        self._is_over = True
        if code and not self._error:
            errors = os.pread(self._errors, _PIECE, 0)
            self._error = _last_line(errors) or f"{self._path} could not be read to its end"

    def _drop(self) -> None:
        """Drop pieces that neither the slowest nor a new reader needs."""
        slowest = min(self._next.values(), default=0)
        while len(self._pieces) > _FIRST_PIECES and self._begin < slowest:
            self._pieces.popleft()
            self._begin += 1

    def _leave_slowest_behind(self) -> None:
        slowest = min(self._next.values())
        self._next = {reader: number for reader, number in self._next.items() if number > slowest}
        self._drop()

    def _cut_off(self) -> None:
        """End a process that exceeds the time limit, or whose readers do."""
        self._error = f"{self._path} could not be read within {self._limit_s:g} s"
        self._process.kill()  # so that a reader that waits for a piece returns
        with self._changed:
            if self._next:
                self._next = {}
                self._end()
            self._changed.notify_all()

    def _end(self) -> None:
        self._timer.cancel()
        self._pieces.clear()
        self._process.kill()  # no effect if it has ended
        if not self._is_reading:
            self._close()

    def _close(self) -> None:
        """Release the process, which has ended or is about to."""
        if self._process.stdout:
            self._process.stdout.close()
        self._process.wait()
        os.close(self._errors)


def _environment() -> dict[str, str]:
    """Environment of this process, with this package's root first in PYTHONPATH."""
    root = str(Path(__file__).resolve().parents[3])
    python_path = os.environ.get("PYTHONPATH")
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([root, python_path] if python_path else [root])
    }


def _last_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
