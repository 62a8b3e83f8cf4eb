"""Web pages under ``/kiosk``: the present run, past runs, and static files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from flask import Blueprint, Response, abort, redirect, request, send_file

from kiosk_locust.errors import LedgerError, PageBusy
from kiosk_locust.reporting.web import assets, files, run_index
from kiosk_locust.reporting.web.run_index import RunEntry
from kiosk_locust.reporting.web.subprocess_reader import ReaderPool
from kiosk_locust.reporting.web.view_model import Picture

#: Viewers within this time share one response, in seconds.
FRESH_S = 1.9
#: Cached pictures of past runs.
MOST_CACHED = 8
#: Age in seconds after which the list of runs is remade; a new or changed ledger remakes it at
#: once.
LIST_FRESH_S = 10.0
#: Retry-After of a 503 response, in seconds.
RETRY_AFTER_S = 2

View = Callable[..., Any]


class CurrentRun(Protocol):
    """The running benchmark, or the last one of this process."""

    @property
    def name(self) -> str:
        """The run's."""

    @property
    def ledger(self) -> Path:
        """The run's."""

    def picture(self) -> Picture:
        """Its present picture."""


class PageSource(Protocol):
    """Source of the pages' content."""

    @property
    def current(self) -> CurrentRun | None:
        """The running benchmark, or the last one; None before the first."""

    @property
    def output_dir(self) -> Path:
        """Folder of past runs."""

    @property
    def refusal(self) -> str:
        """Reason why the last run did not start; empty if it did."""


class Pages:
    """Factory of the Flask blueprint; ``guard`` wraps each view, for example with a login."""

    def __init__(
        self, source: PageSource, guard: Callable[[View], View], *, in_locust: bool = True
    ) -> None:
        self._source = source
        self._in_locust = in_locust  # a live page exists
        self._guard = guard
        self._live: tuple[float, bytes] = (0.0, b"")
        self._past: dict[Path, tuple[float, bytes]] = {}
        self._listed: tuple[float, object, list[RunEntry]] = (0.0, None, [])
        self._programs = ReaderPool()

    def blueprint(self, prefix: str) -> Blueprint:
        """Blueprint of everything below ``prefix`` + ``/kiosk``."""
        kiosk_blueprint = Blueprint("kiosk", __name__, url_prefix=f"{prefix.rstrip('/')}/kiosk")
        rules: tuple[tuple[str, View], ...] = (
            ("", self.live),
            ("/data.json", self.live_data),
            ("/jobs.csv", self.live_csv),
            ("/runs", self.runs),
            ("/runs/<name>", self.past),
            ("/runs/<name>/data.json", self.past_data),
            ("/runs/<name>/jobs.csv", self.past_csv),
            ("/runs/<name>/files/<file>", self.file),
            ("/static/<file>", self.static),
        )
        for rule, view in rules:
            kiosk_blueprint.add_url_rule(rule, view.__name__, self._guard(view), methods=["GET"])
        slashed = self._guard(_without_slash)
        for number, rule in enumerate(rule for rule, _ in rules):
            kiosk_blueprint.add_url_rule(f"{rule}/", f"slashed_{number}", slashed, methods=["GET"])
        kiosk_blueprint.register_error_handler(PageBusy, _busy)
        kiosk_blueprint.after_request(_protected)
        return kiosk_blueprint

    # -- the run that is on

    def live(self) -> str:
        """Live page of the present run."""
        return page(root="kiosk/", data="data.json", title="The Kiosk, live", is_live=True)

    def live_data(self) -> Response:
        """Content of the live page as JSON, shared by concurrent viewers."""
        made_at, body = self._live
        now = time.monotonic()
        if not body or now - made_at > FRESH_S:
            body = self._live_body()
            self._live = (now, body)
        return _json(body)

    def _live_body(self) -> bytes:
        current = self._source.current
        if self._source.refusal or current is None:
            waiting = {"waiting": True, "refusal": self._source.refusal}
            return json.dumps(waiting).encode()
        return current.picture().as_json().encode()

    def live_csv(self) -> Response:
        """All jobs of the present run as CSV."""
        current = self._source.current
        if current is None or not current.ledger.is_file():
            abort(404, "No run was started yet.")
        return self._csv(current.ledger)

    # -- past runs

    def runs(self) -> str:
        """List of past runs."""
        try:
            listed = self._runs(self._source.output_dir)
        except LedgerError as error:
            abort(500, str(error))
        rows = [(run, quote(run.name, safe=""), _local(run.started_at)) for run in listed]
        template = assets.templates.get_template("runs.html")
        return template.render(
            runs=rows, folder=str(self._source.output_dir), in_locust=self._in_locust
        )

    def _runs(self, path: Path) -> list[RunEntry]:
        """Runs in a folder, cached for a short time."""
        made_at, listed_state, listed = self._listed
        now, state = time.monotonic(), (path, run_index.signature(path))
        if state != listed_state or now - made_at > LIST_FRESH_S:
            listed = run_index.from_json(self._programs.runs(path))
            self._listed = (now, state, listed)
        return listed

    def past(self, name: str) -> str:
        """Page of a past run."""
        self._ledger(name)
        data = f"runs/{quote(name, safe='')}/data.json"
        return page(root="../", data=data, title=name, is_live=False, in_locust=self._in_locust)

    def past_data(self, name: str) -> Response:
        """Content of a past run's page as JSON."""
        try:
            picture = self._picture(self._ledger(name))
        except (LedgerError, OSError) as error:
            return _json(json.dumps({"waiting": True, "refusal": str(error)}).encode())
        return _json(picture)

    def _picture(self, ledger: Path) -> bytes:
        """Picture of a past run as JSON; the latest ones are cached until their ledger changes."""
        written_at = ledger.stat().st_mtime
        cached = self._past.get(ledger)
        if cached is None or cached[0] != written_at:
            cached = self._past[ledger] = (written_at, self._programs.picture(ledger))
            while len(self._past) > MOST_CACHED:
                del self._past[next(iter(self._past))]
        return cached[1]

    def past_csv(self, name: str) -> Response:
        """All jobs of a past run as CSV."""
        return self._csv(self._ledger(name))

    def file(self, name: str, file: str) -> Response:
        """Download of one of the run's files; no other file is served."""
        ledger = self._ledger(name)
        try:
            file_names = self._file_names(ledger)
        except (LedgerError, OSError) as error:
            abort(422, str(error))
        path = ledger.parent / file
        if file not in file_names or not files.is_own(path):  # it may have become a link since
            abort(404, "The run has no such file.")
        return send_file(path.absolute(), as_attachment=True)

    def _file_names(self, ledger: Path) -> set[str]:
        """Names of a run's files, all in its ledger's folder."""
        current = self._source.current
        if current is not None and current.ledger == ledger:
            return {file.name for file in current.picture().files}
        return {file["name"] for file in json.loads(self._picture(ledger))["files"]}

    def _ledger(self, name: str) -> Path:
        path = run_index.ledger(self._source.output_dir, name)
        current = self._source.current
        if path is None and current is not None and current.name == name:
            path = current.ledger  # of a run that was resumed from another folder
        if path is None:
            abort(404, "There is no such run.")
        return path

    def _csv(self, ledger: Path) -> Response:
        """All jobs of a ledger as CSV; a HEAD request starts no process."""
        pieces = () if request.method == "HEAD" else self._programs.jobs_csv(ledger)
        answer = Response(pieces, mimetype="text/csv")
        answer.headers.set("Content-Disposition", "attachment", filename=f"{ledger.stem}_jobs.csv")
        return answer

    # -- static files

    def static(self, file: str) -> Response:
        """A style or script; plotly's script comes from its own package."""
        if file == "plotly.js" and (path := assets.plotly()) is not None:
            return send_file(path, mimetype="text/javascript", max_age=86400)
        if file not in (assets.STYLE, *assets.SCRIPTS):
            abort(404, "There is no such file.")
        kind = "text/css" if file.endswith(".css") else "text/javascript"
        return Response(assets.text(file), mimetype=kind)


def _without_slash(**_: str) -> Any:
    """Redirect to the same address without its trailing slash: links on pages are relative.

    The redirect is relative too, so it works behind a proxy that adds or strips a base path.
    """
    last = quote(request.path.rstrip("/").rpartition("/")[2])
    query = request.query_string.decode("latin-1")
    return redirect(f"../{last}" + (f"?{query}" if query else ""), code=308)


def page(*, root: str, data: str, title: str, is_live: bool, in_locust: bool = True) -> str:
    """HTML page of a run.

    ``root`` is the relative path from it to ``/kiosk/``, ``data`` the path of its JSON from there.
    """
    has_plotly = assets.plotly() is not None
    return assets.templates.get_template("page.html").render(
        root=root,
        data=data,
        title=title,
        is_live=is_live,
        in_locust=in_locust,
        scripts=assets.SCRIPTS,
        has_plotly=has_plotly,
        no_plotly=assets.NO_PLOTLY,
    )


def _json(body: bytes) -> Response:
    return Response(body, mimetype="application/json", headers={"Cache-Control": "no-store"})


def _busy(error: PageBusy) -> Response:
    """503 response for requests beyond the limit of concurrent readers."""
    answer = Response(f"{error}; try again in {RETRY_AFTER_S} s.\n", 503, mimetype="text/plain")
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def _local(moment: float | None) -> str:
    return "" if moment is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def _protected(answer: Response) -> Response:
    """Add headers that keep foreign scripts out of a page."""
    answer.headers["Content-Security-Policy"] = assets.CSP
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"
    return answer
