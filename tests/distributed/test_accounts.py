"""A master and the accounts of its workers: which ones count, and what they tell of the dead."""

from __future__ import annotations

from pathlib import Path

from kiosk_locust.codec import encode
from kiosk_locust.distributed.messages import Report
from kiosk_locust.formatting.json_text import dumps
from kiosk_locust.ledger import send_account
from kiosk_locust.ledger.apply_event import apply, unreported
from kiosk_locust.ledger.send_account import Answer, Sent
from kiosk_locust.model.record import Attempt, AttemptResult, JobRequest
from kiosk_locust.model.ticket_events import Submitted, Taken, Tried
from tests.distributed.test_coordinator_run import Master, finish, joined
from tests.helpers.scenarios import make_record

REQUEST = JobRequest("segmentation", "a.png", "uploads/a.png")
ABOUT = dumps(encode(Taken("User", REQUEST, 99.0)))
ANSWER = Answer("s:1", 100.0, 100.1, 100.2, 200)


def test_a_dead_workers_account_tells_what_its_news_would_have() -> None:
    record = make_record(1)
    record.user_class, record.request = "", JobRequest("", "", "")
    kinds = []
    for event in unreported([Sent(1, 1, ABOUT, ANSWER)], record, 200.0):
        kinds.append(type(event))
        apply(record, event)
    assert kinds == [Taken, Tried, Submitted]
    assert (record.user_class, record.request, record.job_id) == ("User", REQUEST, "s:1")
    assert [(a.number, a.result, a.sent_at) for a in record.attempts] == [(1, "accepted", 100.1)]
    assert not record.ambiguous


def test_an_attempt_that_was_reported_is_not_told_again() -> None:
    record = make_record(1)
    record.attempts = [Attempt(1, 100.0, 100.1, 100.2, AttemptResult.ACCEPTED, 200, "", "s:1")]
    events = list(unreported([Sent(1, 1, ABOUT, ANSWER)], record, 200.0))
    assert events == [Submitted("s:1", 100.1)]


def test_a_request_beside_the_answered_one_leaves_the_ticket_in_doubt() -> None:
    record = make_record(1)
    for event in unreported([Sent(1, 1, b"", None), Sent(1, 2, b"", ANSWER)], record, 200.0):
        apply(record, event)
    assert record.ambiguous
    assert [a.result for a in record.attempts] == ["maybe", "accepted"]


def test_of_a_ticket_without_an_answer_there_are_no_events() -> None:
    assert list(unreported([Sent(1, 1, ABOUT, None)], make_record(1), 200.0)) == []


def report(master: Master, account: str) -> None:
    master.run.on_report(
        "w", encode(Report("r", 1, 0.0, 1, 1, (), False, 0.25, 0.125, "", None, account))
    )


def kept(master: Master) -> list[tuple[str, str]]:
    return master.sql("SELECT key, value FROM meta WHERE key LIKE 'send_account%'")


def test_the_ledger_names_the_account_of_each_worker_until_nothing_of_it_is_open(
    tmp_path: Path,
) -> None:
    master = joined(tmp_path)
    place = send_account.place_of(master.path)
    account = send_account.keep_at_worker(place, lambda: 0, pool_size=4)
    assert account is not None
    report(master, account.token)
    assert kept(master) == [("send_account:w", account.token)]
    assert "still alive" in master.run._log.account_of("w").why
    account.about_to_send(make_record(1))
    account.close()
    statement = master.run._log.account_of("w")
    assert ([s.ticket_id for s in statement.sent], statement.is_complete) == ([1], True)
    master.run._log.forget("w")
    assert kept(master) == []
    finish(master)


def test_a_worker_without_an_account_is_noted_and_its_words_lead_to_no_file(
    tmp_path: Path,
) -> None:
    master = joined(tmp_path)
    report(master, "")
    assert kept(master) == [("send_account:w", "")]
    report(master, "../../etc/passwd")
    assert not master.run._log.account_of("w").is_complete
    assert master.run._log.account_of("nobody").sent == ()
    finish(master)
