"""OpenTelemetry where Locust runs with ``--otel``: whether a collector is there, and a brief end.

Locust 2.47 sets up providers of spans, metrics and logs. Without a collector each of them tries
again for 10 s and more when it is flushed, and once more when the process exits: 30 s after a run
of 5 s. Here all of them together get a few seconds, and what did not arrive is counted.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import logging
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import gevent
from requests.utils import get_environ_proxies

logger = logging.getLogger(__name__)

#: Seconds for all spans of a run to be sent at its end; then for everything at the process's end.
FLUSH_S, END_S = 2.0, 2.0
#: How long a collector may take to accept a connection at the start, in seconds.
LOOK_S = 2.0
SCOPE = "kiosk_locust"
_SIGNALS = ("TRACES", "METRICS", "LOGS")
_PORTS = {"grpc": 4317, "http/protobuf": 4318, "http": 4318}
_EXPORTERS = ("grpc", "http")


class ExportCounter:
    """Counts the spans of this process that were made for jobs, and those that were delivered."""

    def __init__(self) -> None:
        self.made = 0
        self.delivered = 0
        self._is_counting = False

    @property
    def missing(self) -> int:
        """Spans that have not reached a collector by now; 0 where none is known to be asked."""
        return max(0, self.made - self.delivered) if self._is_counting else 0

    def count(self) -> None:
        """Count what the exporters over OTLP deliver from now on; once a process."""
        if self._is_counting:
            return
        for protocol in _EXPORTERS:
            name = f"opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter"
            try:
                exporter = importlib.import_module(name).OTLPSpanExporter
            except (ImportError, AttributeError):
                continue
            exporter.export = self._counted(exporter.export)
            self._is_counting = True

    def _counted(self, export: Callable[..., Any]) -> Callable[..., Any]:
        def counted(exporter: Any, spans: Any) -> Any:
            result = export(exporter, spans)
            if getattr(result, "name", "") == "SUCCESS":
                scopes = (getattr(span.instrumentation_scope, "name", "") for span in spans)
                self.delivered += sum(scope == SCOPE for scope in scopes)
            return result

        return counted


DELIVERY = ExportCounter()
_ended: list[bool] = []


def is_on(parsed_options: Any) -> bool:
    """Whether Locust was told to use it, and its libraries are there; Locust says if not."""
    return bool(getattr(parsed_options, "otel", False)) and bool(
        importlib.util.find_spec("opentelemetry.sdk")
    )


def begin(parsed_options: Any) -> None:
    """Bound the end of the process, however it comes; before anything else is done."""
    if is_on(parsed_options):
        atexit.register(end)  # the last to be registered is the first to be called


def warn_if_away(parsed_options: Any) -> None:
    """Warn of each collector that accepts no connection; looked for in a few seconds."""
    if not is_on(parsed_options):
        return
    looks = {url: gevent.spawn(_trouble, *place) for url, place in _collectors().items()}
    gevent.joinall(list(looks.values()))
    for url, look in looks.items():
        if look.value:
            logger.warning(
                "--otel: no collector at %s (%s): spans, metrics and logs are lost until there is"
                " one; start it, correct OTEL_EXPORTER_OTLP_ENDPOINT, or leave --otel out. The run"
                " goes on",
                *(url, look.value),
            )


def flush() -> None:
    """Have the spans sent, for a few seconds; what has not arrived by then is a warning."""
    from opentelemetry import trace  # noqa: PLC0415  an extra

    send = getattr(trace.get_tracer_provider(), "force_flush", None)
    if send is not None:
        gevent.spawn(send, int(FLUSH_S * 1000)).join(FLUSH_S)  # it does not keep to its time
    if missing := DELIVERY.missing:
        logger.warning(
            "--otel: %s of %s spans have not reached the collector by now; jobs, ledger and results"
            " are complete without them",
            *(f"{missing:,}", f"{DELIVERY.made:,}"),
        )


def end() -> None:
    """Let the providers send what they have, all at once and briefly, and be called no more."""
    if _ended:
        return
    _ended.append(True)
    from opentelemetry import _logs, metrics, trace  # noqa: PLC0415  an extra

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # each would tell of each try
    makers = (trace.get_tracer_provider, metrics.get_meter_provider, _logs.get_logger_provider)
    shutdowns = [stop for make in makers if (stop := getattr(make(), "shutdown", None))]
    stopping = [gevent.spawn(stop) for stop in shutdowns]
    gevent.joinall(stopping, timeout=END_S)
    for stop in shutdowns:
        atexit.unregister(stop)


def _collectors() -> dict[str, tuple[str, int]]:
    """By their URL: host and port of the collectors, but those that a proxy stands before."""
    found = {}
    for signal in _SIGNALS:
        names = os.environ.get(f"OTEL_{signal}_EXPORTER", "otlp").split(",")
        if "otlp" not in (name.strip().lower() for name in names):
            continue
        protocol = next(_values(signal, "PROTOCOL"), "grpc").lower()
        port = _PORTS.get(protocol, 4318)
        url = next(_values(signal, "ENDPOINT"), f"http://localhost:{port}")
        parts = urlsplit(url if "://" in url else f"//{url}")
        try:
            standard = 443 if parts.scheme == "https" else 80
            place = (parts.hostname or "localhost", parts.port or standard)
        except ValueError:
            continue  # the exporter has told
        if not get_environ_proxies(url):
            host = f"[{place[0]}]" if ":" in place[0] else place[0]
            found[f"{parts.scheme or 'http'}://{host}:{place[1]}"] = place
    return found


def _values(signal: str, what: str) -> Iterator[str]:
    """What the environment says for a signal, and for all of them."""
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_{what}", f"OTEL_EXPORTER_OTLP_{what}"):
        if text := os.environ.get(name, "").strip():
            yield text


def _trouble(host: str, port: int) -> str:
    """Why nobody can be connected to; empty if somebody can."""
    try:
        socket.create_connection((host, port), LOOK_S).close()
    except OSError as error:
        return (error.strerror or str(error) or "no answer").lower()
    return ""
