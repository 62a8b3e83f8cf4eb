"""The Locust user that a locustfile uses as it is or subclasses to send other jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import ClassVar, Protocol
from weakref import WeakKeyDictionary

import gevent
from locust import User, constant, task
from locust.env import Environment

from kiosk_locust.options import Options
from kiosk_locust.record import JobRequest, Ticket


class Work(Protocol):
    """A run that is on, or a worker's share of one, as users see it."""

    @property
    def options(self) -> Options:
        """The run's."""

    def work(self, user_class: str, request_for: Callable[[Ticket], JobRequest]) -> None:
        """See one ticket's job through, from its due time to its end."""


#: What there is to do in each of Locust's environments; the plugin sets it.
RUNS: WeakKeyDictionary[Environment, Work] = WeakKeyDictionary()

#: How often users look for the run, while there is none.
UNTIL_THEN_S = 0.1


def request_from(options: Options, file: str) -> JobRequest:
    """What the settings say is to be submitted for ``file``."""
    return JobRequest(
        job_type=options.job_type,
        image_name=file,
        uploaded_name=f"{options.upload_prefix}/{file}" if options.upload_prefix else file,
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
    ``request``. Classes share the run's tickets, by their Locust weights on average::

        class Mesmer(KioskUser):
            weight = 3
            overrides = {"job_type": "mesmer", "channels": "0,1,"}
    """

    abstract = True
    wait_time = constant(0)
    overrides: ClassVar[dict[str, str]] = {}

    def request(self, ticket: Ticket, default: JobRequest) -> JobRequest:  # noqa: ARG002
        """What to submit for ``ticket``, made from what the settings say (``default``).

        Asked once for each ticket and class, and once before the run, for a ticket 0, to check
        the job type.
        """
        return replace(default, **self.overrides)

    @task
    def next_job(self) -> None:
        """One ticket's job, from its due time to its end."""
        run = RUNS.get(self.environment)
        if run is None:  # a worker that joins in mid-run may get its users before its plugin
            gevent.sleep(UNTIL_THEN_S)
            return
        run.work(type(self).__name__, lambda ticket: self.request_for(ticket, run.options))

    def request_for(self, ticket: Ticket, options: Options) -> JobRequest:
        """What ``request`` says; raises TypeError if that is no JobRequest, and what it raises."""
        request: object = self.request(ticket, request_from(options, ticket.file))
        if not isinstance(request, JobRequest):
            raise TypeError(f"it must return a JobRequest, not {request!r}")
        for name, value in asdict(request).items():
            if not isinstance(value, str):  # the frontend drops a numeric 0
                raise TypeError(f"JobRequest.{name} must be a string, not {value!r}")
        return request
