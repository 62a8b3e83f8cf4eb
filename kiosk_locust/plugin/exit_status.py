"""The exit code of a Locust process, and its last line."""

from __future__ import annotations

import sys
from typing import NoReturn

from locust.env import Environment

from kiosk_locust.errors import KioskLocustError, PreflightError
from kiosk_locust.verdict.exit_code import Verdict

NOT_CARRIED_OUT = "the run could not be carried out"


def refuse(error: KioskLocustError | str) -> NoReturn:
    """Leave with exit code 2; the last line says so, with the error where it is of one line."""
    first, *more = str(error).splitlines() or [NOT_CARRIED_OUT]
    sys.stderr.write(f"{error}\n" if more else "")
    sys.stderr.write(f"{Verdict(2, first.rstrip(':')).line}\n")
    sys.exit(2)


class ExitStatus:
    """The exit code of a process with one environment, and its reason beside that of a run."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._set_last: int | None = None
        self.caller = ""  # in users' code, that ends the run
        self.refusal = ""  # of the last run that did not start
        self.fault_at_end = ""  # while Locust ended, beside the run

    def set(self, code: int) -> None:
        """Set the process's exit code, unless users' code has set another one than 0."""
        environment = self._environment
        if environment.process_exit_code in (None, 0, self._set_last):
            environment.process_exit_code = self._set_last = code

    def note_caller(self, caller: str, *, is_run_begun: bool) -> None:
        """Users' code ends the run; of several the first counts."""
        self.caller = self.caller or caller
        if not is_run_begun:
            self.refuse_run(f"{caller} before the first job")

    def refuse_run(self, reason: str) -> None:
        """No run begins, which is exit code 2."""
        self.refusal = reason
        self.set(2)

    def check_caller(self) -> None:
        """Raise PreflightError where users' code has ended the test before it began."""
        caller, self.caller = self.caller, ""
        if caller:
            raise PreflightError(f"{caller} was called before the first job")

    def without_run(self) -> Verdict:
        """The verdict of a process in which no run was begun."""
        return Verdict(2, self.refusal or f"{NOT_CARRIED_OUT}: no run was begun")
