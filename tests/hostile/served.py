"""A Kiosk of one job on real sockets, one of whose calls goes wrong."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from types import TracebackType
from typing import Self

from tests.helpers.servers import Connection, RawServer, raw_answer
from tests.hostile.faults import bytes_of
from tests.hostile.kiosk import LASTS_S, OneJob, Spell, call_of
from tests.hostile.table import DOWNLOAD, EXPIRE, HEALTH, ONCE, POLL, SUBMIT, TYPES, UPLOAD, Cell

#: What is answered before a call is made for the first time, and how often: so a connection can be
#: refused, or reset unread, for that call alone.
BEFORE = {
    TYPES: (HEALTH, 2),
    UPLOAD: (TYPES, 2),
    SUBMIT: (TYPES, 2),
    POLL: (SUBMIT, 1),
    EXPIRE: (POLL, 1),
    DOWNLOAD: (EXPIRE, 1),
}
#: Nobody sees a connection that is refused, so "once" is a time in which one is surely tried, and
#: for an expiry one in which not all three tries are.
REFUSED_ONCE_S = {EXPIRE: 0.1}
REFUSED_ONCE_ELSE_S = 1.5


class Served:
    """The server of one cell; ``lasts_s`` stands in for the 20 s of its spell."""

    def __init__(self, cell: Cell, lasts_s: float = LASTS_S["for 20 s"]) -> None:
        seconds = lasts_s if math.isfinite(LASTS_S[cell.spell]) else math.inf
        self._fault = cell.fault
        self._call = cell.call
        self._spell = Spell(cell.call, 0.0 if cell.spell == ONCE else seconds)
        once_s = REFUSED_ONCE_S.get(cell.call, REFUSED_ONCE_ELSE_S)
        self._refused_s = once_s if cell.spell == ONCE else seconds
        self._answered: list[str] = []
        self._stack = contextlib.ExitStack()
        self._server = RawServer(self._behave)
        self.url = self._server.url
        self._port = self._server.port
        self._over = threading.Event()
        self._opener: threading.Thread | None = None
        self.struck = 0
        self.kiosk = OneJob(self.url)

    def __enter__(self) -> Self:
        self._stack.enter_context(self._server)
        if self._call == HEALTH and self._fault.name == "refused":
            self._refuse()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._opener:
            self._opener.join()
        self._stack.close()

    def _behave(self, connection: Connection) -> None:
        unread = self._fault.name != "refused" and self._fault.at_once and self._is_next()
        if unread and self._spell.strikes(self._call, time.time()):
            self.struck += 1
            connection.reset()
            return
        while request := connection.read_request():
            call = call_of(request.path)
            self.kiosk.submissions += call == SUBMIT
            strikes = not self._fault.at_once and self._spell.strikes(call, time.time())
            true = b""
            if not strikes or self._fault.arrives:
                true = self.kiosk.answer(request.path, request.body)
            if not strikes:
                self._note(call)  # first: whoever has the answer makes the next connection
                closing = {"Connection": "close"} if self._fault.at_once else {}
                connection.send(raw_answer(200, true, **closing))
                if self._fault.at_once:
                    return
                continue
            self.struck += 1
            if self._fault.answer is None:
                assert self._fault.play is not None
                self._fault.play(connection)
                return
            connection.send(bytes_of(self._fault.answer, time.time(), request.path, true))

    def _is_next(self) -> bool:
        """Whether the next request is the first one for the call, or one that tries it again."""
        if self._call == HEALTH:
            return True
        before, times = BEFORE[self._call]
        return self._answered.count(before) >= times and self._call not in self._answered

    def _note(self, call: str) -> None:
        self._answered.append(call)
        if self._fault.name == "refused" and self._is_next() and not self.struck:
            self._refuse()

    def _refuse(self) -> None:
        """Stop listening, and begin again when the time is over."""
        self.struck += 1
        self._server.stop_listening()
        self._opener = threading.Thread(target=self._open_again, daemon=True)
        self._opener.start()

    def _open_again(self) -> None:
        limit_s = None if math.isinf(self._refused_s) else self._refused_s
        if not self._over.wait(limit_s):
            self._stack.enter_context(RawServer(self._behave, port=self._port))
