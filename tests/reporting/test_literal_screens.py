"""Whatever stands in a text from outside, screens show it letter by letter.

Each text here has a number, and is put into every field that a screen may show; of each number
that is seen on the screen, the whole text must be there.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import kiosk_locust
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.measurement.live_metrics import View
from kiosk_locust.measurement.summary import summarise
from kiosk_locust.model.record import Outcome
from kiosk_locust.planning import output
from kiosk_locust.planning.plan import ForecastPlan
from kiosk_locust.reporting.terminal import progress, summary_table
from kiosk_locust.simulator.settings import ClusterSettings
from kiosk_locust.verdict.exit_code import Verdict
from kiosk_locust.verdict.judgement import Finding, Judgement
from kiosk_locust.verdict.rules import Reason
from kiosk_locust.verdict.thresholds import Result
from tests.helpers.ledgers import T0, Row, make
from tests.helpers.real import CLEAN, ROOT, run_locust, simulator
from tests.reporting.terminal.test_summary_table import priced

#: Markup that does not close what it opened, a style, a link, an emoji, escapes.
AFTER = r"] [/] [red]r[/red] [link=x]l[/link] \[a] :on: :warning: [[b]] [1;31m"
_numbers = itertools.count(1)


def hostile() -> str:
    """A new text that a parser of markup would change, or break at."""
    return f"[/n{next(_numbers)}n{AFTER}"


def seen(screen: str) -> set[str]:
    """The numbers on the screen, after the test that each text of theirs is whole."""
    numbers = set(re.findall(r"n\d+n", screen))
    damaged = {number for number in numbers if f"[/{number}{AFTER}" not in screen}
    assert not damaged, screen
    return numbers


def filled(value: Any) -> Any:
    """The same with each text in it hostile, and each key that is not one of our own words."""
    if isinstance(value, str) and type(value) is str:
        return hostile()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field for field in dataclasses.fields(value) if field.init]
        return dataclasses.replace(
            value, **{field.name: filled(getattr(value, field.name)) for field in fields}
        )
    if isinstance(value, Mapping):
        return {name: filled(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(filled(each) for each in value)
    return value


@pytest.fixture(params=["rich's own console", "ours"])
def console(request: pytest.FixtureRequest) -> Console:
    file = io.StringIO()
    if request.param == "ours":
        return Console(file=file, width=4000, markup=False, emoji=False, highlight=False)
    return Console(file=file, width=4000)


def screen_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def a_judgement() -> Judgement:
    finding = Finding("t", "m", "w", "m", Result.MISS, is_close=True, note="n")
    return Judgement((Reason("r", "w", "o"),), (), (finding,), ("w",))


def test_the_closing_screen_shows_every_text_as_it_is(tmp_path: Path, console: Console) -> None:
    rows = [Row(submitted_at=T0 + n, due_at=T0 + n, number=n) for n in range(5)]
    found = summarise(make(tmp_path / "run.db", rows, options={"warmup": "1 job"}))
    by_type = {hostile(): each for each in (*found.by_job_type.values(),) * 2}
    summary = dataclasses.replace(filled(found), by_job_type=by_type)
    cost = filled(priced(at_least=True, longer=60.0))
    summary_table.show(
        console,
        summary,
        Verdict(2, hostile()),
        run_name=hostile(),
        simulated=True,
        files=[Path(hostile())],
        uploaded=[hostile()],
        advice=[hostile()],
        cost=RunCost(hostile(), hostile(), cost.run),
        judgement=filled(a_judgement()),
    )
    # The run, 2 job types, headline, verdict, file, upload, advice; 1 estimate's name and meaning,
    # source, reason, note; 4 cells of the threshold (the result is ours), warning, why and limit.
    assert len(seen(screen_of(console))) >= 18


def test_a_cost_that_is_not_known_is_told_as_it_came(tmp_path: Path, console: Console) -> None:
    summary = summarise(make(tmp_path / "run.db", [Row()]))
    summary_table.show(
        console,
        summary,
        Verdict(0, ""),
        run_name="a",
        simulated=False,
        files=(),
        cost=RunCost("", hostile()),
    )
    assert len(seen(screen_of(console))) == 1


def test_progress_shows_statuses_jobs_and_notes_as_they_are(console: Console) -> None:
    view = View(
        total=9,
        closed=1,
        submitted=4,
        statuses={hostile(): 2, hostile(): 1},
        outcomes={Outcome.DONE: 1},
        images_done=1,
        images_failed=0,
        elapsed_s=1.0,
        rate_per_s=1.0,
        left_s=1.0,
        waited_for=(hostile(), hostile()),
    )
    console.print(progress.picture(view, note=hostile()))
    assert len(seen(screen_of(console))) == 5
    assert len(seen(progress.line(view, hostile()))) == 5


def test_a_forecast_shows_its_sources_as_they_are(console: Console) -> None:
    cell = output.cell(
        ForecastPlan(images=1, zips=False, cluster=ClusterSettings(seed=1)), PriceBook.of()
    )
    bill = dataclasses.replace(cell.bill, sources=(hostile(),), lacking=(hostile(),))
    limits = (dataclasses.replace(cell.limits[0], part=hostile()), *cell.limits[1:])
    output.show(console, [dataclasses.replace(cell, bill=bill, limits=limits)])
    assert len(seen(screen_of(console))) == 3


@contextmanager
def refusing_with(text: str) -> Iterator[str]:
    """A server that answers everything with 403 and ``text``."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text.encode()
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  as the base class has it

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_run_whose_prometheus_refuses_with_brackets_has_its_closing_screen(
    tmp_path: Path,
) -> None:
    said = "no [/api/v1/query] for :on: [red]you[/red]"
    folder = tmp_path / "[b] [red]:on:"
    folder.mkdir()
    with refusing_with(said) as prometheus, simulator() as kiosk:
        found = run_locust(folder, "-u", "2", host=kiosk.url, PROMETHEUS_URL=prometheus)
    assert (found.code, said in found.output) == (0, True), found.output
    assert found.output.rstrip().endswith("exit code 0: both jobs are done")


def command(folder: Path, *words: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "kiosk_locust", *words],
        check=False,
        cwd=folder,
        env=CLEAN | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


def test_check_shows_what_a_kiosk_and_a_setting_say_as_it_is(tmp_path: Path) -> None:
    said = "no [/predict] :on: [red]here[/red]"
    with refusing_with(said) as kiosk:
        shown = command(tmp_path, "check", API_HOST=kiosk, FILE="[/red]a:on:.png", MODEL="m:1")
    assert said in shown
    shown = command(tmp_path, "check", API_HOST="http://127.0.0.1:9", EXPIRE_TIME="[/] :on:")
    assert "[/] :on:" in shown


def test_report_and_expire_show_paths_as_they_are(tmp_path: Path) -> None:
    name = "[b] [red]:on:.db"
    shown = [command(tmp_path, "report", name), command(tmp_path, "expire", name)]
    assert all(name in each for each in shown), shown
    make(tmp_path / name, [Row()], run_name="[x] :on:")
    assert "[x] :on:.html" in command(tmp_path, "report", name)


def test_every_console_and_table_of_the_package_is_made_where_nothing_is_parsed() -> None:
    folder = Path(kiosk_locust.__file__).parent
    made = re.compile(r"\b(Console|Table|Table\.grid)\(|from_markup|rich\.print|\bPrompt\b")
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if made.search(path.read_text("utf-8"))
    }
    assert found == {"formatting/console.py"}


def test_richs_own_console_parses_cells_and_plain_strings() -> None:
    """Why there is ``console``: it can go once this fails."""
    console = Console(file=io.StringIO(), width=80)
    console.print("a:on:b [red]c[/red]", highlight=False)
    assert screen_of(console) == "a🔛b c\n"
