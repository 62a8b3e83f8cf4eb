"""What broke a connection, in words for people: why, and what to do."""

from __future__ import annotations

import ssl

import gevent.socket

from kiosk_locust.client.response_parser import Answer


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


def read_advice(error: BaseException, answer: Answer) -> str:
    """Why no whole answer was read."""
    if isinstance(error, OSError):
        return f"the connection broke ({plain(error)}) before a whole answer came"
    if answer.closed:
        return "the connection was closed before a whole answer came"
    return "what came back is not HTTP (is it https that is spoken there?)"
