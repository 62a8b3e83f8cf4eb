"""Before the first job: where the Kiosk really lives, and whether it can run this plan."""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

from kiosk_locust.client.answers import fault
from kiosk_locust.client.exchange import Exchange
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.client.retry import Backoff
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import Clock, SystemClock
from kiosk_locust.errors import (
    BadAnswer,
    Busy,
    KioskError,
    NoAnswer,
    PreflightError,
    Redirected,
    Refused,
    ServerFault,
    Unreachable,
)
from kiosk_locust.formatting import quoting, units
from kiosk_locust.formatting.excerpt import excerpt
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import JobRequest

logger = logging.getLogger(__name__)

PROBE = "/api/health-check"
PATIENCE_S = 5.0
ASK_S = 4.0  # of somebody who waits at a form
NAMES_SHOWN = 20
POOL_SHARE = 0.8  # busier than this on average, a pool makes many requests wait

#: Nothing of the run was sent yet, so that its own settings are no cure.
_BEFORE_THE_START = {
    429: "; this run has sent no job yet: see who else does, and the limit of what stands before"
    " the Kiosk (ingress)",
    503: "; look at the frontend's pods (kubectl get pods), and at what stands before them"
    " (ingress)",
}

T = TypeVar("T")


def find_base_url(
    host: str,
    *,
    request_timeout_s: float = 30.0,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    patience_s: float = PATIENCE_S,
    ca_file: str | None = None,
) -> str:
    """Ask ``host`` once and return the base URL that every request shall use.

    Follows one redirect to https on the same host, as an ingress answers to http. Any other
    redirect is followed by nobody and sent nothing. Faults that may pass are tried again for
    ``patience_s``. Raises PreflightError, with what to do.
    """
    clock = clock or SystemClock()
    rng = rng or random.Random()

    def ask(url: str) -> tuple[str, Exchange]:
        transport = Transport(
            url, pool_size=1, request_timeout_s=request_timeout_s, clock=clock, ca_file=ca_file
        )
        try:
            exchange = _patiently(partial(_probe, transport), clock, rng, patience_s)
        except KioskError as error:
            raise _preflight_error(error) from error
        finally:
            transport.close()
        return transport.base_url, exchange

    base_url, exchange = ask(host)
    if not 300 <= exchange.status < 400:
        return base_url
    secure_url = _https_base(base_url, exchange)
    moved_url, exchange = ask(secure_url)
    if 300 <= exchange.status < 400:
        onward = quoting.quoted(exchange.headers.get("location", ""))
        raise PreflightError(
            f"{base_url} redirects to {moved_url}, and that redirects to {onward!r}: set API_HOST"
            " to the address that answers by itself"
        )
    logger.info("%s redirects to %s, which is used from here on", base_url, moved_url)
    return moved_url


def check_kiosk(
    kiosk: Kiosk,
    job_type: str,
    model_name: str = "",
    model_version: str = "",
    *,
    rng: random.Random | None = None,
    patience_s: float = PATIENCE_S,
) -> list[str]:
    """Ask the Kiosk whether it is there and can run such jobs; return warnings.

    An empty ``model_name`` leaves the choice to the job type, so nothing is asked about it.
    Raises PreflightError where the jobs would fail, with what to do.
    """
    clock = kiosk.transport.clock
    rng = rng or random.Random()
    try:
        _patiently(kiosk.health, clock, rng, patience_s)
        known = _patiently(kiosk.job_types, clock, rng, patience_s)
    except KioskError as error:
        raise _preflight_error(error) from error
    if job_type not in known:
        raise PreflightError(
            f"JOB_TYPE {job_type!r}: the Kiosk at {kiosk.transport.base_url} does not know it;"
            f" it knows {_listed(known)}"
        )
    return _check_model(kiosk, model_name, model_version) if model_name else []


def check_host(options: Options, requests: Iterable[JobRequest]) -> list[str]:
    """Ask the Kiosk of ``options`` whether it is there and can run ``requests``; return warnings.

    For somebody who waits at a form: it takes a few seconds at most. Nothing is asked where no
    host is set. Raises PreflightError.
    """
    if options.host is None:
        return []
    limit_s = min(ASK_S, options.request_timeout_s)
    base_url = find_base_url(options.host, request_timeout_s=limit_s, patience_s=ASK_S / 2)
    transport = Transport(base_url, pool_size=1, request_timeout_s=limit_s, clock=SystemClock())
    try:
        return [
            warning
            for job_type, model, version in sorted(
                {(r.job_type, r.model_name, r.model_version) for r in requests}
            )
            for warning in check_kiosk(
                Kiosk(transport), job_type, model, version, patience_s=ASK_S / 2
            )
        ]
    finally:
        transport.close()


def pool_warning(options: Options, read_s: float) -> str:
    """What to say of a pool that is too small for the polls to come; empty if it is not.

    By Little's law, so many sockets are busy on average: jobs in flight, each polled once an
    interval, times the seconds that a request takes (``read_s``, of one that was measured).
    """
    jobs = min(options.users, options.count) if options.count else options.users
    busy = jobs / options.update_interval_s * read_s
    if busy <= POOL_SHARE * options.pool_size:
        return ""
    return (
        f"with {jobs:,} jobs in flight, polled every {options.update_interval_s:g} s, requests of"
        f" {read_s * 1000:.3g} ms keep about {busy:.0f} sockets busy, and"
        f" CONCURRENT_REQUESTS_PER_HOST is {options.pool_size}: polls will wait and see the"
        " end of jobs late; raise it, or UPDATE_INTERVAL"
    )


def _check_model(kiosk: Kiosk, name: str, version: str) -> list[str]:
    """Look for a model among those that the Kiosk lists, if it lists any."""
    try:
        models = kiosk.models()
    except KioskError as error:
        return [f"MODEL {name!r} could not be checked, the run goes on: {error}"]
    if not models:
        return []  # the frontend does not know them
    where = f"the Kiosk at {kiosk.transport.base_url}"
    if name not in models:
        raise PreflightError(f"MODEL {name!r}: {where} has no such model; it has {_listed(models)}")
    versions = models[name]
    if version and not versions:
        return [
            f"MODEL {name + ':' + version!r}: {where} has the model, and lists no versions of it,"
            " so the version could not be checked (its frontend lists them where its MODEL_PREFIX"
            " ends with a slash); the run goes on"
        ]
    if version and version not in versions:
        raise PreflightError(
            f"MODEL {name + ':' + version!r}: {where} has no such version of it; it has"
            f" {_listed(versions)}"
        )
    return []


def _patiently(ask: Callable[[], T], clock: Clock, rng: random.Random, patience_s: float) -> T:
    """Ask again after faults that may pass, as those of an ingress do, for a few seconds."""
    backoff = Backoff(rng, cap_s=2.0)
    until = clock.now() + patience_s
    while True:
        try:
            return ask()
        except (Unreachable, NoAnswer, Busy, ServerFault) as error:
            delay_s = backoff.delay(error)
            if clock.now() + delay_s >= until:
                raise
            clock.sleep(delay_s)


def _probe(transport: Transport) -> Exchange:
    """Probe; what may pass is raised, so that it is tried again."""
    exchange = transport.request("GET", PROBE)
    if exchange.status == 429 or exchange.status >= 500:
        raise fault(exchange, f"GET {transport.base_url}{PROBE}")
    return exchange


def _https_base(base_url: str, exchange: Exchange) -> str:
    """The base URL that a redirect of the probe means, if it is one that may be followed."""
    location = exchange.headers.get("location", "")
    shown = f"{base_url} redirects to {quoting.quoted(location)!r}"
    asked = urlsplit(base_url + PROBE)
    try:
        target = urlsplit(urljoin(base_url + PROBE, location))
        port = target.port
    except ValueError:
        raise PreflightError(f"{shown}, which is no address: is API_HOST right?") from None
    if target.hostname != asked.hostname:
        raise PreflightError(
            f"{shown}, another host ({quoting.quoted(target.hostname or '')}): it was sent nothing;"
            " if it is the Kiosk, set API_HOST to it"
        )
    if target.scheme != "https" or asked.scheme == "https":
        raise PreflightError(
            f"{shown}: only a redirect from http to https is followed; if that is where the"
            " Kiosk's API lives, set API_HOST to it"
        )
    prefix = _prefix(target, asked)
    if prefix is None:
        raise PreflightError(
            f"{shown}, which is not the Kiosk's API but, perhaps, a page for a login: is"
            " API_HOST right, and may this machine use it?"
        )
    host = f"[{target.hostname}]" if ":" in (target.hostname or "") else target.hostname
    return f"https://{host}{f':{port}' if port else ''}{prefix}"


def _prefix(target: SplitResult, asked: SplitResult) -> str | None:
    """The path of the API under ``target``; None where the redirect leaves the API."""
    if target.path.rstrip("/").endswith(PROBE):
        return target.path.rstrip("/").removesuffix(PROBE)
    if target.path in ("", "/"):  # an ingress that forgets the path
        return asked.path.removesuffix(PROBE)
    return None


def _preflight_error(error: KioskError) -> PreflightError:
    """The same, for somebody who has just started a run."""
    what = "the Kiosk cannot be used"
    if isinstance(error, Unreachable):
        what = "the Kiosk cannot be reached"
    elif isinstance(error, NoAnswer):
        what = "the Kiosk does not answer"
    elif isinstance(error, BadAnswer):
        what = "API_HOST does not seem to be a Kiosk (a login page or an ingress answers so)"
    elif isinstance(error, Busy):
        what = "the Kiosk, or what stands before it, is too busy to start a run"
        if error.status == 503:
            what = "nothing runs behind the Kiosk's ingress, or it is too busy to start a run"
    elif isinstance(error, ServerFault):
        what = "the Kiosk has a fault"
    elif isinstance(error, Redirected):
        what = "the Kiosk lives elsewhere"
    elif isinstance(error, Refused):
        what = "API_HOST does not serve the Kiosk's API there"
    cure = _BEFORE_THE_START.get(error.status, "") if isinstance(error, Busy) else ""
    return PreflightError(f"{what}: {error}{cure}")


def _listed(names: Iterable[str]) -> str:
    """Names for a message: the first of them, quoted."""
    if not quoting.is_on():
        return f"{units.count(len(list(names)), 'name')}, not shown here, and not that one"
    quoted = [repr(excerpt(name)) for name in names]
    if not quoted:
        return "none"
    more = len(quoted) - NAMES_SHOWN
    return ", ".join(quoted[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def warn_of_pool(kiosk: Kiosk, options: Options, clock: Clock) -> None:
    """Warn of a pool too small, by one request's time; one that fails tells nothing."""
    begun = clock.now()
    with contextlib.suppress(KioskError):
        kiosk.job_types()
        if warning := pool_warning(options, clock.now() - begun):
            logger.warning("%s", warning)
