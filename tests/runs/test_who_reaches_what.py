"""Cells of the table in docs/reference/security-table.md that no other test shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kiosk_locust.cli import upload_results
from kiosk_locust.codec import encode
from kiosk_locust.distributed.messages import Report
from kiosk_locust.model.record import JobRequest, Outcome, Upload
from kiosk_locust.model.ticket_events import Batch, Closed, Entry, Submitted, Taken
from tests.distributed.test_coordinator_run import Master, finish, grant_of, joined, told
from tests.helpers.ledgers import make
from tests.helpers.servers import RawServer, answering, json_answer
from tests.plugin.test_web_login import Page

NONE = answering(json_answer({"error": {"message": "none"}}, 404))


def granted_to(master: Master) -> int:
    """The number of a ticket that the worker holds."""
    grant = grant_of(told(master, 1))
    assert grant
    return grant.records[0].ticket.id


def test_a_name_that_a_worker_gives_itself_leads_the_master_to_no_file(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (secret := tmp_path / "secret.account").write_text("canary")
    master = joined(tmp_path / "run")
    ticket = granted_to(master)
    named = "/../../secret"
    report = Report("r", 1, 2.0, 2, 0, (), False, 0.25, 0.125, "", account=named)
    master.run.on_report("w", encode(report))
    statement = master.run._log.account_of("w")
    assert (statement.sent, statement.is_complete) == ((), False)
    upload = Upload(1.0, 2.0, 3, "../../elsewhere")
    told(master, 3, Batch(1, (Entry(1, ticket, upload),)))
    finish(master)
    assert secret.read_text() == "canary"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "secret.account"]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["run.db"]


def test_no_address_that_a_worker_tells_of_is_asked_by_the_master(tmp_path: Path) -> None:
    with RawServer(NONE) as server:
        master = joined(tmp_path)
        ticket = granted_to(master)
        request = JobRequest("image.png", "image.png", server.url)
        fields = {"status": "done", "output_url": f"{server.url}/a.zip"}
        closed = Closed("job", Outcome.DONE, "", 9.0, 1, None, 9.0, fields)
        said = (Taken("Kiosk", request, 1.0), Submitted("job", 2.0), closed)
        batch = Batch(1, tuple(Entry(1, ticket, event) for event in said))
        assert told(master, 2, batch).acked == 1
        assert master.sql("SELECT outcome FROM tickets WHERE job_id = 'job'") == [("done",)]
        finish(master)
        assert server.connections == 0


@pytest.mark.parametrize(("ours", "asked"), [("", "theirs"), ("gs://ours", "ours")])
def test_upload_results_goes_to_the_ledgers_bucket_unless_another_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: str, asked: str
) -> None:
    monkeypatch.chdir(tmp_path)
    bucket = {"files": {"storage_bucket": "gs://theirs"}}
    make(tmp_path / "run.db", [], options=bucket, run_name="run")
    with RawServer(NONE) as google:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", google.url)
        monkeypatch.setenv("STORAGE_BUCKET", ours)
        assert upload_results.main(["run.db"]) == 2
        paths = {request.path for request in google.requests}
    assert paths
    assert all(f"/b/{asked}" in path for path in paths)


def test_without_the_login_every_page_leads_to_it(tmp_path: Path) -> None:
    page = Page(tmp_path)
    assert page.web_ui.app is not None
    client = page.client()
    asked = 0
    for rule in page.web_ui.app.url_map.iter_rules():
        path = re.sub(r"<[^>]*>", "x", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            if path == "/b/login" or rule.endpoint.endswith("static"):
                continue  # the login page itself, and Locust's scripts
            answer = client.open(path, method=method)
            leads_there = answer.headers.get("Location", "").startswith("/b/login")
            assert leads_there or answer.status_code == 404, (method, path)
            asked += leads_there
    page.runner.quit()
    assert asked > 20
