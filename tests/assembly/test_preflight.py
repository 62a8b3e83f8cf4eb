"""What is asked before the first job, and what is said where the answers do not suit."""

from __future__ import annotations

import logging
import random
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiosk_locust.assembly.preflight import check_kiosk, find_base_url, pool_warning
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import SystemClock
from kiosk_locust.errors import PreflightError
from tests.helpers.scenarios import make_options
from tests.helpers.servers import (
    Behaviour,
    RawServer,
    answering,
    answering_paths,
    closing_after,
    hanging,
    html_answer,
    json_answer,
    make_certificate,
    raw_answer,
    refusing_url,
    resetting_after_request,
)

HEALTH = json_answer({"message": "OK"})
JOB_TYPES = json_answer({"jobTypes": ["segmentation", "mesmer"]})
MODELS = json_answer({"models": {"Nuclear": ["0", "1"], "Bare": []}})
RNG = random.Random(0)


class HurriedClock(SystemClock):
    """Real time, but sleeping is only noted and counted as passed."""

    def __init__(self) -> None:
        super().__init__()
        self.slept_s = 0.0

    def now(self) -> float:
        return super().now() + self.slept_s

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds


def kiosk_with(models: bytes = MODELS, job_types: bytes = JOB_TYPES) -> Behaviour:
    return answering_paths(
        {"/api/health-check": HEALTH, "/api/jobtypes": job_types, "/api/models": models}
    )


@contextmanager
def client(url: str, request_timeout_s: float = 5.0) -> Iterator[Kiosk]:
    transport = Transport(
        url, pool_size=1, request_timeout_s=request_timeout_s, clock=HurriedClock()
    )
    yield Kiosk(transport)
    transport.close()


def slept_s(kiosk: Kiosk) -> float:
    clock = kiosk.transport.clock
    assert isinstance(clock, HurriedClock)
    return clock.slept_s


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


# -- check_kiosk


def test_a_kiosk_that_knows_all_draws_no_warning() -> None:
    with RawServer(kiosk_with()) as server, client(server.url) as kiosk:
        assert check_kiosk(kiosk, "segmentation", "Nuclear", "1") == []
    assert {request.method for request in server.requests} == {"GET"}


def test_an_unknown_job_type_is_told_with_the_known_ones() -> None:
    with (
        RawServer(kiosk_with()) as server,
        client(server.url) as kiosk,
        pytest.raises(PreflightError) as caught,
    ):
        check_kiosk(kiosk, "tracking")
    said = str(caught.value)
    assert "JOB_TYPE 'tracking'" in said
    assert "'segmentation', 'mesmer'" in said
    assert server.url in said


def test_a_kiosk_without_job_types_is_told_as_such() -> None:
    none = json_answer({"jobTypes": []})
    with (
        RawServer(kiosk_with(job_types=none)) as server,
        client(server.url) as kiosk,
        pytest.raises(PreflightError, match="it knows none"),
    ):
        check_kiosk(kiosk, "segmentation")


def test_a_long_list_is_cut() -> None:
    many = json_answer({"jobTypes": [f"type-{number}" for number in range(1_000)]})
    with (
        RawServer(kiosk_with(job_types=many)) as server,
        client(server.url) as kiosk,
        pytest.raises(PreflightError, match="'type-19' and 980 more"),
    ):
        check_kiosk(kiosk, "segmentation")


def test_an_unknown_model_is_told_with_the_known_ones() -> None:
    with (
        RawServer(kiosk_with()) as server,
        client(server.url) as kiosk,
        pytest.raises(PreflightError, match=r"MODEL 'Other'.*'Nuclear', 'Bare'"),
    ):
        check_kiosk(kiosk, "segmentation", "Other", "0")


def test_an_unknown_version_is_told_with_the_known_ones() -> None:
    with (
        RawServer(kiosk_with()) as server,
        client(server.url) as kiosk,
        pytest.raises(PreflightError, match=r"MODEL 'Nuclear:7'.*'0', '1'"),
    ):
        check_kiosk(kiosk, "segmentation", "Nuclear", "7")


def test_a_version_that_was_not_asked_for_is_not_looked_for() -> None:
    with RawServer(kiosk_with()) as server, client(server.url) as kiosk:
        assert check_kiosk(kiosk, "segmentation", "Nuclear", "") == []


#: As the real frontend answers with its own default, MODEL_PREFIX=models.
UNVERSIONED = json_answer({"models": {"Mesmer": [""], "Nuclear": ["", ""], "Bare": []}})


@pytest.mark.parametrize("model", ["Mesmer", "Nuclear", "Bare"])
def test_a_version_of_a_model_that_is_listed_without_any_is_taken_with_a_word(model: str) -> None:
    with RawServer(kiosk_with(models=UNVERSIONED)) as server, client(server.url) as kiosk:
        (warning,) = check_kiosk(kiosk, "segmentation", model, "3")
    assert f"MODEL '{model}:3'" in warning
    assert "could not be checked" in warning
    assert "MODEL_PREFIX" in warning


def test_an_unknown_model_is_refused_where_versions_are_not_known() -> None:
    with (
        RawServer(kiosk_with(models=UNVERSIONED)) as server,
        client(server.url) as kiosk,
        pytest.raises(PreflightError, match=r"no such model; it has 'Mesmer', 'Nuclear', 'Bare'"),
    ):
        check_kiosk(kiosk, "segmentation", "Other", "1")


def test_a_list_of_nameless_models_means_unknown() -> None:
    nameless = json_answer({"models": {"": [""]}})
    with RawServer(kiosk_with(models=nameless)) as server, client(server.url) as kiosk:
        assert check_kiosk(kiosk, "segmentation", "Nuclear", "1") == []


def test_an_empty_list_of_models_means_unknown() -> None:
    empty = json_answer({"models": {}})
    with RawServer(kiosk_with(models=empty)) as server, client(server.url) as kiosk:
        assert check_kiosk(kiosk, "segmentation", "Nuclear", "1") == []


@pytest.mark.parametrize(
    "answer", [raw_answer(500, b"no bucket", "text/plain"), html_answer(), json_answer({}, 404)]
)
def test_models_that_cannot_be_listed_are_a_warning(answer: bytes) -> None:
    with RawServer(kiosk_with(models=answer)) as server, client(server.url) as kiosk:
        (warning,) = check_kiosk(kiosk, "segmentation", "Nuclear", "1")
    assert "MODEL 'Nuclear' could not be checked" in warning
    assert "/api/models answered" in warning


def test_without_a_model_nobody_asks_for_models() -> None:
    with RawServer(kiosk_with(models=raw_answer(500))) as server, client(server.url) as kiosk:
        assert check_kiosk(kiosk, "segmentation") == []
    assert "/api/models" not in [request.path for request in server.requests]


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (answering(html_answer(200, "Sign in")), "does not seem to be a Kiosk.*HTML.*Sign in"),
        (answering(json_answer({}, 404)), "does not serve the Kiosk's API.*404.*need a path"),
        (answering(html_answer(401)), "does not serve.*401.*wants a login"),
        (answering(json_answer({"message": "Redis"}, 500)), "has a fault.*500.*Redis.*log"),
        (answering(html_answer(502, "Bad Gateway")), "has a fault.*502.*Bad Gateway"),
        (answering(json_answer({}, 429)), "too busy to start.*429.*see who else does"),
        (answering(json_answer({}, 503)), "nothing runs behind.*503.*look at the frontend's pods"),
        (answering(raw_answer(302, Location="https://h/login")), "lives elsewhere.*https://h/lo"),
        (closing_after(b""), "does not answer.*was closed"),
        (resetting_after_request, "does not answer.*the connection broke"),
        (answering(b"220 mail\r\n"), "does not answer.*is not HTTP"),
        (answering(json_answer([1])), "does not seem to be a Kiosk.*no JSON object"),
    ],
)
def test_each_bad_host_has_its_message(behaviour: Behaviour, said: str) -> None:
    with RawServer(behaviour) as server, client(server.url) as kiosk:
        with pytest.raises(PreflightError, match=said) as caught:
            check_kiosk(kiosk, "segmentation")
        assert slept_s(kiosk) <= 5
    assert server.url in str(caught.value)


def test_a_host_that_refuses_is_told_with_the_cure() -> None:
    with refusing_url() as url, client(url) as kiosk:
        with pytest.raises(PreflightError, match=r"cannot be reached.*refused.*is the Kiosk run"):
            check_kiosk(kiosk, "segmentation")
        assert 0 < slept_s(kiosk) <= 5


def test_a_host_that_hangs_ends_with_the_time_limit() -> None:
    with (
        RawServer(hanging) as server,
        client(server.url, request_timeout_s=0.1) as kiosk,
        pytest.raises(PreflightError, match=r"does not answer.*within 0\.1 s"),
    ):
        check_kiosk(kiosk, "segmentation")


@pytest.mark.parametrize(
    "blip", [html_answer(502), html_answer(503), json_answer({}, 429, Retry_After="1"), b"?"]
)
def test_a_fault_that_passes_is_waited_out(blip: bytes) -> None:
    with (
        RawServer(answering(blip, HEALTH, blip, JOB_TYPES)) as server,
        client(server.url) as kiosk,
    ):
        assert check_kiosk(kiosk, "segmentation", rng=random.Random(1)) == []
    assert len(server.requests) == 4


def test_a_retry_after_past_our_patience_is_not_waited_for() -> None:
    with (
        RawServer(answering(json_answer({}, 429, Retry_After="3600"))) as server,
        client(server.url) as kiosk,
    ):
        with pytest.raises(PreflightError, match="asks to wait 3600 s"):
            check_kiosk(kiosk, "segmentation")
        assert slept_s(kiosk) == 0


# -- find_base_url


def find(url: str, ca_file: Path | None = None, request_timeout_s: float = 5.0) -> str:
    return find_base_url(
        url,
        request_timeout_s=request_timeout_s,
        clock=HurriedClock(),
        rng=RNG,
        ca_file=str(ca_file) if ca_file else None,
    )


@pytest.mark.parametrize("answer", [HEALTH, html_answer(), json_answer({}, 404)])
def test_a_host_that_does_not_redirect_stays_as_it_is(answer: bytes) -> None:
    with RawServer(answering(answer)) as server:
        assert find(server.url + "/") == server.url
    assert server.requests[0].path == "/api/health-check"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("prefix", ["", "/kiosk"])
def test_a_redirect_to_https_on_the_same_host_is_used(
    status: int,
    prefix: str,
    certificate: tuple[Path, ssl.SSLContext],
    caplog: pytest.LogCaptureFixture,
) -> None:
    file, context = certificate
    caplog.set_level(logging.INFO)
    with RawServer(answering(HEALTH), tls=context) as secure:
        location = f"{secure.url}{prefix}/api/health-check"
        with RawServer(answering(raw_answer(status, Location=location))) as server:
            assert find(server.url + prefix, file) == secure.url + prefix
    assert server.requests[0].path == f"{prefix}/api/health-check"
    assert f"{server.url}{prefix} redirects to {secure.url}{prefix}" in caplog.text


def test_a_redirect_that_forgets_the_path_keeps_ours(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    file, context = certificate
    with (
        RawServer(answering(HEALTH), tls=context) as secure,
        RawServer(answering(raw_answer(301, Location=secure.url + "/"))) as server,
    ):
        assert find(server.url + "/kiosk", file) == secure.url + "/kiosk"
    assert secure.requests[0].path == "/kiosk/api/health-check"


def test_a_redirect_to_another_host_is_named_and_sent_nothing() -> None:
    with RawServer(answering(HEALTH)) as elsewhere:
        location = elsewhere.url.replace("127.0.0.1", "localhost") + "/api/health-check"
        with (
            RawServer(answering(raw_answer(302, Location=location))) as server,
            pytest.raises(PreflightError, match=r"another host \(localhost\)") as caught,
        ):
            find(server.url)
        assert elsewhere.connections == 0
    assert location in str(caught.value)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("/login?next=%2Fapi", "only a redirect from http to https"),
        ("http://127.0.0.1:1/api/health-check", "only a redirect from http to https"),
        ("https://127.0.0.1:1/oauth/login", "a page for a login"),
        ("https://127.0.0.1:99999999/", "is no address"),
        ("https://[::1/", "is no address"),
        ("ftp://127.0.0.1/api/health-check", "only a redirect from http to https"),
        ("https:///nowhere", "another host"),
        ("", "only a redirect from http to https"),
    ],
)
def test_a_redirect_that_leads_elsewhere_is_refused(location: str, said: str) -> None:
    with (
        RawServer(answering(raw_answer(302, Location=location))) as server,
        pytest.raises(PreflightError, match=said),
    ):
        find(server.url)
    assert len(server.requests) == 1


def test_a_second_redirect_is_refused(certificate: tuple[Path, ssl.SSLContext]) -> None:
    file, context = certificate
    onward = raw_answer(302, Location="https://login.example/")
    with RawServer(answering(onward), tls=context) as secure:
        location = secure.url + "/api/health-check"
        with (
            RawServer(answering(raw_answer(301, Location=location))) as server,
            pytest.raises(PreflightError, match="set API_HOST to the address that answers"),
        ):
            find(server.url, file)


def test_from_https_no_redirect_is_followed(certificate: tuple[Path, ssl.SSLContext]) -> None:
    file, context = certificate
    with RawServer(answering(HEALTH), tls=context) as elsewhere:
        onward = raw_answer(302, Location=elsewhere.url + "/api/health-check")
        with (
            RawServer(answering(onward), tls=context) as secure,
            pytest.raises(PreflightError, match="only a redirect from http to https"),
        ):
            find(secure.url, file)
        assert elsewhere.connections == 0


def test_a_redirect_to_a_host_with_an_untrusted_certificate_says_so(
    certificate: tuple[Path, ssl.SSLContext],
) -> None:
    with RawServer(answering(HEALTH), tls=certificate[1]) as secure:
        location = secure.url + "/api/health-check"
        with (
            RawServer(answering(raw_answer(301, Location=location))) as server,
            pytest.raises(PreflightError, match="certificate is not trusted"),
        ):
            find(server.url)
    assert secure.requests == []


@pytest.mark.parametrize("answer", [html_answer(502), json_answer({}, 500), html_answer(503)])
def test_a_fault_that_stays_is_told_after_a_few_tries(answer: bytes) -> None:
    with RawServer(answering(answer)) as server, pytest.raises(PreflightError, match="answered 50"):
        find(server.url)
    assert len(server.requests) > 1


def test_a_host_that_refuses_is_told_when_it_is_looked_for() -> None:
    with refusing_url() as url, pytest.raises(PreflightError, match="cannot be reached"):
        find(url)


def test_a_host_that_hangs_is_told_when_it_is_looked_for() -> None:
    with RawServer(hanging) as server, pytest.raises(PreflightError, match="does not answer"):
        find(server.url, request_timeout_s=0.1)


def test_a_pool_too_small_for_the_polls_to_come_is_told_of_with_the_cure() -> None:
    options = make_options(users=20_000, count=20_000, update_interval_s=10.0, pool_size=64)
    assert pool_warning(options, read_s=0.005) == ""  # 10 sockets of 64
    warning = pool_warning(options, read_s=0.05)  # 100 of 64
    assert "about 100 sockets" in warning
    assert "CONCURRENT_REQUESTS_PER_HOST is 64" in warning


@pytest.mark.parametrize("status", [429, 503])
def test_before_the_first_job_no_cure_is_a_setting_of_the_run(status: int) -> None:
    with (
        RawServer(answering(json_answer({}, status))) as server,
        pytest.raises(PreflightError) as caught,
    ):
        find_base_url(server.url, patience_s=0.0)
    assert "UPDATE_INTERVAL" not in str(caught.value)
    assert "fewer jobs" not in str(caught.value)
