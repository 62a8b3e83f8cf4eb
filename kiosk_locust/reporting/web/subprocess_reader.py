"""Reads ledgers in processes of their own, so that a run in this one never waits for it.

A thread would not do: what it computes holds up submissions by the interpreter's lock. Processes
take processors from the run, too, so they are few, and whoever asks for the same shares one.
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

#: So many processes at once; whoever asks for another is told to come again.
MOST = 2
#: A ledger of a million jobs is read in less; after it a process, or who takes so long, is cut off.
LIMIT_S = 300.0
#: Where several share an answer, the others wait so long for one who takes nothing.
STALL_S = 10.0
_PIECE = 1 << 16
#: Pieces that are kept from the beginning on, so that others can join; and the most in all.
_FIRST_PIECES, _MOST_PIECES = 16, 64


class Programs:
    """The processes of one site; ``most`` at once, and each for ``limit_s`` seconds at most."""

    def __init__(self, most: int = MOST, limit_s: float = LIMIT_S) -> None:
        self._most = most
        self._limit_s = limit_s
        self._lock = Lock()
        self._outputs: list[_Output] = []

    def picture(self, ledger: Path) -> bytes:
        """The picture of the run in ``ledger``, as JSON; raises LedgerError and PageBusy."""
        return b"".join(self._shared("from_ledger", ledger))

    def runs(self, folder: Path) -> bytes:
        """The runs in a folder, as `folder.main` prints them; raises LedgerError and PageBusy."""
        return b"".join(self._shared("run_index", folder))

    def jobs_csv(self, ledger: Path) -> Reader:
        """All jobs of ``ledger`` as CSV, in pieces, as they are read; raises PageBusy at once."""
        return self._shared("jobs_csv", ledger)

    def _shared(self, module: str, path: Path) -> Reader:
        """Join who asked for the same, or start a process for it."""
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
    """An iterator over the pieces of an answer, for one who asked; to be closed."""

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
        """Take no more; the last one ends the process."""
        self._is_done = True
        self._output.leave(self)


class _Output:
    """The output of one process, for all readers who joined before its beginning was gone."""

    def __init__(self, key: tuple[str, Path], limit_s: float) -> None:
        self.key = key
        module, self._path = key
        self._limit_s = limit_s
        self._moved = Condition()
        self._pieces: deque[bytes] = deque()
        self._begin = 0  # number of the first piece that is kept
        self.first = Reader(self)
        self._next = {self.first: 0}  # number of the piece that each reader takes next
        self._error = ""
        self._is_over = False  # nothing more comes
        self._is_reading = False  # one of the readers waits for the process, for all of them
        self._errors = os.memfd_create("errors")  # on no disk, which may be full
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
        """Tell whether somebody still takes of it."""
        return bool(self._next)

    def join(self) -> Reader | None:
        """Another reader of all of it; None once its beginning is gone."""
        with self._moved:
            if self._begin or not self._next:
                return None
            reader = Reader(self)
            self._next[reader] = 0
            return reader

    def piece(self, reader: Reader, number: int) -> bytes | None:
        """The piece of that number, once it is there; None after the last. Raises LedgerError."""
        with self._moved:
            while reader in self._next:
                if number < self._begin + len(self._pieces):
                    piece = self._pieces[number - self._begin]
                    self._next[reader] = number + 1
                    self._drop()
                    self._moved.notify_all()
                    return piece
                if self._error:
                    raise LedgerError(self._error)
                if self._is_over:
                    return None
                if self._is_reading:
                    self._moved.wait()
                elif len(self._pieces) < _MOST_PIECES:
                    self._read()
                elif not self._moved.wait(STALL_S):
                    self._leave_slowest_behind()
            raise LedgerError(self._error or f"{self._path} was read by others, and too fast")

    def leave(self, reader: Reader) -> None:
        """Let a reader go; the last one ends everything."""
        with self._moved:
            if self._next.pop(reader, None) is not None and not self._next:
                self._end()
            self._drop()
            self._moved.notify_all()

    def _read(self) -> None:
        """Take one more piece from the process, or note its end; others may join meanwhile."""
        self._is_reading = True
        self._moved.release()
        try:
            piece = self._process.stdout.read(_PIECE) if self._process.stdout else b""
            code = 0 if piece else self._process.wait()
        finally:
            self._moved.acquire()
            self._is_reading = False
            self._moved.notify_all()
        if not self._next:  # all have left meanwhile
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
        """Keep no more than who is slowest needs, and who may still join."""
        slowest = min(self._next.values(), default=0)
        while len(self._pieces) > _FIRST_PIECES and self._begin < slowest:
            self._pieces.popleft()
            self._begin += 1

    def _leave_slowest_behind(self) -> None:
        slowest = min(self._next.values())
        self._next = {who: number for who, number in self._next.items() if number > slowest}
        self._drop()

    def _cut_off(self) -> None:
        """End what takes too long, be it the process or who reads."""
        self._error = f"{self._path} could not be read within {self._limit_s:g} s"
        self._process.kill()  # so that who waits for a piece waits no longer
        with self._moved:
            if self._next:
                self._next = {}
                self._end()
            self._moved.notify_all()

    def _end(self) -> None:
        self._timer.cancel()
        self._pieces.clear()
        self._process.kill()  # which does nothing where it has ended
        if not self._is_reading:
            self._close()

    def _close(self) -> None:
        """Let go of the process, which has ended or is about to."""
        if self._process.stdout:
            self._process.stdout.close()
        self._process.wait()
        os.close(self._errors)


def _environment() -> dict[str, str]:
    """Ours, with this very package found first where it is not installed."""
    root = str(Path(__file__).resolve().parents[3])
    known = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([root, known] if known else [root])}


def _last_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
