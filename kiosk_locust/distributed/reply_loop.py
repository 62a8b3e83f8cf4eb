"""The loop in which a master answers its workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Group

from kiosk_locust.codec import encode
from kiosk_locust.distributed.coordinator import MasterProtocol
from kiosk_locust.distributed.reused_uploads import ReusedUploads
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.ledger import Ledger

#: How often the master deals, at least.
TURN_S = 0.05
#: Reports that come within this time are answered together, unless tickets wait for takers.
GATHER_S = 0.05
#: The last replies may wait so long for the disk.
LAST_REPLIES_S = 5.0

#: Sends a message of a kind to a worker.
Send = Callable[[str, Any, str], None]


class ReplyLoop:
    """Deals tickets and sends replies, once what they grant and acknowledge is durable."""

    def __init__(
        self,
        end: MasterProtocol,
        ledger: Ledger,
        uploads: ReusedUploads,
        send: Send,
        now: Callable[[], float],
    ) -> None:
        self._end = end
        self._ledger = ledger
        self._uploads = uploads
        self._send = send
        self._now = now
        self._woken = Event()
        self._is_last = False  # what is heard from now on is not answered
        self._greenlets = Group()

    @property
    def is_on(self) -> bool:
        """True while workers are answered."""
        return bool(self._greenlets)

    def start(self) -> None:
        """Answer workers from now on."""
        self._greenlets.spawn(self._serve)

    def wake(self) -> None:
        """Have the next turn soon."""
        self._woken.set()

    def finish(self) -> None:
        """Answer what has been heard: workers that have drained wait for that before they go."""
        self._is_last = True
        self._woken.set()
        self._greenlets.join(timeout=LAST_REPLIES_S)
        self._greenlets.kill()

    def _serve(self) -> None:
        while True:
            if self._woken.wait(TURN_S) and not self._end.is_starved:
                gevent.sleep(GATHER_S)
            self._woken.clear()
            is_last = self._is_last
            try:
                replies = self._end.turn(self._now())
                uploads = self._uploads.take_unchecked()
                if replies or uploads:
                    self._ledger.settle()  # what is acknowledged or granted is on the disk
                    self._uploads.check(uploads)
            except LedgerError:
                return  # the run has been told; nothing is granted any more
            for worker, reply in replies:
                said = self._uploads.said_in(reply, worker, self._end.leases)
                self._send("kiosk_reply", encode(said), worker)
            if is_last:
                return
