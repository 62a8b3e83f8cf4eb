"""The ledger that a run begins with: a new one, or that of the interrupted one it goes on with."""

from __future__ import annotations

import itertools
import json
import logging
import platform
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kiosk_locust
from kiosk_locust.assembly.run_request import RunRequest
from kiosk_locust.clock import Clock
from kiosk_locust.errors import LedgerExistsError
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.resume_state import Remains, take_up
from kiosk_locust.model import definitions, file_names
from kiosk_locust.model.options import options_as_json
from kiosk_locust.model.user_mix import Mix
from kiosk_locust.reporting import results_json

logger = logging.getLogger(__name__)


class RunLedger:
    """Makes or opens the ledger of a run that starts now, with Locust's ``locust_version``.

    ``on_error`` is told what keeps the ledger from being written later on.
    """

    def __init__(
        self,
        request: RunRequest,
        clock: Clock,
        locust_version: str,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._request = request
        self._options = options = request.options
        self._resumed = request.resumed
        self._mix = request.mix
        self._locust_version = locust_version
        self._now = clock.now
        self._on_error = on_error
        self.started_at = clock.now()  # epoch seconds
        self.simulated = options.host is None
        wanted = options.run_name or file_names.made(options)
        self.name = file_names.marked(wanted, simulated=self.simulated)

    @property
    def path(self) -> Path:
        """Where the ledger is."""
        return (
            self._resumed.path if self._resumed else file_names.ledger_of(self._options, self.name)
        )

    def open(self, host: str, *, is_simulated_elsewhere: bool = False) -> tuple[Ledger, Remains]:
        """The ledger, locked, and what is left to do by it; raises LedgerError.

        ``is_simulated_elsewhere``: the Kiosk by that address says that it is a simulated one.
        A name that was not given gives way to one that is taken.
        """
        if self._resumed is None:
            ledger = self._make(host)
            if is_simulated_elsewhere:
                ledger.set_meta(simulated_elsewhere="true")
            return ledger, Remains(self._options)
        written = {*self._resumed.run.earlier_results, *results_json.names_so_far(self.path)}
        ledger = Ledger.open(self.path, self._on_error, self._now)
        try:
            changed = json.dumps(self._resumed.changed(self._options) | self._changed_classes())
            remains = ledger.within(
                lambda db: take_up(
                    db, self.path, self._options, now=self.started_at, changed=changed
                )
            )
            ledger.within(ledger.learn_requests)  # jobs of workers may have brought some
            ledger.set_meta(
                options=json.dumps(options_as_json(self._options)),
                user_classes=self._mix.as_text(),
                earlier_results=json.dumps(sorted(written)),
            )
            if is_simulated_elsewhere:  # once a part of a run was, the whole of it is
                ledger.set_meta(simulated_elsewhere="true")
        except BaseException:
            ledger.discard()
            raise
        if remains.note:
            logger.warning("%s: %s", self.name, remains.note)
        logger.info("%s is resumed: %s", self.name, remains)
        return ledger, remains

    def _make(self, host: str) -> Ledger:
        name = self.name
        for number in itertools.count(2):
            try:
                ledger = Ledger.create(self.path, self.meta(host), self._on_error, self._now)
                break
            except LedgerExistsError:
                if self._options.run_name:
                    raise
                self.name = f"{name}_{number}"
        try:
            ledger.plan(self._options.transfers.inputs)
            ledger.begin_session(1, self.started_at)
        except BaseException:
            ledger.discard()
            raise
        return ledger

    def _changed_classes(self) -> dict[str, tuple[Any, Any]]:
        """The user classes before and now, where the locustfile or what was chosen differs."""
        before = Mix(self._resumed.run.user_classes if self._resumed else ())
        now = Mix(self._mix.parts)
        if not before.parts or before == now:
            return {}
        logger.warning(
            "%s: its user classes were %s by weight and are now %s: the tickets that are left"
            " follow the new weights",
            *(self.name, before, now),
        )
        return {"user_classes": (before.parts, now.parts)}

    def _versions(self) -> dict[str, str]:
        """Versions of the software that makes the result."""
        return {
            "kiosk_locust": kiosk_locust.__version__,
            "locust": self._locust_version,
            "python": platform.python_version(),
        }

    def meta(self, host: str) -> dict[str, str]:
        """The run's facts, as the ledger keeps them; its id is a new one."""
        return {
            "run_id": uuid.uuid4().hex,
            "run_name": self.name,
            "options": json.dumps(options_as_json(self._options)),
            "user_classes": self._mix.as_text(),
            "host": host,
            "versions": json.dumps(self._versions()),
            "simulated": "true" if self.simulated else "false",
            "started_at": repr(self.started_at),
            "finished": "false",
            definitions.KEY: str(definitions.VERSION),
            "input_remarks": self._request.tally.as_text(),
        }
