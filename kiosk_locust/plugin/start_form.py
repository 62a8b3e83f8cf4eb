"""The start form of Locust's web UI: what may be posted, and what is checked before a run starts.

Locust takes over whatever is posted, hidden options too, and keeps it. Here a start has the values
of whoever started the process, and on top of them the fields of this one post.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from flask import Response, g, jsonify, make_response, request
from locust import User
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, Runner
from locust.web import WebUI

from kiosk_locust.errors import KioskLocustError
from kiosk_locust.formatting.excerpt import excerpt
from kiosk_locust.plugin import locust_patches
from kiosk_locust.plugin.user import KioskUser

Check = Callable[[dict[str, str]], None]
#: So long an answer waits for the start that it asked for, in seconds: a Kiosk that does not answer
#: was found out by the check before.
START_S = 20.0

#: What Locust's page is told, by the field that its form makes of it.
_LOCUSTS_FIELDS: Mapping[str, str] = {
    "user_count": "num_users",
    "spawn_rate": "spawn_rate",
    "host": "host",
    "run_time": "run_time",
    "profile": "profile",
}
#: Fields of a page that has a class picker.
_PICKED = frozenset({"user_classes", "shape_class"})
#: Fields that count while a run is on; the form behind Edit posts others as well.
_EDITED = frozenset({"user_count", "spawn_rate", "user_classes"})
_NAMES_SHOWN = 5
_ACCEPTED = "kiosk_start_accepted"  # of flask.g


class StartForm:
    """Lets posts through that the page itself could make, and starts that ``check`` agrees with.

    ``check`` refuses a form by raising what it likes, before Locust takes it over; whoever clicked
    sees all mistakes at once. ``is_starting`` tells that a run begins, which no post may disturb.
    What only the start itself finds out is answered, too: ``refusal`` waits up to some seconds for
    the start, and says why there was none.
    """

    def __init__(
        self,
        web_ui: WebUI,
        runner: Runner,
        check: Check,
        is_starting: Callable[[], bool],
        refusal: Callable[[float], str],
    ) -> None:
        self._web_ui = web_ui
        self._environment = web_ui.environment
        self._runner = runner
        self._check = check
        self._is_starting = is_starting
        self._start_refusal = refusal
        self._is_checking = False
        self._is_posted = False  # a form was taken over, and its run has not begun
        self._operators = _OperatorsValues(web_ui.environment)
        # Behind the login, where there is one: answers tell about this machine's settings.
        views: dict[str, Callable[[], Response | None]] = {
            "locust.swarm": self._on_swarm,
            "locust.update_user": self._on_user,
        }
        self._guarded = {
            name: web_ui.auth_required_if_enabled(view) for name, view in views.items()
        }
        if web_ui.app is not None:
            web_ui.app.before_request(self._before_request)
            web_ui.app.after_request(self._after_request)

    def begin(self) -> None:
        """A run begins: by a post, or else by the values of whoever started the process alone."""
        if not self._is_posted:
            self._operators.restore()
        self._is_posted = False

    def _before_request(self) -> Response | None:
        """Answer in Locust's place where a post is refused."""
        view = self._guarded.get(request.endpoint or "")
        answered: Response | None = view() if view else None
        return answered

    def _after_request(self, answer: Response) -> Response:
        """Forget a form that Locust itself has refused; tell why a start was refused."""
        if not g.pop(_ACCEPTED, False):
            return answer
        said = answer.get_json(silent=True)
        if not (isinstance(said, dict) and said.get("success")):
            self._is_posted = False
            self._operators.restore()
            return answer
        why = self._start_refusal(START_S)
        return self._refusal(why) if why else answer

    def _on_swarm(self) -> Response | None:
        if unknown := set(request.form) - self._fields:
            return _not_in(unknown, "the form")
        if self._is_on:
            edited = _EDITED & set(request.form)
            locust_patches.post_instead({name: request.form.getlist(name) for name in edited})
            return None
        return self._on_start()

    def _on_start(self) -> Response | None:
        if self._is_checking or self._is_starting():
            return self._refusal("a run is being started: wait until it is on")
        self._is_checking = True
        try:
            self._check(dict(request.form.items()))
        except KioskLocustError as error:
            return self._refusal(error.public)
        finally:
            self._is_checking = False
        if self._is_on or self._is_starting():
            return self._refusal("another run was started meanwhile: wait until it is over")
        self._operators.restore()
        parsed = vars(self._environment.parsed_options)
        posted = {name: request.form.getlist(name) for name in request.form}
        if "run_time" not in posted and parsed.get("run_time"):
            posted["run_time"] = [str(parsed["run_time"])]  # Locust's timer goes by the post alone
        elif "run_time" in posted and not request.form["run_time"].strip():
            parsed["run_time"] = ""  # Locust sets no timer then, but would keep what there was
        locust_patches.post_instead(posted)
        self._is_posted = True
        setattr(g, _ACCEPTED, True)
        return None

    def _on_user(self) -> Response | None:
        """Locust would set whatever attribute of a user class is posted."""
        settings = request.get_json(force=True, silent=True)
        classes = self._arguments.get("users") or {}
        if not isinstance(settings, dict) or not self._web_ui.userclass_picker_is_active:
            return _bad("the page has no settings of user classes: start it with --class-picker")
        shown = classes.get(str(settings.get("user_class_name")))
        if shown is None:
            return _bad("user_class_name names none of the page's user classes")
        unknown = set(settings) - {"user_class_name", *shown}
        return _not_in(unknown, "the settings of user classes") if unknown else None

    @property
    def _is_on(self) -> bool:
        return self._runner.state in (STATE_RUNNING, STATE_SPAWNING)

    @cached_property
    def _arguments(self) -> Mapping[str, Any]:
        """Template arguments of Locust's page; made once, since jobs would wait for it."""
        self._web_ui.update_template_args()
        return self._web_ui.template_args

    @cached_property
    def _fields(self) -> frozenset[str]:
        """Every field that the form has."""
        arguments = self._arguments
        fields = {field for field, name in _LOCUSTS_FIELDS.items() if name in arguments}
        if arguments.get("show_userclass_picker"):
            fields |= _PICKED
        fields |= set(arguments.get("extra_options") or {})
        options = vars(self._environment.parsed_options)
        aliases = {alias for alias in map(_as_posted, fields) if alias not in options}
        return frozenset(fields | aliases)

    def _refusal(self, message: str) -> Response:
        """The page shows it to whoever clicked."""
        host = self._environment.host
        return jsonify({"success": False, "message": message, "host": host})


class _OperatorsValues:
    """Locust's options as they were before anybody posted a form."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._options = _copied(vars(environment.parsed_options))
        self._host, self._profile = environment.host, environment.profile
        available: Any = (environment.available_user_classes or {}).values()  # Locust: users
        classes: set[type[User]] = {*available, *environment.user_classes}
        self._hosts = {one: one.host for one in classes if issubclass(one, KioskUser)}

    def restore(self) -> None:
        """Forget what was posted since."""
        options = vars(self._environment.parsed_options)
        options.clear()
        options.update(_copied(self._options))
        self._environment.host, self._environment.profile = self._host, self._profile
        for user_class, host in self._hosts.items():  # Locust writes the form's into them
            user_class.host = host


def _as_posted(name: str) -> str:
    """The name by which Locust's page posts an option, such as ``limit_2`` for ``limit2``.

    It writes names in camel case, and back again. Locust knows no such option, and leaves it alone.
    """
    camel = re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)
    if camel[:1] == camel[:1].upper():
        return camel
    return re.sub(r"([a-z0-9])([A-Z0-9])", r"\1_\2", camel).lower()


def _copied(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, list) else value for name, value in options.items()
    }


def _not_in(names: Iterable[str], what: str) -> Response:
    """The answer to fields that there are not; their values are told to nobody."""
    ordered = sorted(names)
    shown = ", ".join(excerpt(name) for name in ordered[:_NAMES_SHOWN])
    more = len(ordered) - _NAMES_SHOWN
    shown += f" and {more:,} more" if more > 0 else ""
    return _bad(
        f"not in {what}: {shown}. Nothing was taken over; such settings are of whoever starts the"
        " process (flags, the environment, .env)"
    )


def _bad(message: str) -> Response:
    return make_response(jsonify({"success": False, "message": message}), 400)
