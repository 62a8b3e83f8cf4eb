"""Words for people about a call that failed: why, and what to do.

The transport below knows connections and HTTP alone; settings and the Kiosk's parts are named here.
"""

from __future__ import annotations

import ssl

import gevent.socket

from kiosk_locust.client.response_parser import HttpAnswer

#: Advice on a 2xx answer that is none of a Kiosk.
NO_KIOSK = "is API_HOST the address of a Kiosk?"
#: Advice on an answer that redirects.
LIVES_ELSEWHERE = "set API_HOST to that address"
#: Advice on a 5xx answer that says nothing of its cause.
SEE_THE_LOG = "look at the log of the Kiosk's frontend and of what stands before it"


def plain(error: BaseException) -> str:
    """What the system says of an error, without numbers and file names."""
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def connect_advice(error: BaseException) -> str:
    """Why no connection was made, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}); if it is the right host,"
            " name its authority's file in SSL_CERT_FILE"
        )
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake failed ({plain(error)}); is it https that is spoken there?"
    if isinstance(error, (gevent.socket.gaierror, UnicodeError)):
        return f"the host's name is not known ({plain(error)}); is API_HOST right?"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is the Kiosk running, and is API_HOST (its port, too) right?"
    return f"no connection ({plain(error)}); is API_HOST right, and is the network up?"


def within(limit_s: float, slowest_bytes_s: float | None) -> str:
    """The words for a limit on a request; ``slowest_bytes_s`` is that of an upload, else None."""
    size = (
        ""
        if slowest_bytes_s is None
        else (f", and for an upload's size {slowest_bytes_s / 1e6:g} MB/s")
    )
    return f"within {limit_s:.3g} s (REQUEST_TIMEOUT{size})"


def not_connected(within: str) -> str:
    """The words for a request that never had a connection; ``within`` is the limit, or empty."""
    return (
        f"no connection {within or 'was made'}; is API_HOST right, and does a firewall"
        " swallow what is sent there?"
    )


def no_whole_answer(method: str, why: str) -> str:
    """The words for a request that was sent and broke off."""
    done = "" if method == "GET" else " and may have been processed"
    return (
        f"was sent{done}, but {why}; look at the"
        " Kiosk's frontend (and its Redis) and at what stands before it"
    )


def oversized(status: int, what: object) -> str:
    """The words for a 2xx answer that weighs too much; ``what`` it has."""
    return f"answered {status} with {what}, which no Kiosk does; is API_HOST right?"


def packed(status: int, encoding: str) -> str:
    """The words for a 2xx answer in an encoding that was not asked for."""
    return (
        f"answered {status} in an encoding that was not asked for"
        f" ({encoding[:40]!r}); look at what stands before the Kiosk (proxy, ingress)"
    )


def refusal_advice(status: int) -> str:
    """The thing to look at where a request was refused with that status."""
    if status in (401, 403):
        return "something before the Kiosk wants a login or forbids it; see its access rules"
    if status == 404:
        return "is API_HOST right, and does it need a path?"
    if status == 413:
        return (
            "what stands before the Kiosk takes no request so large; raise its limit"
            " (client_max_body_size, proxy-body-size), or upload to the bucket (UPLOAD_VIA)"
        )
    return "see the job's settings"


def read_advice(error: BaseException, answer: HttpAnswer) -> str:
    """Why no whole answer was read."""
    if isinstance(error, OSError):
        return f"the connection broke ({plain(error)}) before a whole answer came"
    if answer.closed:
        return "the connection was closed before a whole answer came"
    return "what came back is not HTTP (is it https that is spoken there?)"
