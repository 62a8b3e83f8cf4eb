"""The ledger's states: whatever is said in whatever order, it holds what a dictionary does."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.resume_state import take_up
from kiosk_locust.ledger.writer import ALIVE_BOUND_S
from kiosk_locust.model.record import Attempt, AttemptResult, Outcome
from tests.helpers.records import close_in
from tests.helpers.scenarios import make_options, make_record

COUNT = 6
NUMBERS = st.integers(0, COUNT - 1)
OPTIONS = make_options(count=COUNT, users=COUNT, start_delay_s=1.0)
NOW = 103.0  # ticket n is due at 100 + n: those from 4 on are not due when a process dies


class States(RuleBasedStateMachine):
    """``model`` has, by ticket, its state, its outcome, and whether it is ambiguous."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "run.db"
        self.ledger = Ledger.create(self.path, {"finished": "false"}, now=lambda: NOW)
        self.ledger.begin_cycle(1, 100.0)
        self.model: dict[int, tuple[str, str | None, bool]] = {}

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)

    def state(self, number: int) -> str:
        return self.model.get(number, ("none", None, False))[0]

    def ambiguous(self, number: int) -> bool:
        return self.model.get(number, ("none", None, False))[2]

    @rule(number=NUMBERS)
    def lease(self, number: int) -> None:
        self.ledger.lease(make_record(number))
        if self.state(number) in ("none", "open"):
            self.model[number] = ("leased", None, self.ambiguous(number))

    @rule(number=NUMBERS)
    def give_back(self, number: int) -> None:
        self.ledger.reopen(make_record(number).ticket)
        if self.state(number) == "leased":
            self.model[number] = ("open", None, self.ambiguous(number))

    @rule(number=NUMBERS, ambiguous=st.booleans())
    def submit(self, number: int, ambiguous: bool) -> None:
        if self.state(number) != "leased":
            return  # the code that submits has a lease
        record = make_record(number, job_id=f"s:{number}", submitted_at=100.0 + number)
        if ambiguous:
            record.ambiguous = True
            self.ledger.attempt(record, Attempt(1, 1.0, 1.0, None, AttemptResult.MAYBE))
        self.ledger.submit(record)
        self.model[number] = ("submitted", None, self.ambiguous(number) or ambiguous)

    @rule(number=NUMBERS, outcome=st.sampled_from(list(Outcome)))
    def close(self, number: int, outcome: Outcome) -> None:
        record = make_record(number, outcome=outcome, closed_at=NOW)
        close_in(self.ledger, record)
        if self.state(number) in ("open", "leased", "submitted"):
            self.model[number] = ("closed", outcome, self.ambiguous(number))

    @rule()
    def die_and_resume(self) -> None:
        self.ledger.close()
        self.ledger = Ledger.open(self.path, now=lambda: NOW)
        before = dict(self.rows("SELECT id, job_id FROM tickets"))
        tried = {ticket for (ticket,) in self.rows("SELECT DISTINCT ticket_id FROM attempts")}
        remains = self.ledger.within(lambda db: take_up(db, self.path, OPTIONS, now=NOW))
        for number, (state, outcome, ambiguous) in list(self.model.items()):
            if outcome is not None and Outcome(outcome).is_the_kiosks:
                continue
            if before[number] is not None:
                self.model[number] = ("submitted", None, ambiguous)
            elif outcome == Outcome.TIMEOUT:
                continue  # without a job there is none: nothing is to be taken up
            elif state == "leased" and 100.0 + number <= NOW + ALIVE_BOUND_S:
                self.model[number] = ("open", None, True)
            elif number in tried:
                self.model[number] = ("open", None, ambiguous)
            else:
                del self.model[number]
        to_submit = {ticket.number for ticket in remains.tickets(1, NOW)}
        adopted = {record.ticket.number for record in remains.adopt()}
        states = {n: self.state(n) for n in range(COUNT)}
        assert to_submit == {n for n, state in states.items() if state in ("none", "open")}
        assert adopted == {n for n, state in states.items() if state == "submitted"}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute(sql).fetchall()

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        self.ledger.settle()
        found = self.rows("SELECT id, state, outcome, ambiguous FROM tickets")
        assert {n: (state, outcome, bool(amb)) for n, state, outcome, amb in found} == self.model


TestStates = States.TestCase
TestStates.settings = settings(
    max_examples=15,
    stateful_step_count=15,
    suppress_health_check=[HealthCheck.too_slow],
)
