from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.model import image_failures
from kiosk_locust.model.image_failures import FailedImage, failed_images, grouped, last_line
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.record import Outcome
from kiosk_locust.reporting.web import view_model
from tests.helpers.ledgers import IMAGE_FIELDS, Row, make, summarise
from tests.helpers.records import close_in, record

ID = "0123456789abcdef0123456789abcdef"
TRACEBACK = (
    'Traceback (most recent call last):\n  File "a.py", line 9, in consume\n    x = f(a=1 & 2)\n'
    "ValueError: 50% of a,b & c=d are bad"
)
#: As grpcio writes it (the text of a gRPC error goes over several lines, the last is a bracket).
GRPC = (
    "Traceback (most recent call last):\n  ...\n"
    "grpc._channel._InactiveRpcError: <_InactiveRpcError of RPC that terminated with:\n"
    '\tstatus = StatusCode.UNAVAILABLE\n\tdetails = "failed to connect to all addresses"\n'
    '\tdebug_error_string = "{\\"created\\":\\"@1700000000.1\\"}"\n>'
)


def key(name: str) -> str:
    return f"segmentation:{name}:{ID}"


def test_names_and_last_lines_are_read_from_what_the_consumer_writes() -> None:
    text = urlencode(
        {key("a b.png"): TRACEBACK, key("sub/x:y&z=1.tif"): "boom", key("ü.png"): None}
    )
    assert list(failed_images(text)) == [
        FailedImage("a b.png", "ValueError: 50% of a,b & c=d are bad"),
        FailedImage("sub/x:y&z=1.tif", "boom"),
        FailedImage("ü.png", image_failures.NO_REASON),
    ]


def test_a_text_that_was_cut_off_keeps_what_it_has() -> None:
    text = urlencode({key("a.png"): TRACEBACK, key("b.png"): TRACEBACK})
    for length in range(len(text)):
        images = list(failed_images(text[:length]))
        assert len(images) <= 2
        assert not images or images[0].name.startswith(("s", "a.png"))
    assert list(failed_images("")) == list(failed_images("&&=&")) == []
    assert list(failed_images("%%E&=x")) == [
        FailedImage("%%E", image_failures.NO_REASON),
        FailedImage("", "x")
    ]  # fmt: skip


def test_of_a_grpc_error_the_details_are_told() -> None:
    assert last_line(GRPC) == (
        "grpc._channel._InactiveRpcError: <_InactiveRpcError of RPC that terminated with:"
        " failed to connect to all addresses"
    )
    assert last_line("") == last_line("\n \n>") == image_failures.NO_REASON
    assert len(last_line("x" * 10_000)) <= 200
    assert last_line("a\n\x1b[31mred") == "[31mred"  # nothing that a terminal obeys


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=20), st.text(max_size=200)))
def test_any_text_is_read_and_kept_within_bounds(found: dict[str, str]) -> None:
    text = urlencode({key(name): reason for name, reason in found.items()}, errors="replace")
    images = list(failed_images(text))
    assert len(images) == len(found)
    snapshot = Snapshot({"status": "done", "failures": text})
    assert (
        list(failed_images(image_failures.bounded(snapshot, "segmentation-zip:a.zip:1"))) == images
    )


def zip_fields(count: int, **more: str) -> dict[str, str]:
    keys = [f"segmentation:{number}.png:{number:032x}" for number in range(count)]
    return {
        "status": "done", "created_at": "2027-01-15T08:00:00.000Z", "children": ",".join(keys),
        "children:done": "", "children:failed": ",".join(keys),
        "failures": urlencode(dict.fromkeys(keys, TRACEBACK * 20)), **more,
    }  # fmt: skip


def closed(folder: Path, outcome: Outcome, fields: dict[str, str]) -> Path:
    path = folder / "run.db"
    ledger = Ledger.create(path, {})
    job = record(outcome=outcome, fields=fields, file="a.zip")
    job.job_id, job.closed_at = "segmentation-zip:a.zip:1", 110.0
    job.ticket = replace(job.ticket, id=1)
    ledger.lease(job)
    close_in(ledger, job)
    ledger.close()
    return path


def test_what_a_ledger_keeps_of_ten_thousand_failed_images_is_bounded(tmp_path: Path) -> None:
    fields = zip_fields(10_000)
    path = closed(tmp_path, Outcome.FAILED, fields)
    with closing(sqlite3.connect(path)) as db:
        sql = "SELECT images_failed, json_extract(fields, '$.failures') FROM tickets"
        ((failed, kept),) = db.execute(sql).fetchall()
    assert failed == 10_000
    assert len(fields["failures"]) > 30_000_000
    assert len(kept) < 100 * 200
    images = list(failed_images(kept))
    assert [image.name for image in images] == [f"{number}.png" for number in range(100)]
    assert {image.reason for image in images} == {"ValueError: 50% of a,b & c=d are bad"}


def test_images_that_the_kiosk_gave_no_reason_for_are_named_all_the_same(tmp_path: Path) -> None:
    fields = zip_fields(3, failures="", status="failed")
    first, second, third = fields["children"].split(",")
    fields |= {"children:done": first, "children:failed": second}
    path = closed(tmp_path, Outcome.FAILED, fields)
    with closing(sqlite3.connect(path)) as db:
        ((kept,),) = db.execute("SELECT json_extract(fields, '$.failures') FROM tickets")
    assert list(failed_images(kept)) == [
        FailedImage("1.png", image_failures.NO_REASON),
        FailedImage("2.png", image_failures.NOT_ENDED)
    ]  # fmt: skip
    assert third.startswith("segmentation:2.png")


def test_groups_come_by_their_images_and_the_rest_together() -> None:
    jobs = [
        ([FailedImage(f"{n}.png", "often") for n in range(7)], 9, "whole"),
        ([FailedImage("x.png", "once"), FailedImage("0.png", "often")], 2, ""),
        *(([FailedImage(f"r{n}.png", f"reason {n:02}")], 1, "") for n in range(20)),
    ]
    first, second, *_, last = groups = grouped(jobs)
    assert (first.reason, first.images, first.jobs, len(first.names)) == ("often", 8, 2, 5)
    assert first.text == ("8 images failed: often (0.png, 1.png, 2.png, 3.png, 4.png, ...)")
    assert (second.reason, second.images, second.names) == ("whole", 2, ())
    assert len(groups) == 11
    assert (last.reason, sum(group.images for group in groups)) == (image_failures.OTHERS, 31)


def test_every_failed_image_of_a_run_is_in_a_group(tmp_path: Path) -> None:
    """An image job, a ZIP that failed as a whole, one of 150 images of which 100 are kept."""
    many = {**IMAGE_FIELDS, "failures": image_failures.bounded(Snapshot(zip_fields(150)), "")}
    of_zip: dict[str, Any] = {"file": "a.zip", "job_id": "segmentation-zip:a.zip:1"}
    rows = [
        Row(number=0, file="x.png", outcome="failed", images_done=0, images_failed=1,
            reason="Traceback\n  deep\nKeyError: 'x'"),
        Row(number=1, outcome="failed", images_done=0, images_failed=4, reason="no ZIP", **of_zip),
        Row(number=2, outcome="partial", images_done=9, images_failed=150, fields=many, **of_zip),
    ]  # fmt: skip
    found = summarise(make(tmp_path / "run.db", rows)).failures
    assert {group.reason: (group.images, group.names[:1]) for group in found} == {
        "KeyError: 'x'": (1, ("x.png",)),
        "no ZIP": (4, ("a.zip",)),
        "ValueError: 50% of a,b & c=d are bad": (100, ("0.png",)),
        image_failures.NOT_KEPT: (50, ()),
    }
    assert [group.text for group in found if "50%" in group.reason] == [
        "at least 100 images failed: ValueError: 50% of a,b & c=d are bad"
        " (0.png, 1.png, 2.png, 3.png, 4.png, ...)"
    ]
    assert {group.reason for group in found if not group.at_least} == {image_failures.NOT_KEPT}


def test_pages_and_reports_say_of_a_reason_what_the_results_say() -> None:
    for reason in (TRACEBACK, GRPC, "  only this\n", "one\n  File x\n)", ""):
        shown = view_model.excerpt(reason)
        assert last_line(reason) == (shown or image_failures.NO_REASON)
    assert view_model.excerpt(GRPC).endswith("failed to connect to all addresses")
