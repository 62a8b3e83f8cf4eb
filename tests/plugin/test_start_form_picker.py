"""Posts to a page with Locust's class picker, answered by its Flask app without a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import locust
import pytest
from flask.testing import FlaskClient
from locust import task
from locust.argument_parser import LocustArgumentParser, get_parser
from locust.env import Environment
from locust.web import WebUI

from kiosk_locust.errors import OptionsError
from kiosk_locust.plugin.start_form import StartForm
from kiosk_locust.plugin.user import KioskUser


class Mesmer(KioskUser):
    weight = 1

    @task
    def look(self) -> None:
        """Something of its own."""


def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    """What somebody's locustfile adds."""
    parser.add_argument("--limit2", default="")
    parser.add_argument("--unseen", default="", include_in_web_ui=False)


@pytest.fixture
def page() -> Iterator[FlaskClient]:
    locust.events.init_command_line_parser.add_listener(add_options)
    options = get_parser(default_config_files=[]).parse_args(args=[])
    available: Any = {"Mesmer": Mesmer}  # Locust's annotation says users, not classes
    environment = Environment(
        user_classes=[Mesmer],
        available_user_classes=available,
        available_user_tasks={"Mesmer": Mesmer.tasks},
        parsed_options=options,
    )
    runner = environment.create_local_runner()
    web_ui = environment.create_web_ui(delayed_start=True, userclass_picker_is_active=True)

    def refuse(_posted: dict[str, str]) -> None:
        raise OptionsError([])

    StartForm(web_ui, runner, refuse, lambda: False, lambda _within_s: "")
    before = dict(vars(Mesmer))
    yield client(web_ui)
    for name in vars(Mesmer).keys() - before.keys():
        delattr(Mesmer, name)
    Mesmer.weight = 1
    runner.quit()
    locust.events.init_command_line_parser.remove_listener(add_options)


def client(web_ui: WebUI) -> FlaskClient:
    assert web_ui.app is not None
    return web_ui.app.test_client()


def settings(**more: Any) -> dict[str, Any]:
    return {"user_class_name": "Mesmer", "weight": 7} | more


def test_what_the_dialog_of_a_class_shows_may_be_set(page: FlaskClient) -> None:
    shown = {"host": "http://a", "fixed_count": 0, "tasks": ["look"]}
    assert page.post("/user", json=settings(**shown)).status_code == 201
    assert Mesmer.weight == 7


@pytest.mark.parametrize("name", ["job_type", "next_job", "wait_time", "__init__", "output_dir"])
def test_no_other_attribute_of_a_class_may(page: FlaskClient, name: str) -> None:
    before = getattr(Mesmer, name, None)
    answer = page.post("/user", json=settings(**{name: "canary"}))
    assert answer.status_code == 400
    assert name in answer.text
    assert "canary" not in answer.text
    assert Mesmer.weight == 1
    assert getattr(Mesmer, name, None) == before


@pytest.mark.parametrize(
    "body", ["[]", "no JSON", '{"weight": 3}', '{"user_class_name": "Other"}', "[[]]"]
)
def test_what_names_no_class_of_the_page_is_refused(page: FlaskClient, body: str) -> None:
    assert page.post("/user", data=body).status_code == 400
    assert Mesmer.weight == 1


def test_the_pickers_fields_are_in_the_form_then(page: FlaskClient) -> None:
    form = {"user_count": "1", "spawn_rate": "1"}
    form |= {"user_classes": "Mesmer", "shape_class": "Default"}
    refused = page.post("/swarm", data=form)
    assert (refused.status_code, "success" in refused.text) == (200, True)  # by the check alone
    assert page.post("/swarm", data=form | {"csv_prefix": "x"}).status_code == 400


@pytest.mark.parametrize(
    ("name", "status"),
    [("limit2", 200), ("limit_2", 200), ("unseen", 400), ("limit_3", 400), ("limit", 400)],
)
def test_an_option_of_a_locustfile_is_taken_if_it_is_shown_also_as_the_page_spells_it(
    page: FlaskClient, name: str, status: int
) -> None:
    form = {"user_count": "1", "spawn_rate": "1", name: "5"}
    assert page.post("/swarm", data=form).status_code == status
