"""``python -m kiosk_locust check``: queries every server of a run, and submits nothing."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import locust
from locust.argument_parser import LocustArgumentParser
from rich.console import Console

from kiosk_locust.assembly import security_warnings
from kiosk_locust.assembly.bucket_preflight import open_for
from kiosk_locust.assembly.form_check import form_troubles
from kiosk_locust.assembly.preflight import check_host
from kiosk_locust.clock import SystemClock
from kiosk_locust.config import credential_hosts
from kiosk_locust.config.env_file import DOTENV, misspelt_names, parse_dotenv
from kiosk_locust.config.resolve import resolve
from kiosk_locust.config.secret_files import read_secrets
from kiosk_locust.config.sources import locusts_own
from kiosk_locust.cost.credentials import Secrets, secrets
from kiosk_locust.cost.endpoints import CostServers, Source, default_source
from kiosk_locust.cost.query import FIRST_ANSWER_S, unanswered
from kiosk_locust.cost.queue_depth import IdleCheck
from kiosk_locust.errors import CostError, KioskLocustError, OptionsError, PreflightError
from kiosk_locust.formatting.console import plain_console, say
from kiosk_locust.formatting.wait_messages import reminding
from kiosk_locust.model.file_remarks import Remark, in_words, reasons
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Ticket
from kiosk_locust.plugin import arguments as commandline
from kiosk_locust.plugin.user import request_from
from kiosk_locust.storage.inputs.scanning import scan

USAGE = "usage: python -m kiosk_locust check [SETTINGS, as locust takes them]\n"

#: Result of one check, as shown.
Answer = str


def main(arguments: list[str]) -> int:
    """Check the settings, then the Kiosk, the bucket and Grafana; returns exit code 0 or 2.

    All failures are reported, not the first alone. Changes to settings by a locustfile's user
    classes are not covered.
    """
    if {"-h", "--help"} & set(arguments):
        sys.stderr.write(USAGE)
        return 0
    tell = partial(_print_lines, plain_console(stderr=True))
    locust.events.init_command_line_parser.add_listener(_on_parser)
    try:
        dotenv, mistakes = parse_dotenv()
        os.environ.update(locusts_own(dotenv, os.environ))
        sources = read_secrets(os.environ, dotenv)
        mistakes += sources.mistakes
        layers = commandline.read(arguments, os.environ, dotenv, mistakes)
        find = partial(scan, say=tell)
        resolved = resolve(layers, headless=True, rng=random.Random(), find=find)
        bound = credential_hosts.bind_logins(
            secrets(sources.environment, sources.dotenv), layers, os.environ
        )
    except OptionsError as error:
        tell(f"settings: {error}")
        return 2
    for notice in resolved.notices:
        tell(f"settings: {notice}")
    warnings = security_warnings.warnings(os.environ, dotenv, Path(DOTENV), bound, sources.files)
    for line in (*misspelt_names(dotenv, os.environ), *warnings):
        tell(f"settings: {line}")
    remarks: dict[str, tuple[Remark, ...]] = {
        "skipped": resolved.skipped, "taken in doubt": resolved.doubts
    }  # fmt: skip
    for remark_kind, files in remarks.items():
        if files:
            tell(f"files: {len(files):,} {remark_kind} ({in_words(reasons(files))})")
    tell("settings: no mistakes")
    return 0 if _run_checks(resolved.options, bound, tell) else 2


def _print_lines(console: Console, text: str) -> None:
    for line in text.splitlines():
        say(console, line)


def _on_parser(parser: LocustArgumentParser, **_: Any) -> None:
    commandline.add_options(parser)


def _run_checks(options: Options, logins: Secrets, tell: Callable[[str], None]) -> bool:
    """Run each check and print its result; True if all succeeded."""
    checks: dict[str, Callable[[], Answer]] = {
        "the jobs' form": lambda: _form(options),
        "the Kiosk": lambda: _kiosk(options),
        "the Kiosk's queues": lambda: _queues(options, logins),
        "the bucket": lambda: _bucket(options),
        "the cost": lambda: _cost(options, logins),
    }
    succeeded = True
    for subject, check in checks.items():
        try:
            tell(f"{subject}: {check()}")
        except KioskLocustError as error:
            succeeded = False
            tell(f"{subject}: {error}")
    return succeeded


def _kiosk(options: Options) -> Answer:
    if options.host is None:
        return "no host is set, so a simulated one will be started"
    warnings = check_host(options, [request_from(options, Ticket(0, 1, 0, None, options.file))])
    answer = f"{options.host} answers, and takes {options.job_type} jobs"
    return "; ".join((answer, *warnings))


def _form(options: Options) -> Answer:
    job_request = request_from(options, Ticket(0, 1, 0, None, options.file))
    if troubles := form_troubles(job_request, options, "the settings"):
        raise PreflightError("\n".join(troubles))
    return f"nothing in it that {options.job_type} jobs cannot use"


def _queues(options: Options, logins: Secrets) -> Answer:
    if options.host is None:
        return "a simulated Kiosk is idle at its start"
    queues = IdleCheck(options, logins, SystemClock(), os.environ).queues()
    if options.require_idle == "refuse" and (queues.unknown or queues.jobs):
        raise PreflightError(f"{queues}, and REQUIRE_IDLE is refuse: a run would not start")
    return str(queues)


def _bucket(options: Options) -> Answer:
    bucket = open_for(options, [request_from(options, Ticket(0, 1, 0, None, options.file))])
    if bucket is None:
        return "nothing is asked of one (STORAGE_BUCKET is not set, or nothing goes there)"
    bucket.close()
    return f"{bucket.url} can be used"


def _cost(options: Options, logins: Secrets) -> Answer:
    source = Source(options.grafana.host, options.grafana.prometheus_url)
    source = source or default_source(os.environ)
    if options.host is None or not source:
        return "nobody is asked for it (GRAFANA_HOST and PROMETHEUS_URL are not set)"
    servers = CostServers(source, logins, SystemClock())
    greenlet = gevent.spawn(_connection_error, servers)
    try:
        with reminding(f"asking {servers}, for {FIRST_ANSWER_S:g} s at most"):
            greenlet.join(FIRST_ANSWER_S)
        if not greenlet.dead:
            raise PreflightError(unanswered(servers, FIRST_ANSWER_S))
        if error := greenlet.value:
            raise error
        return f"{servers} answers"
    finally:
        greenlet.kill(block=False)
        servers.close()


def _connection_error(servers: CostServers) -> CostError | None:
    try:
        servers.prometheus()
    except CostError as error:
        return error
    return None
