"""The login of ``--web-login``: one user with a password, for locustfiles that bring none.

Locust 2.47 has the page and the check of each request, and leaves to the locustfile who may come
in. What is set up here gives way to a locustfile that sets up its own.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import secrets
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta

from flask import Response, abort, make_response, redirect, request, session, url_for
from flask_login import UserMixin, login_user, logout_user
from locust.web import WebUI
from werkzeug.wrappers import Response as AnyResponse

from kiosk_locust.config.secret_files import SecretSources
from kiosk_locust.cost.credentials import Credentials
from kiosk_locust.errors import Mistake, OptionsError

logger = logging.getLogger(__name__)

PASSWORD = "WEB_LOGIN_PASSWORD"  # noqa: S105  the name of a variable
USER = "WEB_LOGIN_USER"
#: Who logs in where WEB_LOGIN_USER says nothing.
DEFAULT_USER = "kiosk"
#: A session ends after so long without a request.
SESSION_S = 12 * 3600.0
#: Wrong attempts within WINDOW_S seconds after which an address, and everybody, has to wait.
MOST_BY_ADDRESS = 5
MOST_BY_ALL = 30
WINDOW_S = 60.0


class Attempts:
    """Counts wrong attempts of the last WINDOW_S seconds; ``now`` gives seconds that never go back.

    Its memory is bounded: after MOST_BY_ALL of them nobody has another.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._wrong: deque[tuple[float, str]] = deque(maxlen=MOST_BY_ALL)

    def wait_s(self, address: str) -> float:
        """Seconds until an address may try (again); 0 if it may now."""
        oldest = self._now() - WINDOW_S
        recent = [(at, who) for at, who in self._wrong if at > oldest]
        own = [at for at, who in recent if who == address]
        waits = [0.0]
        if len(own) >= MOST_BY_ADDRESS:
            waits.append(own[-MOST_BY_ADDRESS] - oldest)
        if len(recent) >= MOST_BY_ALL:
            waits.append(recent[0][0] - oldest)
        return max(waits)

    def note_wrong(self, address: str) -> None:
        """Count a wrong attempt."""
        self._wrong.append((self._now(), address))


class _Operator(UserMixin):  # type: ignore[misc]  # flask_login has no types
    """The one user; who they are is no more than that they knew the password."""

    id = "operator"


class Login:
    """The routes that log in and out; only digests of user and password are kept."""

    def __init__(self, web_ui: WebUI, login: Credentials, attempts: Attempts) -> None:
        self._web_ui = web_ui
        self._user, self._password = _digest(login.user), _digest(login.password)
        self._attempts = attempts

    @property
    def is_in_force(self) -> bool:
        """Tell whether the locustfile has not set up a login of its own since."""
        return bool(self._web_ui.login_manager._user_callback == self.load)  # no public way

    def load(self, user_id: str) -> _Operator | None:
        """The user whom a session names."""
        return _Operator() if user_id == _Operator.id else None

    def log_in(self) -> AnyResponse:
        """Take the form of Locust's login page."""
        if not self.is_in_force:
            abort(404)
        address = request.remote_addr or ""
        if wait_s := self._attempts.wait_s(address):
            return _too_many(wait_s)
        user = hmac.compare_digest(_digest(request.form.get("username", "")), self._user)
        password = hmac.compare_digest(_digest(request.form.get("password", "")), self._password)
        if user & password:
            session.clear()
            login_user(_Operator())
            return redirect(url_for("locust.index"), 303)
        self._attempts.note_wrong(address)
        logger.warning("web page: a wrong user or password from %s", address)
        session["auth_error"] = "Wrong user or password."
        return redirect(url_for("locust.login"), 303)

    def log_out(self) -> AnyResponse:
        """End the session."""
        if not self.is_in_force:
            abort(404)
        logout_user()
        session.clear()
        return redirect(url_for("locust.login"), 303)


def credentials(sources: SecretSources) -> Credentials:
    """The user and password that were given; the password is empty where none was."""
    return Credentials(sources.get(USER) or DEFAULT_USER, sources.get(PASSWORD))


def add(web_ui: WebUI, known: Credentials) -> Login | None:
    """Let the user of ``known`` log in to a web UI with ``--web-login``; before its first request.

    None, and nothing is set up, where the web UI has no login, there is no password, or the
    locustfile has set up a login already. One that does so later wins, too.
    """
    app = web_ui.app
    if app is None or not web_ui.web_login or not known.password or _has_own(web_ui):
        return None
    login = Login(web_ui, known, Attempts())
    app.secret_key = secrets.token_bytes(32)  # of this process: sessions end with it
    app.config.update(
        SESSION_COOKIE_NAME=f"kiosk_locust_{web_ui.port}",  # cookies are shared by all ports
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=bool(web_ui.tls_cert),
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=SESSION_S),
    )
    manager = web_ui.login_manager
    manager.login_message = ""  # else one is kept in the cookie for each refused request
    manager.user_loader(login.load)
    # Relative to the login page, so that it holds behind a proxy that strips a base path.
    web_ui.auth_args = {"username_password_callback": "./kiosk/login"}
    prefix = (app.blueprints["locust"].url_prefix or "").rstrip("/")
    app.add_url_rule(f"{prefix}/kiosk/login", "kiosk_login", login.log_in, methods=["POST"])
    app.add_url_rule(f"{prefix}/kiosk/logout", "kiosk_logout", login.log_out, methods=["POST"])
    return login


def check(web_ui: WebUI) -> None:
    """Raise OptionsError where ``--web-login`` is given and nobody could log in."""
    if web_ui.web_login and not _has_own(web_ui):
        advice = (
            f"nobody can log in, for there is no password: set {PASSWORD}, or {PASSWORD}_FILE to"
            f" the path of a file that holds it, in the environment or .env (the user is"
            f" {DEFAULT_USER} unless {USER} says otherwise); or leave --web-login out"
            " (LOCUST_WEB_LOGIN=false), with --web-host 127.0.0.1"
        )
        raise OptionsError([Mistake("--web-login", "", advice)])


def _has_own(web_ui: WebUI) -> bool:
    """Tell whether somebody set up who may come in; there is no public way."""
    manager = web_ui.login_manager
    return bool(manager._user_callback or manager._request_callback)


def _digest(text: str) -> bytes:
    """Of one length whatever the text, so that comparing tells nothing of it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _too_many(wait_s: float) -> Response:
    seconds = math.ceil(wait_s)
    answer = make_response(f"Too many wrong attempts. Try again in {seconds} s.\n", 429)
    answer.headers["Retry-After"] = str(seconds)
    answer.mimetype = "text/plain"
    return answer
