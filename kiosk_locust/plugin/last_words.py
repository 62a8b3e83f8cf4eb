"""The console and the log file of a process, and the last line of each."""

from __future__ import annotations

import logging

from kiosk_locust.assembly.controller import RunController
from kiosk_locust.formatting.console import plain_console, say
from kiosk_locust.model.options import Options
from kiosk_locust.plugin.exit_status import ExitStatus
from kiosk_locust.plugin.log_file import close_log, open_log
from kiosk_locust.verdict.exit_code import Verdict, overruled

logger = logging.getLogger(__name__)


class LastWords:
    """Tells how a run, and the process, has ended.

    A process that is not ``headless`` may have further runs, so each is told of at once. In a
    program (``is_library``) the log file is open for a run alone.
    """

    def __init__(self, status: ExitStatus, *, headless: bool, is_library: bool) -> None:
        self.console = plain_console(stderr=True)
        self._status = status
        self._headless = headless
        self._is_library = is_library
        self._log: logging.Handler | None = None

    def open_log(self, options: Options) -> None:
        """Open the log file, where one is wanted."""
        if options.log_enabled and self._log is None:
            self._log = open_log(options.log_file, options.log_level)

    def of_verdict(self, verdict: Verdict) -> None:
        """Have the log file end with the verdict, as the console does."""
        self._log_line(verdict.line)

    def of_run(self, run: RunController, verdict: Verdict) -> None:
        """Tell how a run has ended, once its files are written."""
        written = (f"written: {path}" for path in run.files)
        self._log_line("; ".join([verdict.line, *written]))
        if not self._headless or self._is_library:
            run.show()
        if self._is_library and self._log is not None:
            close_log(self._log)
            self._log = None

    def of_process(self, run: RunController | None, code: int, why: str) -> None:
        """Tell how the process ends: with ``code``, by its last run unless that is another one.

        ``why`` is the reason of a code that the run has not set.
        """
        if run is not None:
            own = run.verdict
            verdict = overruled(own, code, why)
            if self._headless:
                run.show(verdict)
            elif verdict is not own:
                say(self.console, verdict.line, "bold red")
            if verdict is not own:
                self._log_line(verdict.line)
        elif self._status.refusal or code or self._headless:
            own = self._status.without_run()
            say(self.console, overruled(own, code, why).line, "bold red")

    def _log_line(self, text: str) -> None:
        """Write a line into the log file alone: the console has it in the closing table."""
        if self._log is not None and self._log.level <= logging.INFO:
            self._log.handle(logger.makeRecord(__name__, logging.INFO, "", 0, text, (), None))
