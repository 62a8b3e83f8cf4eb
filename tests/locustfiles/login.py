"""A web UI with a login; whoever opens /let-me-in is logged in."""

from __future__ import annotations

from typing import Any

from flask_login import UserMixin, login_user
from locust import events
from locust.env import Environment

from kiosk_locust import KioskUser, attach

attach()


class Somebody(UserMixin):  # type: ignore[misc]  # flask_login has no types
    id = "somebody"


def on_init(environment: Environment, **_: Any) -> None:
    web_ui = environment.web_ui
    assert web_ui is not None
    assert web_ui.app is not None
    web_ui.app.secret_key = "a test's"
    web_ui.login_manager.user_loader(lambda _user_id: Somebody())
    web_ui.auth_args = {"username_password_callback": "/let-me-in"}

    @web_ui.app.route("/let-me-in")
    def let_me_in() -> str:
        login_user(Somebody())
        return "come in"


events.init.add_listener(on_init)


class Kiosk(KioskUser):
    pass
