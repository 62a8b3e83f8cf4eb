"""Asks each service that a run would use whether it can: Kiosk, bucket, Grafana or Prometheus."""

from __future__ import annotations

import os
from collections.abc import Callable

import gevent

from kiosk_locust.assembly.bucket_preflight import open_for
from kiosk_locust.assembly.form_check import form_troubles
from kiosk_locust.assembly.preflight import check_host
from kiosk_locust.clock import SystemClock
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.endpoints import Asked, Source, default_source
from kiosk_locust.cost.query import FIRST_ANSWER_S, unanswered
from kiosk_locust.cost.queue_depth import Looker
from kiosk_locust.errors import CostError, KioskLocustError, PreflightError
from kiosk_locust.formatting.wait_messages import reminding
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Ticket
from kiosk_locust.plugin.user import request_from

#: What somebody says when asked; empty where there is nobody to ask.
Answer = str


def ask_all(options: Options, secrets: Secrets, tell: Callable[[str], None]) -> bool:
    """Ask each, and ``tell`` what it said; False where one is in trouble."""
    questions: dict[str, Callable[[], Answer]] = {
        "the jobs' form": lambda: _form(options),
        "the Kiosk": lambda: _kiosk(options),
        "the Kiosk's queues": lambda: _queues(options, secrets),
        "the bucket": lambda: _bucket(options),
        "the cost": lambda: _cost(options, secrets),
    }
    is_well = True
    for who, ask in questions.items():
        try:
            tell(f"{who}: {ask()}")
        except KioskLocustError as error:
            is_well = False
            tell(f"{who}: {error}")
    return is_well


def _kiosk(options: Options) -> Answer:
    if options.host is None:
        return "no host is set, so a simulated one will be started"
    warnings = check_host(options, [request_from(options, Ticket(0, 1, 0, None, options.file))])
    answer = f"{options.host} answers, and takes {options.job_type} jobs"
    return "; ".join((answer, *warnings))


def _form(options: Options) -> Answer:
    request = request_from(options, Ticket(0, 1, 0, None, options.file))
    if troubles := form_troubles(request, options, "the settings"):
        raise PreflightError("\n".join(troubles))
    return f"nothing in it that {options.job_type} jobs cannot use"


def _queues(options: Options, secrets: Secrets) -> Answer:
    if options.host is None:
        return "a simulated Kiosk is idle at its start"
    depth = Looker(options, secrets, SystemClock(), os.environ).queues()
    if options.require_idle == "refuse" and (depth.unknown or depth.jobs):
        raise PreflightError(f"{depth}, and REQUIRE_IDLE is refuse: a run would not start")
    return str(depth)


def _bucket(options: Options) -> Answer:
    bucket = open_for(options, [request_from(options, Ticket(0, 1, 0, None, options.file))])
    if bucket is None:
        return "nothing is asked of one (STORAGE_BUCKET is not set, or nothing goes there)"
    bucket.close()
    return f"{bucket.url} can be used"


def _cost(options: Options, secrets: Secrets) -> Answer:
    source = Source(options.grafana.host, options.grafana.prometheus_url)
    source = source or default_source(os.environ)
    if options.host is None or not source:
        return "nobody is asked for it (GRAFANA_HOST and PROMETHEUS_URL are not set)"
    servers = Asked(source, secrets, SystemClock())
    asking = gevent.spawn(_trouble_of, servers)
    try:
        with reminding(f"asking {servers}, for {FIRST_ANSWER_S:g} s at most"):
            asking.join(FIRST_ANSWER_S)
        if not asking.dead:
            raise PreflightError(unanswered(servers, FIRST_ANSWER_S))
        if error := asking.value:
            raise error
        return f"{servers} answers"
    finally:
        asking.kill(block=False)
        servers.close()


def _trouble_of(servers: Asked) -> CostError | None:
    try:
        servers.prometheus()
    except CostError as error:
        return error
    return None
