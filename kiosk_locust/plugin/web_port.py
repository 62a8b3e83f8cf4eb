"""The address of Locust's web UI, looked at before the run: Locust only prints a traceback."""

from __future__ import annotations

import errno
import os
import socket

from gevent.pywsgi import WSGIServer
from locust.web import WebUI

from kiosk_locust.errors import Mistake, OptionsError

_CURES = {
    errno.EADDRINUSE: "another process listens there (another Locust, perhaps): end it, or choose"
    " another --web-port",
    errno.EACCES: "ports below 1024 are the system's: choose a --web-port from 1024 on",
    errno.EADDRNOTAVAIL: "this machine has no such address: correct --web-host",
}


def check(web_ui: WebUI) -> None:
    """Raise OptionsError where the web UI cannot listen on its address.

    A UI that listens already, as a program's does, is left alone. In Locust 2.47 a greenlet dies
    of a taken port with a traceback, and the process ends without a word of ours.
    """
    if web_ui.greenlet is not None:
        return
    server = WSGIServer((web_ui.host, web_ui.port), None, log=None)
    try:
        server.init_socket()
    except OSError as error:
        shown = f"{web_ui.host or '*'}:{web_ui.port}"
        advice = f"the web UI cannot listen there ({_reason(error)}): {_cure(error)}"
        raise OptionsError([Mistake("--web-port", shown, advice)]) from error
    finally:
        server.close()


def _reason(error: OSError) -> str:
    """What the system says; gevent adds the address to its own text."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return str(error.strerror or error)
    return os.strerror(error.errno)


def _cure(error: OSError) -> str:
    return _CURES.get(error.errno or 0, "correct --web-host or --web-port")
