"""The settings of the runs of one Locust environment."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from locust import User
from locust.env import Environment

from kiosk_locust.assembly import resume
from kiosk_locust.assembly.preflight import check_host
from kiosk_locust.assembly.resume import Finished, Resumption, Unfinished
from kiosk_locust.config.resolve import draft, resolve
from kiosk_locust.config.sources import Layer, Layers, SettingText
from kiosk_locust.errors import Mistake, OptionsError
from kiosk_locust.model import file_names
from kiosk_locust.model.file_remarks import Tally, reasons, tell_doubts, tell_skipped
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import JobRequest
from kiosk_locust.plugin import arguments, library
from kiosk_locust.plugin.logins import Logins
from kiosk_locust.plugin.user import KioskUser, first_requests
from kiosk_locust.storage.inputs.look_cache import InspectionCache
from kiosk_locust.storage.inputs.scanning import Scans

logger = logging.getLogger(__name__)


class RunSettings:
    """Reads, checks and resolves the settings of one run after another.

    ``layers`` are the settings of whoever started the process, ``dotenv`` what stood in ``.env``; a
    start form, a ledger to go on with and a program's ``runner.start()`` add settings of theirs.
    ``headless`` says that there is no form.
    """

    def __init__(
        self,
        environment: Environment,
        layers: Layers,
        dotenv: Mapping[str, str],
        *,
        headless: bool,
    ) -> None:
        self._environment = environment
        self.logins = Logins(dotenv)
        self.headless = headless
        self.is_library = library.is_library(environment)
        mistakes = (*layers.mistakes, *self.logins.sources.mistakes)
        self.layers = replace(layers, mistakes=mistakes)
        self.resumption: Resumption | None = None  # for the first run only
        self.class_host: str | None = None
        self.take_class_host()
        self.form_defaults: dict[str, str] = {}
        self.tally = Tally()
        self._rng = random.Random()
        self._scans = Scans(None if headless else InspectionCache())

    @property
    def classes(self) -> list[type[KioskUser]]:
        """The classes that submit jobs; the class picker can change them between runs."""
        return [c for c in self._environment.user_classes if issubclass(c, KioskUser)]

    @property
    def other_classes(self) -> list[type[User]]:
        """The classes that submit no jobs."""
        return [c for c in self._environment.user_classes if not issubclass(c, KioskUser)]

    @property
    def is_resume_asked_for(self) -> bool:
        """A run that was begun before is to go on."""
        return resume.is_asked_for(self.layers)

    def take_class_host(self) -> None:
        """Take the host that a class has by its own; later Locust writes the form's into it."""
        self.class_host = next((c.host for c in self.classes if c.host), None)

    # -- once a process

    def check_files(self) -> None:
        """Raise OptionsError for lines of files that give no setting, which no form can mend.

        All other mistakes are told beside them, unless a ledger may mend these.
        """
        mistakes = list(self.layers.mistakes)
        if mistakes and not self.is_resume_asked_for:
            drafted = draft(
                self.layers, class_host=self.class_host, headless=self.headless, rng=self._rng
            )
            mistakes = list(drafted.mistakes)
        if mistakes:
            raise OptionsError(mistakes)

    def find_run(self) -> Finished | Unfinished | None:
        """Look for the run to go on with; returns one that has no job left.

        Raises OptionsError and LedgerError.
        """
        run = resume.find(self.layers)
        if isinstance(run, Finished):
            return run
        if isinstance(run, Unfinished):
            self.resumption = run.resumption
            return run
        self.resumption = run
        if run is None:
            self.layers = resume.new_name(self.layers)
        return None

    def first_options(self, parsed: Any, *, starts: bool) -> Options:
        """The options by which Locust is prepared: of a run that ``starts`` all must be right.

        With a web UI, the form may still mend them. Raises OptionsError and LedgerError.
        """
        if starts or self.is_resume_asked_for:
            options = self.resolve(self.layers, tell=False)
        else:
            options = draft(
                self.layers,
                class_host=self.class_host,
                headless=False,
                rng=self._rng,
                find=self._scans.scan_for_start,
            ).options
        self.form_defaults = arguments.prefill(parsed, self._in_force(self.layers), options)
        if not (self.headless and self.is_library):
            for user_class in self.classes:  # the page shows it; other classes keep their own
                user_class.host = options.host
        return options

    # -- of a run

    def started_with(self, user_count: int, spawn_rate: float) -> None:
        """Add what a program calls ``runner.start()`` with."""
        calls = {
            "num_users": SettingText(str(user_count), "runner.start()"),
            "spawn_rate": SettingText(f"{spawn_rate:g}", "runner.start()"),
        }
        layers = [layer for layer in self.layers.layers if layer.place != "runner.start()"]
        started = Layer("runner.start()", calls)
        self.layers = replace(self.layers, layers=(started, *layers))

    def with_form(self, posted: Mapping[str, Any]) -> Layers:
        """The settings with those of the start form above them."""
        return self.layers.with_form(posted, self.form_defaults)

    def check_form(self, posted: Mapping[str, str], *, picks_classes: bool) -> None:
        """Raise KioskLocustError for a start form that a run cannot start from."""
        options = self.resolve(self.with_form(posted), tell=False)
        # Which classes were picked, Locust knows only once it has started.
        check_host(options, [] if picks_classes else self.first_requests(options))

    def resolve(self, layers: Layers, *, tell: bool) -> Options:
        """The options of a run; with ``tell``, files that are left out or doubtful are logged.

        Raises OptionsError and LedgerError.
        """
        resolved = resolve(
            self._in_force(layers),
            class_host=self.class_host,
            headless=self.headless,
            rng=self._rng,
            planned=self.resumption.planned if self.resumption else None,
            find=self._scans.take_stored if tell else self._scans.scan_for_start,
        )
        if tell:
            tell_skipped(resolved.skipped)
            tell_doubts(resolved.doubts)
            self.tally = Tally(
                len(resolved.options.transfers.inputs),
                reasons(resolved.skipped),
                reasons(resolved.doubts),
            )
            for notice in resolved.notices:
                logger.warning("%s", notice)
        if self.resumption:
            return self.resumption.options(resolved, layers, self.class_host)
        options = resolved.options
        if (
            options.run_name
            and (ledger := file_names.ledger_of(options, options.run_name)).exists()
        ):
            source = resolved.sources.get("run_name", "--run-name")
            raise OptionsError(
                [Mistake(source, options.run_name, f"{ledger} is there already; choose another")]
            )
        return options

    def first_requests(self, options: Options) -> list[JobRequest]:
        """What each user class would submit first, for the check before the start."""
        is_resumed = self.resumption is not None
        return first_requests(self.classes, self._environment, options, is_resumed=is_resumed)

    def forget_resumption(self) -> None:
        """The next run is a new one."""
        self.layers = resume.for_new_runs(self.layers, self.resumption)
        self.resumption = None

    def _in_force(self, layers: Layers) -> Layers:
        """What was given, above the ledger's settings where a run is to be resumed."""
        return self.resumption.under(layers) if self.resumption else layers
