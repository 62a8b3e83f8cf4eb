"""Locust's ``request`` event, fired for each request to the Kiosk as HttpUser fires it.

Listeners get ``response`` (a ``requests.Response``; its status is 0 where no answer came), ``url``,
``start_time``, and as ``context`` what the user's ``context()`` returns. Each listener is called,
whatever another one raises. StopUser ends the one user whose job it is, after that job; what else
is raised is logged and rate-limited; SystemExit and StopTest end the run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from http.client import responses
from typing import Any

import gevent
from locust import User
from locust.env import Environment
from locust.event import EventHook
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopUser,
)
from requests import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from kiosk_locust.callbacks import RAISED, CallingOut, ends_run
from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.plugin.stat_batches import Tallies

logger = logging.getLogger(__name__)

#: Set on a user that a listener wants to stop; it stops once its job is over.
STOPS = "_stops_after_this_job"
#: What a task raises to be left before its end; a job is seen through.
_LEAVES = (RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet)


def tell_of_request(environment: Environment, sample: RequestSample, tallies: Tallies) -> None:
    """Have a request appear in Locust's statistics, and reach its users' listeners.

    Where nobody listens but Locust, one that went well is counted as Locust would, in a group.
    """
    hook = environment.events.request
    if sample.error is None and _is_locusts_alone(hook):
        tallies.add(
            sample.name,
            sample.method,
            sample.response_time_s * 1000,
            sample.response_length,
            is_request=True,
        )
        return
    tallies.fold()
    user = user_of_job()
    payload = {
        "request_type": sample.method,
        "name": sample.name,
        "response_time": sample.response_time_s * 1000,
        "response_length": sample.response_length,
        "exception": sample.error,
        "start_time": sample.started_at,
        "url": sample.url,
        "response": response_of(sample),
    }
    with CallingOut():
        payload["context"] = _context(user)
        for listener in tuple(hook._handlers):  # its `fire` leaves out the rest for a StopUser
            _call(listener, payload, user)


def user_of_job() -> User | None:
    """The user that began the job of the current greenlet; None for a job that was adopted.

    A job's greenlet has what was leased as its argument, and a user's has its user.
    """
    leased = next(iter(getattr(gevent.getcurrent(), "args", ())), None)
    taken_by = getattr(leased, "taken_by", None)
    user = next(iter(getattr(taken_by, "args", ())), None)
    return user if isinstance(user, User) else None


def response_of(sample: RequestSample) -> Response:
    """The answer as ``requests`` has it; without one, the status is 0 and there is no text."""
    response, exchange = Response(), sample.exchange
    response.url = sample.url
    response.request = PreparedRequest()
    response.request.method, response.request.url = sample.method, sample.url
    response.request.headers = CaseInsensitiveDict()
    response.elapsed = timedelta(seconds=sample.response_time_s)
    response.encoding = "utf-8"
    if exchange is None:
        response.status_code = getattr(sample.error, "status", None) or 0
        response._content = b""
        response.error = sample.error  # type: ignore[attr-defined]  # as LocustResponse has it
    else:
        response.status_code = exchange.status
        response.reason = responses.get(exchange.status, "")
        response.headers = CaseInsensitiveDict(exchange.headers)
        response._content = exchange.body
    return response


def _context(user: User | None) -> dict[str, Any]:
    if user is None:
        return {}
    try:
        return dict(user.context())
    except RAISED as error:
        place = f"{type(user).__name__}.context"
        if not ends_run(place, error):
            logger.exception("%s raised", place)
        return {}


def _call(listener: Callable[..., None], payload: dict[str, Any], user: User | None) -> None:
    """Call one listener; what it raises concerns ``user`` alone."""
    try:
        listener(**payload)
    except StopUser:
        if user is not None:
            setattr(user, STOPS, True)
    except _LEAVES as error:
        logger.error(  # noqa: TRY400  it was raised on purpose, its traceback tells nothing
            "%s, a listener of request, raised %s: it has no effect, jobs are seen through",
            _name(listener),
            type(error).__name__,
        )
    except (*RAISED, gevent.GreenletExit) as error:
        if not ends_run(f"{_name(listener)}, a listener of request", error):
            logger.exception("a listener of request raised: %s", _name(listener))


def _is_locusts_alone(hook: EventHook) -> bool:
    """Whether the only listener is that of Locust's runner, which does no more than count."""
    listeners = hook._handlers  # there is no other way to ask
    return len(listeners) == 1 and listeners[0].__module__ == "locust.runners"


def _name(listener: Callable[..., None]) -> str:
    return getattr(listener, "__qualname__", repr(listener))
