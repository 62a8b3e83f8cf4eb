"""Stands in for locust-plugins, which Locust imports before the locustfile where it is there."""

import logging
from typing import Any

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment


def add_option(parser: LocustArgumentParser, **_: Any) -> None:
    parser.add_argument("--check-rps", type=float)


def check(environment: Environment, **_: Any) -> None:
    assert environment.parsed_options is not None
    limit, rate = environment.parsed_options.check_rps, environment.stats.total.total_rps
    if limit is not None and rate < limit:
        logging.info("CHECK FAILED: total rps was %.1f (threshold %.1f)", rate, limit)
        environment.process_exit_code = 3


events.init_command_line_parser.add_listener(add_option)
events.quitting.add_listener(check)
