"""The pages under ``/kiosk``: of the run that is on, of past ones, and what they are made of."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from flask import Blueprint, Response, abort, redirect, request, send_file

from kiosk_locust.errors import LedgerError
from kiosk_locust.guarded import FACTS_S
from kiosk_locust.reading import facts, opened
from kiosk_locust.web import assets, files, folder, programs
from kiosk_locust.web.picture import Picture

#: Viewers within it share one answer.
FRESH_S = 1.9
#: So many pictures of past runs are kept.
MOST_KEPT = 8

View = Callable[..., Any]


class Current(Protocol):
    """The run that is on, or was on last in this process."""

    name: str
    ledger: Path

    def picture(self) -> Picture:
        """It at this moment."""


class Source(Protocol):
    """Where the pages look."""

    @property
    def current(self) -> Current | None:
        """The run that is on, or was last; None before the first."""

    @property
    def output_dir(self) -> Path:
        """The folder of past runs."""

    @property
    def refusal(self) -> str:
        """Why the last run did not start; empty if it did."""


class Pages:
    """Makes the blueprint; ``guard`` wraps each view, as for a login."""

    def __init__(
        self, source: Source, guard: Callable[[View], View], *, in_locust: bool = True
    ) -> None:
        self._source = source
        self._in_locust = in_locust  # whether there is a live page to lead to
        self._guard = guard
        self._live: tuple[float, bytes] = (0.0, b"")
        self._past: dict[Path, tuple[float, bytes]] = {}

    def blueprint(self, prefix: str) -> Blueprint:
        """Everything below ``prefix`` + ``/kiosk``."""
        made = Blueprint("kiosk", __name__, url_prefix=f"{prefix.rstrip('/')}/kiosk")
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
            made.add_url_rule(rule, view.__name__, self._guard(view), methods=["GET"])
        slashed = self._guard(_without_slash)
        for number, rule in enumerate(rule for rule, _ in rules):
            made.add_url_rule(f"{rule}/", f"slashed_{number}", slashed, methods=["GET"])
        made.after_request(_protected)
        return made

    # -- the run that is on

    def live(self) -> str:
        """Its page."""
        return page(root="kiosk/", data="data.json", title="The Kiosk, live", is_live=True)

    def live_data(self) -> Response:
        """What its page shows now; several viewers share it."""
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
        """All its jobs."""
        current = self._source.current
        if current is None or not current.ledger.is_file():
            abort(404, "No run was started yet.")
        return _csv(current.ledger)

    # -- past runs

    def runs(self) -> str:
        """A list of them."""
        found = [
            (run, quote(run.name, safe=""), _local(run.started_at))
            for run in folder.listed(self._source.output_dir)
        ]
        shown = assets.templates.get_template("runs.html")
        return shown.render(
            runs=found, folder=str(self._source.output_dir), in_locust=self._in_locust
        )

    def past(self, name: str) -> str:
        """The page of one of them."""
        self._ledger(name)
        data = f"runs/{quote(name, safe='')}/data.json"
        return page(root="../", data=data, title=name, is_live=False, in_locust=self._in_locust)

    def past_data(self, name: str) -> Response:
        """What its page shows."""
        ledger = self._ledger(name)
        try:
            written_at = ledger.stat().st_mtime
            kept = self._past.get(ledger)
            if kept is None or kept[0] != written_at:
                kept = self._past[ledger] = (written_at, programs.picture(ledger))
                while len(self._past) > MOST_KEPT:
                    del self._past[next(iter(self._past))]
        except (LedgerError, OSError) as error:
            return _json(json.dumps({"waiting": True, "refusal": str(error)}).encode())
        return _json(kept[1])

    def past_csv(self, name: str) -> Response:
        """All its jobs."""
        return _csv(self._ledger(name))

    def file(self, name: str, file: str) -> Response:
        """One of its files, to keep; no other is given away."""
        ledger = self._ledger(name)
        try:
            with opened(ledger, FACTS_S) as db:
                run = facts(db)
        except LedgerError as error:
            abort(422, str(error))
        known = files.paths_of_run(ledger, run.run_name, run.run_id)
        path = next((path for path in known if path.name == file), None)
        if path is None:
            abort(404, "The run has no such file.")
        return send_file(path.absolute(), as_attachment=True)

    def _ledger(self, name: str) -> Path:
        found = folder.ledger(self._source.output_dir, name)
        current = self._source.current
        if found is None and current is not None and current.name == name:
            found = current.ledger  # of a run that was resumed from elsewhere
        if found is None:
            abort(404, "There is no such run.")
        return found

    # -- what pages are made of

    def static(self, file: str) -> Response:
        """A style, a script; plotly's comes from its own package."""
        if file == "plotly.js" and (path := assets.plotly()) is not None:
            return send_file(path, mimetype="text/javascript", max_age=86400)
        if file not in (assets.STYLE, *assets.SCRIPTS):
            abort(404, "There is no such file.")
        kind = "text/css" if file.endswith(".css") else "text/javascript"
        return Response(assets.text(file), mimetype=kind)


def _without_slash(**_: str) -> Any:
    """Redirect to the same address without the slash at its end: links on pages are relative.

    The redirect is relative, too, so it holds behind a proxy that adds or strips a base path.
    """
    last = quote(request.path.rstrip("/").rpartition("/")[2])
    query = request.query_string.decode("latin-1")
    return redirect(f"../{last}" + (f"?{query}" if query else ""), code=308)


def page(*, root: str, data: str, title: str, is_live: bool, in_locust: bool = True) -> str:
    """The page of a run; ``root`` leads from it to ``/kiosk/``, ``data`` from there on."""
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


def _csv(ledger: Path) -> Response:
    pieces: Iterator[bytes] = programs.jobs_csv(ledger)
    answer = Response(pieces, mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{ledger.stem}_jobs.csv")
    return answer


def _json(body: bytes) -> Response:
    return Response(body, mimetype="application/json", headers={"Cache-Control": "no-store"})


def _local(moment: float | None) -> str:
    return "" if moment is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def _protected(answer: Response) -> Response:
    """What keeps a page to itself; Locust would let other sites read what is not claimed."""
    answer.headers["Content-Security-Policy"] = assets.CSP
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"
    answer.headers["Access-Control-Allow-Origin"] = request.host_url.rstrip("/")
    return answer
