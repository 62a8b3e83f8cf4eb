"""What a peer at the master's port says is checked, and peers that are no workers get no users."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from locust import User, __version__
from locust.env import Environment
from locust.rpc import Message, zmqrpc
from locust.runners import STATE_RUNNING, STATE_SPAWNING, STATE_STOPPED, MasterRunner
from locust.stats import RequestStats, setup_distributed_stats_event_listeners

from kiosk_locust.distributed.unreadable_messages import UNREAD
from kiosk_locust.errors import RelayError
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.plugin import locust_patches, master_runner
from kiosk_locust.plugin.master_runner import PatientMaster
from kiosk_locust.plugin.message_checks import check


class Plain(User):
    """For Locust's dispatcher, which wants a class."""


def reported() -> dict[str, Any]:
    """What Locust itself makes a worker report, as it comes from the wire."""
    environment = Environment(user_classes=[Plain])
    stats: Any = RequestStats()
    setup_distributed_stats_event_listeners(environment.events, stats)
    stats.log_request("POST", "/api/predict", 123.4, 7)
    stats.log_request("GET", "/api/status", None, 0)
    stats.log_error("GET", "/api/status", ValueError("no status"))
    data: dict[str, Any] = {"user_classes_count": {"Plain": 2}, "user_count": 2}
    environment.events.report_to_master.fire(client_id="w", data=data)
    wired: dict[str, Any] = Message.unserialize(Message("stats", data, "w").serialize()).data
    return wired


def beating(**changes: Any) -> dict[str, Any]:
    return {
        "state": STATE_RUNNING,
        "current_cpu_usage": 12.5,
        "current_memory_usage": 9_000_000,
    } | changes


RIGHT = (
    ("client_ready", __version__),
    ("client_ready", None),
    ("client_ready", -1),
    ("client_stopped", None),
    ("heartbeat", beating()),
    ("spawning", None),
    ("spawning_complete", {"user_classes_count": {"Plain": 2}, "user_count": 2}),
    ("exception", {"msg": "no", "traceback": "at line 1"}),
    ("logs", {"worker_id": "w", "logs": ["a line"]}),
    ("locustfile", {"version": __version__}),
    ("quit", None),
    ("kiosk_report", object()),
    ("of a user's own", {"any": object()}),
)


@pytest.mark.parametrize(("kind", "data"), RIGHT)
def test_what_locusts_workers_say_passes(kind: str, data: Any) -> None:
    check("w", Message(kind, data, "w"))


def test_a_report_as_locust_makes_it_passes_and_has_entries_and_errors() -> None:
    data = reported()
    assert len(data["stats"]) == 2
    assert len(data["errors"]) == 1
    check("w", Message("stats", data, "w"))


def test_what_listeners_of_a_report_add_passes() -> None:
    check("w", Message("stats", reported() | {"more": {"of": "theirs"}}, "w"))


WRONG: tuple[tuple[str, Any, str], ...] = (
    ("client_ready", 2.47, "client_ready is not a version"),
    ("client_ready", True, "client_ready is not a version"),
    ("locustfile", None, "locustfile is not a map"),
    ("locustfile", {}, "locustfile has no version"),
    ("heartbeat", [], "heartbeat is not a map"),
    ("heartbeat", beating(state="asleep"), "heartbeat.state is not a state of a worker"),
    ("heartbeat", beating(state=[]), "heartbeat.state is not a state of a worker"),
    ("heartbeat", beating(current_cpu_usage=None), "current_cpu_usage is not a finite number"),
    ("heartbeat", beating(current_memory_usage=float("nan")), "is not a finite number: nan"),
    ("spawning_complete", {"user_classes_count": {"Plain": True}}, "is not a whole number from 0"),
    ("spawning_complete", {"user_classes_count": {"Plain": -1}}, "is not a whole number from 0"),
    ("spawning_complete", {}, "spawning_complete has no user_classes_count"),
    ("exception", {"msg": "no", "traceback": []}, "exception.traceback is not a text"),
    ("logs", {"worker_id": "w", "logs": "a line"}, "logs.logs is not a list"),
    ("logs", {"worker_id": "another", "logs": []}, "logs.worker_id is not its sender"),
)


@pytest.mark.parametrize(("kind", "data", "why"), WRONG)
def test_a_field_of_another_type_is_refused_by_its_name(kind: str, data: Any, why: str) -> None:
    with pytest.raises(RelayError, match=why):
        check("w", Message(kind, data, "w"))


ENTRY = (
    *("name", "method", "last_request_timestamp", "start_time", "num_requests"),
    *("num_none_requests", "num_failures", "total_response_time", "max_response_time"),
    *("min_response_time", "total_content_length", "response_times", "num_reqs_per_sec"),
    "num_fail_per_sec",
)
ERROR = ("name", "method", "error", "occurrences", "first_seen", "last_seen")
PLACES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "stats": lambda data: data["stats"][0],
    "stats_total": lambda data: data["stats_total"],
    "errors": lambda data: next(iter(data["errors"].values())),
    "": lambda data: data,
}


@pytest.mark.parametrize(
    ("place", "field"),
    [
        *(("stats", field) for field in ENTRY),
        *(("stats_total", field) for field in ENTRY),
        *(("errors", field) for field in ERROR),
        *(("", field) for field in ("stats", "stats_total", "errors", "user_classes_count")),
    ],
)
def test_each_field_of_a_report_that_locust_stores_is_checked(place: str, field: str) -> None:
    data = reported()
    assert field in PLACES[place](data)
    PLACES[place](data)[field] = (1,)
    with pytest.raises(RelayError, match=f"{field} is not "):
        check("w", Message("stats", data, "w"))


def test_a_message_in_the_name_of_another_is_refused() -> None:
    with pytest.raises(RelayError, match="which is not its sender"):
        check("stranger", Message("client_stopped", None, "w"))


# -- at a real master


class Watched:
    """A real master of Locust's, made patient; what it sends is kept, and nothing is sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        environment = Environment(user_classes=[Plain])
        self.master = PatientMaster.made_of(environment.create_master_runner("127.0.0.1", 0))
        self.master.spawn_rate = 1.0
        self.sent: list[tuple[str, str]] = []
        monkeypatch.setattr(
            self.master.server,
            "send_to_client",
            lambda message: self.sent.append((message.type, message.node_id)),
        )

    def hear(self, worker: str, kind: str, data: Any = None) -> None:
        self.master.handle_message(worker, Message(kind, data, worker))

    def join(self, *workers: str) -> None:
        for worker in workers:
            self.hear(worker, "client_ready", __version__)

    def looks(self, count: int, *greeted: str, **more: Any) -> SimpleNamespace:
        """So many looks at a run to which these workers said hello; the clock is a counter."""
        left = iter(range(count))
        run: Any = SimpleNamespace(
            greeted=set(greeted),
            gone=[],
            options=SimpleNamespace(worker_wait_s=1e9),
            state=RunState(),
        )
        run.expect_no_more_of = run.gone.append

        def sleep(_seconds: float) -> None:
            if next(left, None) is None:
                run.state.stopping.set()

        clock: Any = SimpleNamespace(now=lambda: 0.0, sleep=sleep)
        vars(run).update(more)
        self.master._watch(run, clock)
        return run  # type: ignore[no-any-return]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    for owner, name in (
        (MasterRunner, "handle_message"),
        (zmqrpc.BaseSocket, "recv"),
        (zmqrpc.BaseSocket, "recv_from_client"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # undone at the end
    locust_patches._keep_listening()
    monkeypatch.setattr(UNREAD, "count", 0)
    made = Watched(monkeypatch)
    yield made
    made.master.greenlet.kill()
    made.master.server.close(linger=0)


def test_a_master_stores_nothing_of_a_message_that_is_refused(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.join("w")
    watched.hear("w", "spawning_complete", {"user_classes_count": {"Plain": 2}})
    stored = watched.master.clients["w"].user_classes_count
    with caplog.at_level(logging.ERROR, "kiosk_locust.distributed.unreadable_messages"):
        watched.hear("w", "spawning_complete", {"user_classes_count": ["Plain"]})
    assert watched.master.clients["w"].user_classes_count is stored
    assert UNREAD.count == 1
    assert "a message of w could not be read, and is left out: spawning_complete." in caplog.text


def test_a_report_that_is_refused_changes_no_statistics(watched: Watched) -> None:
    watched.join("w")
    watched.hear("w", "stats", reported())
    assert watched.master.stats.total.num_requests == 2
    watched.hear("w", "stats", reported() | {"user_count": None})
    assert watched.master.stats.total.num_requests == 2
    assert UNREAD.count == 1


# -- looking after the workers


def test_the_looks_at_workers_go_on_after_one_that_failed_which_is_logged_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[int] = []

    def fails() -> None:
        looks.append(1)
        raise TypeError("injected")

    watched.join("w")
    monkeypatch.setattr(watched.master, "_spread_users", fails)
    watched.looks(5, "w")
    assert len(looks) == 6
    assert caplog.text.count("the look at the workers is repeated") == 1


def test_users_are_spread_again_after_a_start_that_failed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = watched.master
    started: list[int] = []

    def start(_self: MasterRunner, *_: Any) -> None:
        started.append(1)
        master.update_state(STATE_SPAWNING)
        if len(started) < 3:
            raise TypeError("injected")
        master.update_state(STATE_RUNNING)

    monkeypatch.setattr(MasterRunner, "start", start)
    watched.join("w")
    master.state = STATE_RUNNING
    watched.looks(5, "w")
    assert len(started) == 3
    assert master.state == STATE_RUNNING


def with_users(watched: Watched, monkeypatch: pytest.MonkeyPatch, *workers: str) -> list[set[str]]:
    """These workers have joined and have users; the sets that users were spread over, in order."""
    spread: list[set[str]] = []
    monkeypatch.setattr(
        MasterRunner,
        "start",
        lambda self, *_: spread.append({node.id for node in self.clients.all}),
    )
    monkeypatch.setattr(master_runner, "HELLO_LOOKS", 3)
    watched.join(*workers)
    watched.master.state = STATE_RUNNING
    return spread


def test_users_are_taken_from_a_peer_that_says_no_hello_and_it_is_told_to_go(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spread = with_users(watched, monkeypatch, "ours", "stranger")
    run = watched.looks(8, "ours")
    assert spread == [{"ours", "stranger"}, {"ours"}]
    assert ("quit", "stranger") in watched.sent
    assert ("quit", "ours") not in watched.sent
    assert caplog.text.count("worker stranger is refused: ") == 1
    assert run.gone == ["stranger"]


def test_a_peer_that_was_refused_is_not_let_in_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_users(watched, monkeypatch, "ours", "stranger")
    watched.looks(8, "ours")
    watched.sent.clear()
    watched.join("stranger")
    assert list(watched.master.clients) == ["ours"]
    assert watched.sent == [("quit", "stranger")]


@pytest.mark.parametrize("looks", [0, 2])
def test_a_worker_may_take_its_time_for_its_hello(
    looks: int, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_users(watched, monkeypatch, "late")
    watched.looks(looks)
    watched.looks(8, "late")
    assert list(watched.master.clients) == ["late"]


def test_between_tests_no_worker_is_asked_for_a_hello(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_users(watched, monkeypatch, "waiting")
    watched.master._spawned_at = frozenset({"waiting"})  # by the test before
    watched.master.state = STATE_STOPPED
    watched.looks(8)
    assert list(watched.master.clients) == ["waiting"]
