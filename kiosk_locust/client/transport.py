"""One HTTP/1.1 transport, shared by all users of a process: requests, their times, their failures.

It follows no redirect, repeats nothing and asks for no compression. What it adds to
geventhttpclient's connections: whether a request that failed may have arrived, how long it
waited for a socket, one time limit over all of it, and a limit on what an answer may weigh.
"""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPException, responses
from typing import Any
from urllib.parse import urlsplit

import gevent

from kiosk_locust import __version__
from kiosk_locust.client.body import JSON, Body
from kiosk_locust.client.exchange import Exchange, RequestSample
from kiosk_locust.client.header_cache import Heads, Whole
from kiosk_locust.client.messages import connect_advice, plain, read_advice
from kiosk_locust.client.pool import CarefulPool, CarefulTlsPool, Places
from kiosk_locust.client.request import Call
from kiosk_locust.client.response_parser import HttpAnswer, Oversized
from kiosk_locust.client.timeouts import Begun, Limit, Limits
from kiosk_locust.clock import Clock
from kiosk_locust.errors import Answered, KioskError, Timing, Withdrawn

__all__ = ["Exchange", "RequestSample", "Timing", "Transport"]

MAX_ANSWER_BYTES = 16 * 1024 * 1024
READ_BYTES = 16 * 1024
FIRST_BYTES = 16 * 1024
#: A piece of a body goes to the socket in parts, so that a slow line is seen to move: at 13 kB/s
#: there are two within 10 s.
PART_BYTES = 64 * 1024
#: Whoever takes a body may be as slow as this in passing it on, in bytes a second, before its
#: answer counts as late: 4 Mbit/s. A frontend answers an upload once the file is in the bucket.
SLOWEST_BYTES_S = 500_000


class Transport:
    """Requests to one host over at most ``pool_size`` sockets.

    ``base_url`` may have a path, which every request's path is appended to; a user name in it
    is ignored. ``request_timeout_s`` counts from having a place in the pool to the last byte.
    ``on_request`` is told of every request but those whose greenlet was killed. ``ca_file``
    holds the certificates to trust, else the system's (or SSL_CERT_FILE's) are. Raises
    ValueError for a ``base_url`` that is none.
    """

    def __init__(
        self,
        base_url: str,
        *,
        pool_size: int,
        request_timeout_s: float,
        clock: Clock,
        on_request: Callable[[RequestSample], None] | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        ca_file: str | None = None,
    ) -> None:
        url = urlsplit(base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("the Kiosk's URL must look like http://host or https://host:port/path")
        host = url.hostname
        port = url.port or (443 if url.scheme == "https" else 80)
        shown = f"[{host.partition('%')[0]}]" if ":" in host else host
        if url.port is not None:
            shown = f"{shown}:{url.port}"
        self.clock = clock
        self.base_url = f"{url.scheme}://{shown}{url.path.rstrip('/')}"  # no user, no password
        self.request_timeout_s = request_timeout_s
        self._prefix = url.path.rstrip("/")
        self._host_header = shown if shown.isascii() else shown.encode("idna").decode("ascii")
        self._on_request = on_request
        self._max_answer_bytes = max_answer_bytes
        self.places = Places(pool_size)
        self.open_calls: set[Call] = set()  # those that have a socket, or are connecting
        self._heads: dict[tuple[str, str], bytes] = {}
        self._known_heads = Heads()
        self._limits = Limits(request_timeout_s)
        self._closed = False
        settings: dict[str, Any] = {
            "size": pool_size,
            # Half of the limit, so that a second address is tried when the first swallows all.
            "connection_timeout": request_timeout_s / 2,
            "network_timeout": None,  # the limit on the whole request is enough
            "clock": clock,
        }
        if url.scheme == "https":
            options = {"ca_certs": ca_file} if ca_file else None
            self._pool: CarefulPool = CarefulTlsPool(
                host, port, host, port, ssl_options=options, **settings
            )
        else:
            self._pool = CarefulPool(host, port, host, port, **settings)

    @property
    def waiting(self) -> int:
        """How many requests wait for a socket now."""
        return self.places.waiting

    def close(self) -> None:
        """Close the kept sockets, and those in use when their answer is there."""
        self._closed = True
        self._pool.close()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Body | None = None,
        *,
        wanted: Callable[[], bool] | None = None,
        most_bytes: int | None = None,
    ) -> Exchange:
        """Send one request and return its answer, whatever its status.

        ``most_bytes`` limits the answer's body; None: by what the transport was made with.

        ``wanted`` is asked right before the first byte is sent, after all waiting: if it says
        no, Withdrawn is raised, and ``on_request`` is not told.

        A Body is sent in its pieces, and the time limit begins anew with each of them: then it
        limits how long a connection may stand still; for the answer, the time that the sending
        took is added, or that it takes at SLOWEST_BYTES_S, if that is more. ``wanted`` is asked
        before each piece, and Withdrawn then means that the request was broken off. What its
        ``pieces`` raises, is raised.

        Raises Unreachable (surely not sent), NoAnswer (may have arrived), BadAnswer (a 2xx
        answer that is too large or compressed); each has its ``timing``. An exception that is
        thrown into the waiting greenlet gets one, too, if its class has such an attribute.
        """
        asked_at = self.clock.now()
        try:
            self.places.take()
        except BaseException as killed:
            _set_timing(killed, Timing(asked_at, None, None, None))
            raise
        most_bytes = min(most_bytes or self._max_answer_bytes, self._max_answer_bytes)
        call = Call(method, path, self.base_url, asked_at, most_bytes, wanted=wanted)
        call.socket_at = self.clock.now()
        self.open_calls.add(call)
        try:
            exchange = self._within_limit(call, body)
        except Withdrawn:
            raise
        except KioskError as error:
            self._tell(call, self.clock.now(), 0, error)
            raise
        except BaseException as killed:
            _set_timing(killed, call.timing())
            raise
        finally:
            self.open_calls.discard(call)
            self.places.give_back()
        error_status = None
        if exchange.status >= 300:
            reason = responses.get(exchange.status, "")
            error_status = Answered(f"HTTP {exchange.status} {reason}", status=exchange.status)
        self._tell(call, exchange.received_at, len(exchange.body), error_status, exchange)
        return exchange

    def _tell(
        self,
        call: Call,
        ended_at: float,
        length: int,
        error: Exception | None,
        exchange: Exchange | None = None,
    ) -> None:
        if self._on_request is not None:
            self._on_request(
                RequestSample(
                    call.method,
                    call.path,
                    ended_at - call.socket_at,
                    length,
                    error,
                    call.socket_at,
                    call.socket_at - call.asked_at,
                    self.base_url,
                    exchange,
                )
            )

    def _within_limit(self, call: Call, body: bytes | Body | None) -> Exchange:
        is_plain = body is None or isinstance(body, bytes)
        limit = self._limits.begin() if is_plain else Limit(self.request_timeout_s)
        try:
            return self._exchange(call, body, limit)
        except gevent.Timeout as expired:
            if not limit.is_that(expired):
                raise  # the caller's own
            raise call.late(limit.seconds, SLOWEST_BYTES_S) from None
        finally:
            limit.close()

    def _exchange(self, call: Call, body: bytes | Body | None, limit: Limit | Begun) -> Exchange:
        sock = self._connected(call)
        try:
            call.check_wanted()
            if body is None or isinstance(body, bytes):
                self._send(sock, call, body)
                answer = self._receive(sock, call)
            else:
                answer = self._stream(sock, call, body, limit)
            received_at = self.clock.now()
        except BaseException:
            self._pool.release_socket(sock)
            raise
        if answer.may_be_kept:
            self._pool.keep(sock, answer.kept_s)
        else:
            self._pool.release_socket(sock)
        return self._checked(call, answer, received_at)

    def _connected(self, call: Call) -> Any:
        """A kept socket that is alive, or a new one."""
        if self._closed:
            raise call.unreachable("this transport was closed")
        try:
            return self._pool.get_socket()
        except (OSError, RuntimeError, UnicodeError) as error:
            raise call.unreachable(connect_advice(error)) from error

    def _send(self, sock: Any, call: Call, body: bytes | None) -> None:
        """Give the whole request to the socket; what fails at its first bytes was not sent."""
        request = self._head(call.method, call.path, JSON)
        if body is None:
            request += b"\r\n"
        else:
            request += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        self._send_first(sock, call, request)

    def _stream(self, sock: Any, call: Call, body: Body, limit: Limit | Begun) -> Whole:
        """Send a body in pieces and read the answer; who breaks it off may have said why."""
        pieces = body.pieces()
        first = next(pieces)  # what is wrong with it is known before anything is sent
        head = self._head(call.method, call.path, body.content_type)
        self._send_first(sock, call, head + b"Content-Length: %d\r\n\r\n%b" % (body.length, first))
        broke: OSError | None = None
        try:
            for piece in pieces:
                call.check_wanted()
                for start in range(0, len(piece), PART_BYTES):
                    limit.renew()
                    sock.sendall(piece[start : start + PART_BYTES])
                    call.moved_at = self.clock.now()
            call.whole_at = call.moved_at = self.clock.now()
        except OSError as error:
            broke = error
        finally:
            pieces.close()  # type: ignore[attr-defined]  # a generator holds its file open
        # Who passes a file on answers only when that is over; it may take as long again.
        took_s = self.clock.now() - (call.sent_at or call.socket_at)
        limit.renew(self.request_timeout_s + max(took_s, body.length / SLOWEST_BYTES_S))
        try:
            answer = self._receive(sock, call)
        except KioskError as error:
            if broke is None:
                raise
            raise call.failed(f"the connection broke: {plain(broke)}") from error
        return answer if broke is None else answer._replace(may_be_kept=False)

    def _send_first(self, sock: Any, call: Call, request: bytes) -> None:
        sent_at = self.clock.now()
        try:
            # One TLS record at most: a part of it is of no use to the server.
            count = sock.send(request[:FIRST_BYTES])
        except OSError as error:
            raise call.unreachable(f"the connection broke: {plain(error)}") from error
        finally:
            call.sent_at = sent_at
        try:
            if count < len(request):
                sock.sendall(request[count:])
        except OSError as error:
            raise call.failed(f"the connection broke: {plain(error)}") from error

    def _receive(self, sock: Any, call: Call) -> Whole:
        """Read the answer; an error status counts even where its body does not arrive whole."""
        answer: HttpAnswer | None = None
        try:
            data = sock.recv(READ_BYTES)
            if len(data) <= call.most_bytes and (whole := self._known_heads.whole(data)):
                return whole
            answer = HttpAnswer(call.method)
            answer.feed(data)
            answer.check_size(call.most_bytes)
            if answer.complete:
                self._known_heads.learn(data, answer)
            while not answer.complete:
                answer.feed(sock.recv(READ_BYTES))
                answer.check_size(call.most_bytes)
        except (OSError, HTTPException, Oversized) as error:
            answer = answer or HttpAnswer(call.method)
            if not answer.is_error:
                if isinstance(error, Oversized):
                    raise call.too_large(answer, error) from None
                raise call.failed(read_advice(error, answer)) from error
        fields, kept_s = answer.fields, answer.kept_s
        return Whole(answer.status, fields, bytes(answer.body), answer.may_be_kept, kept_s)

    def _checked(self, call: Call, answer: Whole, received_at: float) -> Exchange:
        body = answer.body
        encoding = answer.fields.get("content-encoding", "")
        if encoding and encoding.strip().lower() not in ("", "identity"):
            if answer.status < 300:
                raise call.encoded(answer.status, encoding.strip().lower(), received_at)
            body = b""  # never unpacked; the status tells enough
        return Exchange(
            call.method,
            call.path,
            answer.status,
            answer.fields,
            body,
            call.asked_at,
            call.socket_at,
            call.sent_at or call.socket_at,
            received_at,
            call.whole_at,
        )

    def _head(self, method: str, path: str, content_type: str) -> bytes:
        """The request without its length and body; of JSON, made once for each method and path."""
        head = self._heads.get((method, path))
        if head is None or content_type != JSON:
            head = (
                f"{method} {self._prefix}{path} HTTP/1.1\r\nHost: {self._host_header}\r\n"
                f"User-Agent: kiosk-locust/{__version__}\r\nAccept: application/json\r\n"
                f"Content-Type: {content_type}\r\nConnection: keep-alive\r\n"
            ).encode("ascii")
        if content_type == JSON:
            self._heads[method, path] = head
        return head


def _set_timing(killed: BaseException, timing: Timing) -> None:
    """Tell whoever killed the greenlet how far its request came, if they want to know."""
    if hasattr(killed, "timing"):
        killed.timing = timing
