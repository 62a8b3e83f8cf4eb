"""What the transport does with good and bad servers, over real sockets."""

from __future__ import annotations

import gzip
import resource
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from gevent.event import Event

from kiosk_locust import __version__
from kiosk_locust.client.transport import RequestSample, Transport
from kiosk_locust.clock import SystemClock
from kiosk_locust.errors import BadAnswer, KioskError, NoAnswer, Timing, Unreachable, Withdrawn
from tests.helpers.clocks import ManualClock
from tests.helpers.servers import (
    Behaviour,
    Connection,
    RawServer,
    answering,
    closing_after,
    dripping,
    hanging,
    hanging_after,
    html_answer,
    json_answer,
    make_certificate,
    pouring,
    raw_answer,
    refusing_url,
    resetting_after_request,
    resetting_at_once,
)

OK = json_answer({"message": "OK"})
MEBIBYTE = 1024 * 1024

MakeTransport = Callable[..., Transport]


@pytest.fixture
def connect() -> Iterator[MakeTransport]:
    """Make transports that are closed at the end."""
    made: list[Transport] = []

    def make(url: str, **settings: object) -> Transport:
        given = {"pool_size": 4, "request_timeout_s": 5.0, "clock": SystemClock(), **settings}
        made.append(Transport(url, **given))  # type: ignore[arg-type]  # as each test says
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


# -- what is sent, and what comes back


def test_an_answer_comes_back_with_status_headers_and_body(connect: MakeTransport) -> None:
    with RawServer(answering(json_answer({"hash": "x"}, 201, X_Thing="a"))) as server:
        exchange = connect(server.url).request("POST", "/api/predict", b"{}")
    assert (exchange.method, exchange.path, exchange.status) == ("POST", "/api/predict", 201)
    assert exchange.headers["x-thing"] == "a"
    assert exchange.body == b'{"hash": "x"}'


def test_a_request_says_who_sends_it_and_what_it_wants(connect: MakeTransport) -> None:
    with RawServer(answering(OK)) as server:
        connect(server.url).request("POST", "/api/predict", b'{"a": 1}')
    (request,) = server.requests
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": f"kiosk-locust/{__version__}",
        "accept": "application/json",
        "content-type": "application/json",
        "connection": "keep-alive",
        "content-length": "8",
    }
    assert request.body == b'{"a": 1}'


def test_the_path_of_the_base_url_stands_before_every_path(connect: MakeTransport) -> None:
    with RawServer(answering(OK)) as server:
        connect(server.url + "/my/kiosk/").request("GET", "/api/models")
    assert server.requests[0].path == "/my/kiosk/api/models"


def test_what_is_no_longer_wanted_is_not_sent_though_its_connection_was_made(
    connect: MakeTransport,
) -> None:
    samples: list[RequestSample] = []
    with RawServer(answering(OK)) as server:
        transport = connect(server.url, on_request=samples.append)
        with pytest.raises(Withdrawn) as withdrawn:
            transport.request("POST", "/api/predict", b"{}", wanted=lambda: False)
        transport.request("POST", "/api/predict", b"{}", wanted=lambda: True)
    assert len(server.requests) == len(samples) == 1
    assert withdrawn.value.timing is not None
    assert withdrawn.value.timing.sent_at is None


def test_a_password_in_the_url_is_neither_sent_nor_shown(connect: MakeTransport) -> None:
    with refusing_url() as url:
        transport = connect(url.replace("http://", "http://me:s3cret@"))
        with pytest.raises(Unreachable) as caught:
            transport.request("GET", "/")
    assert "s3cret" not in transport.base_url + str(caught.value)


def test_an_ipv6_host_is_reached_and_named_in_brackets(connect: MakeTransport) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    server = RawServer(answering(OK))
    server._listener.close()
    server._listener, server.port = listener, listener.getsockname()[1]
    with server:
        connect(f"http://[::1]:{server.port}").request("GET", "/")
    assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


def test_a_base_url_that_is_none_is_a_value_error(connect: MakeTransport) -> None:
    with pytest.raises(ValueError, match="must look like"):
        connect("kiosk.example.org")


def test_a_large_body_is_sent_whole(connect: MakeTransport) -> None:
    body = b"x" * (3 * MEBIBYTE)
    with RawServer(answering(OK)) as server:
        connect(server.url).request("POST", "/", body)
    assert server.requests[0].body == body


def test_a_chunked_answer_is_put_together(connect: MakeTransport) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n1\r\n\n\r\n0\r\n\r\n"
    )
    with RawServer(answering(answer)) as server:
        assert connect(server.url).request("GET", "/").body == b"{}\n\n"


def test_an_answer_without_length_ends_with_its_connection(connect: MakeTransport) -> None:
    with RawServer(closing_after(b"HTTP/1.1 200 OK\r\n\r\n{}")) as server:
        assert connect(server.url).request("GET", "/").body == b"{}"


def test_an_interim_answer_is_passed_over(connect: MakeTransport) -> None:
    with RawServer(answering(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)) as server:
        exchange = connect(server.url).request("POST", "/", b"{}")
    assert (exchange.status, exchange.body) == (200, b'{"message": "OK"}')


def test_a_redirect_is_an_answer_like_any_other(connect: MakeTransport) -> None:
    with (
        RawServer(answering(OK)) as elsewhere,
        RawServer(answering(raw_answer(308, Location=elsewhere.url + "/api"))) as server,
    ):
        exchange = connect(server.url).request("POST", "/api", b"{}")
    assert (exchange.status, exchange.headers["location"]) == (308, elsewhere.url + "/api")
    assert elsewhere.connections == 0


# -- kept connections


def test_one_connection_carries_many_requests(connect: MakeTransport) -> None:
    with RawServer(answering(OK)) as server:
        transport = connect(server.url)
        for _ in range(10):
            transport.request("GET", "/")
    assert (len(server.requests), server.connections) == (10, 1)


def test_keep_alive_survives_file_descriptors_past_1023(connect: MakeTransport) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 1_200:
        pytest.skip("this machine allows too few file descriptors")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 1_200), most))
    held = [socket.socket() for _ in range(1_050)]
    try:
        with RawServer(answering(OK)) as server:
            transport = connect(server.url)
            for _ in range(3):
                transport.request("GET", "/")
        assert max(sock.fileno() for sock in held) > 1_023
        assert server.connections == 1
    finally:
        for sock in held:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_connection_closed_after_its_answer_is_not_used_again(connect: MakeTransport) -> None:
    with RawServer(closing_after(OK)) as server:
        transport = connect(server.url)
        for _ in range(5):
            transport.request("POST", "/", b"{}")
            gevent.sleep(0)  # the server's turn to close
    assert (len(server.requests), server.connections) == (5, 5)


def test_connections_closed_while_idle_are_not_used_again(connect: MakeTransport) -> None:
    with RawServer(answering(OK)) as server:
        transport = connect(server.url)
        gevent.joinall([gevent.spawn(transport.request, "GET", "/") for _ in range(4)])
        server.close_connections()
        gevent.sleep(0)
        for _ in range(4):
            assert transport.request("POST", "/", b"{}").status == 200
    assert len(server.requests) == 8


def test_a_connection_is_left_before_the_time_it_is_promised_for(connect: MakeTransport) -> None:
    clock = ManualClock()
    with RawServer(answering(json_answer({}, Keep_Alive="timeout=5"))) as server:
        transport = connect(server.url, clock=clock)
        transport.request("GET", "/")
        clock.sleep(3.9)
        transport.request("GET", "/")
        assert server.connections == 1
        clock.sleep(4.1)
        transport.request("GET", "/")
        assert server.connections == 2


def test_a_connection_that_says_close_is_not_used_again(connect: MakeTransport) -> None:
    with RawServer(answering(json_answer({}, Connection="close"))) as server:
        transport = connect(server.url)
        transport.request("GET", "/")
        transport.request("GET", "/")
    assert server.connections == 2


def test_of_two_answers_to_one_request_the_first_counts(connect: MakeTransport) -> None:
    surplus = json_answer({"n": 1}) + json_answer({"n": 2}, 500)
    with RawServer(answering(surplus, json_answer({"n": 3}))) as server:
        transport = connect(server.url)
        first = transport.request("GET", "/")
        second = transport.request("GET", "/")
    assert (first.status, first.body, second.body) == (200, b'{"n": 1}', b'{"n": 3}')
    assert server.connections == 2


# -- failures: what may have arrived, and what surely did not


def test_a_refused_connection_was_surely_not_sent(connect: MakeTransport) -> None:
    with refusing_url() as url:
        with pytest.raises(Unreachable, match="connection refused; is the Kiosk running") as caught:
            connect(url).request("POST", "/api/predict", b"{}")
        assert f"POST {url}/api/predict was not sent" in str(caught.value)


def test_an_unknown_name_was_surely_not_sent(connect: MakeTransport) -> None:
    with pytest.raises(Unreachable, match="name is not known"):
        connect("http://kiosk.invalid").request("POST", "/", b"{}")


def test_a_name_that_no_name_can_be_was_surely_not_sent(connect: MakeTransport) -> None:
    with pytest.raises(Unreachable, match="name is not known"):
        connect(f"http://{'x' * 70}.example").request("POST", "/", b"{}")


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (resetting_after_request, "the connection broke"),
        (closing_after(b""), "was closed before a whole answer"),
        (closing_after(OK[:20]), "was closed before a whole answer"),
        (closing_after(OK[:-5]), "was closed before a whole answer"),
        (answering(b"220 mail ready\r\n"), "is not HTTP"),
        (answering(b"\x15\x03\x01\x00\x02\x02F"), "is not HTTP"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nab"), "is not HTTP"),
    ],
)
def test_what_breaks_after_sending_may_have_arrived(
    behaviour: Behaviour, why: str, connect: MakeTransport
) -> None:
    with RawServer(behaviour) as server, pytest.raises(NoAnswer, match=why) as caught:
        connect(server.url).request("POST", "/api/predict", b"{}")
    assert len(server.requests) == 1
    assert "may have been processed" in str(caught.value)


def test_a_reset_before_the_request_is_read_is_no_answer_or_not_sent(
    connect: MakeTransport,
) -> None:
    with RawServer(resetting_at_once) as server:
        with pytest.raises((NoAnswer, Unreachable)):
            connect(server.url).request("POST", "/", b"{}")
        assert server.requests == []


def test_a_hang_ends_with_the_time_limit(connect: MakeTransport) -> None:
    transport_limit_s = 0.2
    with RawServer(hanging) as server:
        transport = connect(server.url, request_timeout_s=transport_limit_s)
        with pytest.raises(NoAnswer, match=r"within 0\.2 s \(REQUEST_TIMEOUT\)") as caught:
            transport.request("POST", "/", b"{}")
    assert caught.value.timing is not None
    assert caught.value.timing.sent_at is not None


def test_a_slow_drip_ends_with_the_time_limit(connect: MakeTransport) -> None:
    with RawServer(dripping(OK)) as server, pytest.raises(NoAnswer, match=r"within 0\.2 s"):
        connect(server.url, request_timeout_s=0.2).request("GET", "/")


def test_a_host_that_swallows_connections_is_unreachable(connect: MakeTransport) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:  # until the queue of the listener is full
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        with pytest.raises(Unreachable, match="was not sent") as caught:
            connect(url, request_timeout_s=0.3).request("POST", "/", b"{}")
        for filler in fillers:
            filler.close()
    assert caught.value.timing is not None
    assert caught.value.timing.sent_at is None


def test_a_request_that_fails_is_not_sent_again(connect: MakeTransport) -> None:
    with RawServer(closing_after(b"")) as server:
        with pytest.raises(NoAnswer):
            connect(server.url).request("GET", "/")
        gevent.sleep(0)
        assert (len(server.requests), server.connections) == (1, 1)


@pytest.mark.parametrize(
    "behaviour",
    [
        answering(raw_answer(200, b"x" * (17 * MEBIBYTE))),
        hanging_after(b"HTTP/1.1 200 OK\r\nContent-Length: 17825792\r\n\r\n"),
        pouring(b"x" * MEBIBYTE, b"HTTP/1.1 200 OK\r\n\r\n"),
        pouring(
            b"100000\r\n" + b"x" * MEBIBYTE + b"\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
    ],
)
def test_an_answer_past_16_mib_is_not_read_on(behaviour: Behaviour, connect: MakeTransport) -> None:
    with RawServer(behaviour) as server:
        with pytest.raises(BadAnswer, match="more than 16,777,216 bytes") as caught:
            connect(server.url).request("GET", "/")
        assert caught.value.status == 200


def test_headers_without_end_are_not_read_on(connect: MakeTransport) -> None:
    server = RawServer(pouring(b"X-More: " + b"y" * 1000 + b"\r\n", b"HTTP/1.1 200 OK\r\n"))
    with server, pytest.raises(BadAnswer, match="headers of more than 65,536 bytes"):
        connect(server.url).request("GET", "/")


def test_an_answer_of_exactly_the_limit_is_taken(connect: MakeTransport) -> None:
    with RawServer(answering(raw_answer(200, b"x" * 1000), raw_answer(200, b"x" * 1001))) as server:
        transport = connect(server.url, max_answer_bytes=1000)
        assert len(transport.request("GET", "/").body) == 1000
        with pytest.raises(BadAnswer):
            transport.request("GET", "/")


def test_a_compressed_answer_is_never_unpacked(connect: MakeTransport) -> None:
    bomb = raw_answer(200, gzip.compress(b"0" * MEBIBYTE), Content_Encoding="gzip")
    with RawServer(answering(bomb)) as server, pytest.raises(BadAnswer, match="'gzip'"):
        connect(server.url).request("GET", "/")


@pytest.mark.parametrize(
    "behaviour",
    [
        answering(raw_answer(503, b"\x1f\x8b", Content_Encoding="gzip")),
        closing_after(html_answer(503)[:-10]),
        answering(raw_answer(503, b"x" * 200_000)),
    ],
)
def test_the_status_of_an_error_counts_without_its_body(
    behaviour: Behaviour, connect: MakeTransport
) -> None:
    with RawServer(behaviour) as server:
        transport = connect(server.url, max_answer_bytes=100_000)
        assert transport.request("GET", "/").status == 503


# -- TLS


def test_a_trusted_certificate_is_taken_and_its_connection_kept(
    connect: MakeTransport, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    file, context = certificate
    with RawServer(answering(OK), tls=context) as server:
        transport = connect(server.url, ca_file=str(file))
        for _ in range(3):
            assert transport.request("POST", "/", b"{}").status == 200
        assert server.connections == 1
        server.close_connections()
        gevent.sleep(0)
        assert transport.request("POST", "/", b"{}").status == 200


def test_an_untrusted_certificate_gets_nothing_sent(
    connect: MakeTransport, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    with RawServer(answering(OK), tls=certificate[1]) as server:
        with pytest.raises(Unreachable, match=r"certificate is not trusted .*SSL_CERT_FILE"):
            connect(server.url).request("POST", "/", b"{}")
        assert server.requests == []


def test_tls_to_a_plain_port_gets_nothing_sent(connect: MakeTransport) -> None:
    with RawServer(answering(b"HTTP/1.1 400 Bad\r\n\r\n")) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(Unreachable, match="https"):
            connect(url, request_timeout_s=0.5).request("POST", "/", b"{}")


# -- places


def release_in_turn(release: Event) -> Behaviour:
    """Answer each request once ``release`` is set."""

    def behave(connection: Connection) -> None:
        while connection.read_request():
            release.wait()
            connection.send(OK)

    return behave


def test_no_more_sockets_are_open_than_the_pool_has_places(connect: MakeTransport) -> None:
    release = Event()
    with RawServer(release_in_turn(release)) as server:
        transport = connect(server.url, pool_size=3)
        askers = [gevent.spawn(transport.request, "GET", "/") for _ in range(10)]
        while len(server.requests) < 3:
            server.got_request.wait()
            gevent.sleep(0)
        assert (transport.places.in_use, transport.waiting) == (3, 7)
        release.set()
        gevent.joinall(askers, raise_error=True)
        assert (transport.places.in_use, transport.waiting) == (0, 0)
    assert (server.connections, len(server.requests)) == (3, 10)


def test_places_are_given_first_come_first_served(connect: MakeTransport) -> None:
    with RawServer(answering(OK)) as server:
        transport = connect(server.url, pool_size=1)

        def ask_twice(number: int) -> None:
            transport.request("GET", f"/{number}/first")
            transport.request("GET", f"/{number}/second")

        gevent.joinall([gevent.spawn(ask_twice, n) for n in range(3)], raise_error=True)
    assert [request.path for request in server.requests] == [
        *("/0/first", "/1/first", "/2/first"),
        *("/0/second", "/1/second", "/2/second"),
    ]


def test_the_wait_for_a_socket_is_told_apart(connect: MakeTransport) -> None:
    with RawServer(dripping(OK, every_s=0.001)) as server:
        transport = connect(server.url, pool_size=1)
        first, second = gevent.joinall(
            [gevent.spawn(transport.request, "GET", "/") for _ in range(2)], raise_error=True
        )
    assert first.value.socket_at - first.value.asked_at < 0.01
    assert second.value.asked_at < first.value.received_at <= second.value.socket_at
    assert second.value.socket_at <= second.value.sent_at <= second.value.received_at


def test_a_place_is_given_back_whatever_fails(connect: MakeTransport) -> None:
    with RawServer(closing_after(b"")) as server:
        transport = connect(server.url, pool_size=1)
        for _ in range(3):
            with pytest.raises(NoAnswer):
                transport.request("GET", "/")
        assert transport.places.in_use == 0


def test_a_killed_request_gives_its_place_back_and_drops_its_socket(
    connect: MakeTransport,
) -> None:
    release = Event()
    with RawServer(release_in_turn(release)) as server:
        transport = connect(server.url, pool_size=1)
        asker = gevent.spawn(transport.request, "GET", "/killed")
        server.got_request.wait()
        waiter = gevent.spawn(transport.request, "GET", "/waiting")
        next_one = gevent.spawn(transport.request, "GET", "/next")
        gevent.sleep(0)
        assert transport.waiting == 2
        waiter.kill()
        asker.kill()
        release.set()
        assert next_one.get().status == 200
        assert (transport.places.in_use, transport.waiting) == (0, 0)
    assert [request.path for request in server.requests] == ["/killed", "/next"]
    assert server.connections == 2


def test_another_time_limit_than_ours_is_passed_through(connect: MakeTransport) -> None:
    with RawServer(hanging) as server:
        transport = connect(server.url)
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
            transport.request("GET", "/")
        assert transport.places.in_use == 0


def test_a_closed_transport_sends_nothing(connect: MakeTransport) -> None:
    with RawServer(answering(OK)) as server:
        transport = connect(server.url)
        transport.request("GET", "/")
        transport.close()
        with pytest.raises(Unreachable, match="was closed"):
            transport.request("GET", "/")
    assert len(server.requests) == 1


# -- what is told about each request


def test_an_error_tells_how_far_its_request_came(connect: MakeTransport) -> None:
    with RawServer(closing_after(b"")) as server, pytest.raises(KioskError) as sent:
        connect(server.url).request("GET", "/")
    with refusing_url() as url, pytest.raises(KioskError) as unsent:
        connect(url).request("GET", "/")
    far, near = sent.value.timing, unsent.value.timing
    assert isinstance(far, Timing)
    assert isinstance(near, Timing)
    assert far.sent_at is not None
    assert far.received_at is None
    assert near.socket_at is not None
    assert near.sent_at is None


class Stopped(Exception):
    """Thrown into a greenlet by a test; wants to know how far the request came."""

    timing: Timing | None = None


def test_whoever_stops_a_request_learns_whether_it_was_sent(connect: MakeTransport) -> None:
    with RawServer(hanging) as server:
        transport = connect(server.url, pool_size=1)
        sent = gevent.spawn(transport.request, "GET", "/")
        server.got_request.wait()
        waiting = gevent.spawn(transport.request, "GET", "/")
        gevent.sleep(0)
        for asker in (waiting, sent):
            asker.kill(Stopped("the run ends"))
    assert isinstance(sent.exception, Stopped)
    assert isinstance(waiting.exception, Stopped)
    assert sent.exception.timing is not None
    assert sent.exception.timing.sent_at is not None
    assert waiting.exception.timing is not None
    assert waiting.exception.timing.socket_at is None


def test_each_request_is_told_once_with_its_time_length_and_error(
    connect: MakeTransport,
) -> None:
    told: list[RequestSample] = []
    with RawServer(answering(OK, json_answer({}, 404), b"no HTTP")) as server:
        transport = connect(server.url, on_request=told.append)
        exchange = transport.request("GET", "/a")
        transport.request("POST", "/b", b"{}")
        with pytest.raises(NoAnswer) as caught:
            transport.request("GET", "/c")
    good, missing, broken = told
    assert (good.method, good.name, good.response_length, good.error) == ("GET", "/a", 17, None)
    assert good.started_at == exchange.socket_at
    assert good.response_time_s == exchange.received_at - exchange.socket_at
    assert str(missing.error) == "HTTP 404 Not Found"
    assert broken.error is caught.value
