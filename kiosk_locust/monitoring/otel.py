"""OpenTelemetry with Locust's ``--otel``: a check of collectors, and a bounded shutdown.

Locust 2.47 sets up providers of spans, metrics and logs. Without a collector each of them retries
for 10 s and more when it is flushed, and once more when the process exits: 30 s after a run of 5 s.
Here all of them together get a few seconds, and lost spans are counted.
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

#: Seconds for sending a run's spans at its end; then for everything at the process's end.
FLUSH_S, END_S = 2.0, 2.0
#: Connection timeout for collectors at the start, in seconds.
CONNECT_TIMEOUT_S = 2.0
SCOPE = "kiosk_locust"
_SIGNALS = ("TRACES", "METRICS", "LOGS")
_PORTS = {"grpc": 4317, "http/protobuf": 4318, "http": 4318}
_EXPORTERS = ("grpc", "http")


class ExportCounter:
    """Counter of this process's job spans, made and delivered."""

    def __init__(self) -> None:
        self.made = 0
        self.delivered = 0
        self._is_counting = False

    @property
    def missing(self) -> int:
        """Spans that have not reached a collector; 0 if no exporter is counted."""
        return max(0, self.made - self.delivered) if self._is_counting else 0

    def count(self) -> None:
        """Count deliveries of the OTLP exporters from now on; idempotent."""
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
    """Tell if Locust runs with ``--otel`` and its libraries are installed."""
    return bool(getattr(parsed_options, "otel", False)) and bool(
        importlib.util.find_spec("opentelemetry.sdk")
    )


def begin(parsed_options: Any) -> None:
    """Register a bounded shutdown for the end of the process; call it first."""
    if is_on(parsed_options):
        atexit.register(end)  # atexit calls the last registered function first


def warn_if_away(parsed_options: Any) -> None:
    """Warn of each collector that accepts no connection within a few seconds."""
    if not is_on(parsed_options):
        return
    checks = {url: gevent.spawn(_trouble, *address) for url, address in _collectors().items()}
    gevent.joinall(list(checks.values()))
    for url, check in checks.items():
        if check.value:
            logger.warning(
                "--otel: no collector at %s (%s): spans, metrics and logs are lost until there is"
                " one; start it, correct OTEL_EXPORTER_OTLP_ENDPOINT, or leave --otel out. The run"
                " goes on",
                *(url, check.value),
            )


def flush() -> None:
    """Send spans for at most a few seconds; warn of those that did not arrive."""
    from opentelemetry import trace  # noqa: PLC0415  an extra

    send = getattr(trace.get_tracer_provider(), "force_flush", None)
    if send is not None:
        gevent.spawn(send, int(FLUSH_S * 1000)).join(FLUSH_S)  # force_flush exceeds its own timeout
    if missing := DELIVERY.missing:
        logger.warning(
            "--otel: %s of %s spans have not reached the collector by now; jobs, ledger and results"
            " are complete without them",
            *(f"{missing:,}", f"{DELIVERY.made:,}"),
        )


def end() -> None:
    """Shut down all providers concurrently and briefly, and unregister their own shutdown."""
    if _ended:
        return
    _ended.append(True)
    from opentelemetry import _logs, metrics, trace  # noqa: PLC0415  an extra

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # each would report every retry
    makers = (trace.get_tracer_provider, metrics.get_meter_provider, _logs.get_logger_provider)
    shutdowns = [stop for make in makers if (stop := getattr(make(), "shutdown", None))]
    stopping = [gevent.spawn(stop) for stop in shutdowns]
    gevent.joinall(stopping, timeout=END_S)
    for stop in shutdowns:
        atexit.unregister(stop)


def _collectors() -> dict[str, tuple[str, int]]:
    """Host and port of collectors, by URL; those behind a proxy are left out."""
    by_url = {}
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
            address = (parts.hostname or "localhost", parts.port or standard)
        except ValueError:
            continue  # the exporter reports it
        if not get_environ_proxies(url):
            host = f"[{address[0]}]" if ":" in address[0] else address[0]
            by_url[f"{parts.scheme or 'http'}://{host}:{address[1]}"] = address
    return by_url


def _values(signal: str, suffix: str) -> Iterator[str]:
    """Values in the environment for a signal, and for all signals."""
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_{suffix}", f"OTEL_EXPORTER_OTLP_{suffix}"):
        if text := os.environ.get(name, "").strip():
            yield text


def _trouble(host: str, port: int) -> str:
    """Reason why no connection is possible; empty if one is."""
    try:
        socket.create_connection((host, port), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return (error.strerror or str(error) or "no answer").lower()
    return ""
