"""The start form of Locust's web UI: what is posted is checked before a run starts from it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, g, jsonify, request
from locust.runners import STATE_RUNNING, STATE_SPAWNING, Runner
from locust.web import WebUI

from kiosk_locust.errors import KioskLocustError

Check = Callable[[dict[str, str]], None]
#: So long an answer waits for the start that it asked for, in seconds: a Kiosk that does not answer
#: was found out by the check before.
START_S = 20.0


def check_before_start(
    web_ui: WebUI, runner: Runner, check: Check, refusal: Callable[[float], str]
) -> None:
    """Let ``check`` refuse a posted form, by raising what it likes, before Locust takes it over.

    What only the start itself finds out is answered, too: ``refusal`` waits up to some seconds for
    the start, and says why there was none. Whoever clicked sees all mistakes at once. The same
    form edits the number of users of a test that is on; then nothing else of it counts.
    """

    def answer() -> Response | None:
        try:
            check(dict(request.form.items()))
        except KioskLocustError as error:
            host = web_ui.environment.host
            return jsonify({"success": False, "message": str(error), "host": host})
        if not request.form.get("run_time", "").strip():
            # Locust sets no timer then, but would keep what the form before said in its options.
            vars(web_ui.environment.parsed_options)["run_time"] = ""
        g.kiosk_start = True
        return None

    # Behind the login, where there is one: the answer tells about this machine's settings.
    guarded = web_ui.auth_required_if_enabled(answer)

    def before_request() -> Response | None:
        starts = request.endpoint == "locust.swarm"
        if not starts or runner.state in (STATE_RUNNING, STATE_SPAWNING):
            return None
        answered: Response | None = guarded()
        return answered

    def after_request(answered: Response) -> Response:
        if not g.pop("kiosk_start", False) or not (why := refusal(START_S)):
            return answered
        host = web_ui.environment.host
        return jsonify({"success": False, "message": why, "host": host})

    if web_ui.app is not None:
        web_ui.app.before_request(before_request)
        web_ui.app.after_request(after_request)
