"""``python -m kiosk_locust view PATH``: the page of a ledger or results file, in a browser."""

from __future__ import annotations

import _thread
import argparse
import logging
import signal
import sys
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from flask import Flask, redirect
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Response

from kiosk_locust.errors import KioskLocustError
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.reporting.web import imported
from kiosk_locust.reporting.web.pages import CurrentRun, Pages
from kiosk_locust.reporting.web.site_guard import OwnHosts, SiteGuard

USAGE = "usage: python -m kiosk_locust view LEDGER_OR_RESULTS [--port PORT] [--no-browser]\n"
HOST = "127.0.0.1"


class _OneLedger:
    """Page source with a folder of past runs and no present run."""

    refusal = ""

    def __init__(self, output_dir: Path) -> None:
        self.output_dir = output_dir

    @property
    def current(self) -> CurrentRun | None:
        """None: no run in this process."""
        return None


def make(ledger: Path, port: int) -> tuple[BaseWSGIServer, str]:
    """Loopback server, and the address of the ledger's page.

    Raises:
        OSError: The port cannot be used.

    """
    app = Flask("kiosk_locust.reporting.web")
    app.wsgi_app = SiteGuard(  # type: ignore[method-assign]  # Flask's own way
        app.wsgi_app, OwnHosts()
    )
    first = f"/kiosk/runs/{quote(ledger.stem, safe='')}"
    pages = Pages(_OneLedger(ledger.parent), lambda view: view, in_locust=False)
    app.register_blueprint(pages.blueprint(""))

    def home() -> Response:
        return redirect(first)

    app.add_url_rule("/", "home", home)
    server = make_server(HOST, port, app, threaded=True)
    return server, f"http://{HOST}:{server.port}{first}"


def _announce(options: argparse.Namespace, url: str) -> None:
    sys.stdout.write(f"{options.path} is shown at {url} (Ctrl-C ends it)\n")
    sys.stdout.flush()
    if not options.no_browser:
        webbrowser.open(url)


def _serve(server: BaseWSGIServer, ready: Callable[[], None]) -> None:
    """Serve until SIGINT, which by default would interrupt a response that is being sent."""

    def end(_number: int, _frame: object) -> None:
        _thread.start_new_thread(server.shutdown, ())  # blocks until the loop ends

    previous_handler = signal.signal(signal.SIGINT, end)
    try:
        ready()
        server.serve_forever()
    finally:
        signal.signal(signal.SIGINT, previous_handler)
        server.server_close()


def _port(text: str) -> int:
    if not 0 <= int(text) < 1 << 16:
        raise argparse.ArgumentTypeError("must be a TCP port from 0 to 65535")
    return int(text)


def main(arguments: list[str]) -> int:
    """Serve until Ctrl-C; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m kiosk_locust view",
        description="Show the page of a run in a browser, from its ledger or its results file.",
    )
    parser.add_argument("path", type=Path, help="<run>.db, or a results file (.json)")
    parser.add_argument("--port", type=_port, default=0, help="0, the default: a free one")
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    options = parser.parse_args(arguments)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line per request
    try:
        with imported.as_ledger(options.path) as ledger:
            with opened(ledger) as db:
                facts(db)  # raises if it is no ledger
            server, url = make(ledger, options.port)
            _serve(server, partial(_announce, options, url))
    except (KioskLocustError, OSError) as error:
        sys.stderr.write(f"{options.path} cannot be shown: {error}\n")
        return 2
    return 0
