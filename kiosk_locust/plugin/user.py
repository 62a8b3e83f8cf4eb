"""The Locust user that a locustfile uses as it is or subclasses to send other jobs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from fractions import Fraction
from typing import ClassVar, Protocol
from weakref import WeakKeyDictionary

import gevent
from gevent.event import Event
from locust import User, constant, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import LocalRunner

from kiosk_locust.assembly.form_check import form_of, form_troubles
from kiosk_locust.callbacks import CallingOut
from kiosk_locust.consumer.arrays import Array
from kiosk_locust.consumer.forms import filled
from kiosk_locust.errors import PreflightError
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import JobRequest, Ticket
from kiosk_locust.model.user_mix import Mix
from kiosk_locust.plugin.request_event import STOPS
from kiosk_locust.plugin.user_registry import Crew

logger = logging.getLogger(__name__)


class OngoingRun(Protocol):
    """A run that is on, or a worker's part of one, as users see it."""

    @property
    def options(self) -> Options:
        """The run's."""

    def work(self, request_for: Callable[[str, Ticket], JobRequest]) -> None:
        """See one ticket's job through, from its due time to its end.

        ``request_for`` is called with the name of the ticket's user class, and the ticket.
        """


#: What there is to do in each of Locust's environments; the plugin sets it.
RUNS: WeakKeyDictionary[Environment, OngoingRun] = WeakKeyDictionary()

#: Who is asked what to submit, in each of Locust's environments, while one run is on.
CREWS: WeakKeyDictionary[Environment, tuple[OngoingRun, Crew[KioskUser]]] = WeakKeyDictionary()
#: Where one user runs without a runner (``run_single_user``): set once its run is over.
OVER: WeakKeyDictionary[Environment, Event] = WeakKeyDictionary()

#: How often users look for the run, while there is none.
UNTIL_THEN_S = 0.1
#: No worker waits longer for its plugin; whoever does has none.
NO_PLUGIN_S = 15.0
NO_PLUGIN = "no job can be run: kiosk_locust.attach() must be called before the runner starts"


NOBODY = "no user class is a KioskUser, so that nobody would submit a job"


def request_from(options: Options, ticket: Ticket) -> JobRequest:
    """What the settings say is to be submitted for ``ticket``.

    Where its file is yet to be uploaded, ``uploaded_name`` is empty: the upload sets it.
    """
    image_name = ticket.file
    uploaded_name = f"{options.upload_prefix}/{image_name}".removeprefix("/")
    if options.transfers.upload:
        image_name, uploaded_name = options.transfers.input_of(ticket.number).image_name, ""
    return JobRequest(
        job_type=options.job_type,
        image_name=image_name,
        uploaded_name=uploaded_name,
        model_name=options.model_name,
        model_version=options.model_version,
        preprocess=options.preprocess,
        postprocess=options.postprocess,
        scale=options.scale,
        label=options.label,
        dimension_order=options.dimension_order,
        channels=options.channels,
        segmentation_type=options.segmentation_type,
    )


class KioskUser(User):
    """Takes tickets and sees their jobs through: submit, poll, complete; over and over.

    A subclass may send other jobs: set ``overrides`` to fields of JobRequest, or override
    ``request``. Classes share the run's tickets by their Locust weights: each ticket has its
    class, whatever user takes it (`kiosk_locust.model.user_mix`)::

        class Mesmer(KioskUser):
            weight = 3
            overrides = {"job_type": "mesmer"}
    """

    abstract = True
    wait_time = constant(0)
    overrides: ClassVar[dict[str, str]] = {}
    _waited_s = 0.0  # for the plugin
    _made_of: tuple[Options, str] | None = None
    _made: JobRequest
    _checked: JobRequest | None = None
    _finished: JobRequest

    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:  # noqa: ARG002
        """What to submit for ``ticket``, made from what the settings say (``default``).

        Called once for each ticket of this class, and once before the run, for a ticket 0, to
        check the job type and the form. A user that takes a ticket of another class calls that
        class's: on a user of it that is alive in this process, else on one made for this alone,
        once its ``on_start`` has been called. Fields that are ``auto`` get what the job type and
        the file need, by `kiosk_locust.consumer.forms`, once this has returned.
        """
        return replace(default, **self.overrides) if self.overrides else default

    @task
    def next_job(self) -> None:
        """One ticket's job, from its due time to its end."""
        run = RUNS.get(self.environment)
        if run is None:  # a worker that joins in mid-run may get its users before its plugin
            self._await_plugin()
            return
        over = OVER.get(self.environment)
        if over is not None:
            self._work_alone(run, over)
        else:
            self._work(run)
        if hasattr(self, STOPS):  # a listener of Locust's events raised StopUser
            raise StopUser

    def _work(self, run: OngoingRun) -> None:
        crew = _crew(self.environment, run)
        crew.joined(self)

        def request_for(user_class: str, ticket: Ticket) -> JobRequest:
            asked = crew.one_of(user_class, self)
            try:
                return asked.request_for(ticket, run.options)
            except StopUser:
                if asked is self:  # this user ends, and its ticket is another's
                    raise gevent.GreenletExit from None
                raise RuntimeError(f"StopUser, for a ticket of {type(self).__name__}") from None

        run.work(request_for)

    def _work_alone(self, run: OngoingRun, over: Event) -> None:
        """As `_work`, for a user that no runner ends: it ends with the run."""
        work = gevent.spawn(KioskUser._work, self, run)  # as Locust's: its first argument is a user
        gevent.wait([work, over], count=1)
        if over.is_set():
            work.kill()
            if self.environment.process_exit_code:
                raise SystemExit(self.environment.process_exit_code)
            raise StopUser

    def _await_plugin(self) -> None:
        """Wait a moment for the plugin; where there is none, end Locust with a sentence."""
        runner = self.environment.runner
        self._waited_s += UNTIL_THEN_S
        waits_in_vain = isinstance(runner, LocalRunner) or self._waited_s > NO_PLUGIN_S
        if waits_in_vain and runner is not None and not hasattr(runner, "on_end_called"):
            self.environment.process_exit_code = 2
            logger.error(NO_PLUGIN)
            gevent.spawn(runner.quit)
            Event().wait()  # for ever: Locust ends its users
        gevent.sleep(UNTIL_THEN_S)

    def request_for(self, ticket: Ticket, options: Options) -> JobRequest:
        """What ``request`` says; raises TypeError if that is no JobRequest, and what it raises."""
        default = self._default(options, ticket)
        with CallingOut():
            request: object = self.request(ticket, default)
        is_known = request is self._checked and request is not None
        if is_known and not options.transfers.upload:
            return self._finished
        if not isinstance(request, JobRequest):
            raise TypeError(f"it must return a JobRequest, not {request!r}")
        for each in fields(request):
            value = getattr(request, each.name)
            if not isinstance(value, str):  # the frontend drops a numeric 0
                raise TypeError(f"JobRequest.{each.name} must be a string, not {value!r}")
        self._checked, self._finished = request, finished(request, options, ticket)
        return self._finished

    @property
    def as_asked(self) -> JobRequest | None:
        """What ``request`` returned last, with ``auto`` where it stood; None before."""
        return self._checked

    def _default(self, options: Options, ticket: Ticket) -> JobRequest:
        """What the settings say, made once for all jobs of one file."""
        made_of = self._made_of
        if (
            made_of is None
            or made_of[0] is not options
            or made_of[1] != ticket.file
            or options.transfers.upload
        ):
            self._made_of, self._made = (options, ticket.file), request_from(options, ticket)
        return self._made


def _crew(environment: Environment, run: OngoingRun) -> Crew[KioskUser]:
    """Who is asked what to submit in ``run``; nobody of an earlier run in this process."""
    of_run, crew = CREWS.get(environment, (None, None))
    if crew is None or of_run is not run:
        by_name = {c.__name__: c for c in environment.user_classes if issubclass(c, KioskUser)}
        crew = Crew(by_name, lambda user_class: user_class(environment))
        CREWS[environment] = run, crew
    return crew


def mix_of(classes: Iterable[type[User]], options: Options) -> Mix:
    """How the KioskUsers of ``classes`` share the tickets of a run: as Locust would share users.

    By weight; a ``fixed_count`` counts as so many of ``-u``. Raises PreflightError where a
    weight is no number, or none is above 0.
    """
    weights: dict[type[User], Fraction] = {}
    for user_class in classes:
        try:
            weight = user_class.fixed_count or user_class.weight
            weights[user_class] = Fraction(weight).limit_denominator(1_000_000)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise PreflightError(
                f"{user_class.__name__} has the weight {weight!r}: it must be a number above 0"
            ) from error
    fixed = sum(weight for user_class, weight in weights.items() if user_class.fixed_count)
    others = sum(weight for user_class, weight in weights.items() if not user_class.fixed_count)
    left = max(Fraction(0), options.users - fixed) if fixed else Fraction(1)
    shares = {
        user_class.__name__: weight if user_class.fixed_count else left * weight / others
        for user_class, weight in weights.items()
        if issubclass(user_class, KioskUser)
    }
    try:
        return Mix.of(shares, options.arrival_seed)
    except ValueError:
        raise PreflightError(NOBODY) from None


def finished(request: JobRequest, options: Options, ticket: Ticket) -> JobRequest:
    """The request with what its job type and its file need in place of ``auto``."""
    array, name = None, request.image_name
    if options.transfers.upload:
        file = options.transfers.input_of(ticket.number)
        array = file.array
        if name == file.image_name:
            name = file.image_name_for(request.job_type)
    elif name == options.file:
        array = Array.parse(options.file_array)
    form = filled(form_of(request), array, name)
    return replace(
        request,
        image_name=name,
        dimension_order=form.dimension_order,
        channels=form.channels,
        segmentation_type=form.segmentation_type,
    )


def first_requests(
    classes: Iterable[type[KioskUser]],
    environment: Environment,
    options: Options,
    *,
    is_resumed: bool = False,
) -> list[JobRequest]:
    """What each of ``classes`` would submit first, as far as it can say so.

    Raises PreflightError where nobody would submit anything, a class overrides what is none, or
    the consumers cannot use the forms; of a run that is resumed, whose settings cannot change
    any more, that is only logged.
    """
    found, ticket, name, troubles = [], Ticket(0, 1, 0, None, options.file), "", []
    for user_class in classes:
        name = user_class.__name__
        _check_overrides(user_class)
        try:
            user = user_class(environment)
            found.append(user.request_for(ticket, options))
        except Exception as error:  # noqa: BLE001  each of its tickets will say so again
            logger.warning("what %s submits could not be checked: %r", name, error)
        else:
            troubles += form_troubles(user.as_asked or found[-1], options, name)
    if not name:
        raise PreflightError(NOBODY)
    if troubles and not is_resumed:
        raise PreflightError("\n".join(troubles))
    for trouble in troubles:
        logger.warning("%s", trouble)
    return found


def _check_overrides(user_class: type[KioskUser]) -> None:
    """Raise PreflightError where a class overrides what no request has."""
    known = [field.name for field in fields(JobRequest)]
    if unknown := sorted(set(user_class.overrides) - set(known)):
        raise PreflightError(
            f"{user_class.__name__}.overrides has {', '.join(unknown)}, which no request has; it"
            f" has {', '.join(known)}"
        )
