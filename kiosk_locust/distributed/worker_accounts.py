"""Accounts that workers keep of what they send, for a master that loses one of them."""

from __future__ import annotations

import logging

from kiosk_locust.ledger import send_account
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.send_account import Statement

logger = logging.getLogger(__name__)


class WorkerAccounts:
    """The accounts of a run's workers by their tokens, which its ledger keeps for a resume."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._tokens: dict[str, str] = {}  # by worker

    def note(self, worker: str, token: str) -> None:
        """Have the ledger say whose account is to be read, before anything is granted to it."""
        if self._tokens.get(worker) != token:
            self._tokens[worker] = token
            self._ledger.set_meta(**{f"{send_account.KEY}:{worker}": token})

    def read(self, worker: str) -> Statement:
        """Read the account of a worker that was lost."""
        token = self._tokens.get(worker, "")
        statement = Statement()
        if send_account.TOKEN.fullmatch(token):
            statement = send_account.read(send_account.path_of(self._ledger.path, token), token)
        logger.warning(
            "worker %s was lost: %s",
            worker,
            statement.why or "by its account it is known what it had sent",
        )
        return statement

    def forget(self, worker: str) -> None:
        """Drop the account of a worker of which no request is open any more."""
        if self._tokens.pop(worker, None) is not None:
            self._ledger.forget_meta(f"{send_account.KEY}:{worker}")
