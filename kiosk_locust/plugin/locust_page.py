"""What is added to Locust's front page: the way to our pages, and order in its start form.

Locust's form has one list of fields, without groups or lines of help. A style sheet gives it
both, so that nothing of the page's own workings is touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from flask import Flask, Response, request
from markupsafe import escape

from kiosk_locust.config.table import GROUPS, Setting

#: What Locust's own fields mean for jobs.
_HINTS = {
    "userCount": "At most so many jobs are in flight at once.",
    "spawnRate": "Jobs begun in a second, whatever Locust calls it; see also All At Once below.",
    "host": "The Kiosk, such as http://kiosk.example.org; empty: a simulated one is started.",
    "runTime": "After it no new job begins; empty: until all are done.",
}
_STYLE = """
/* The page's own colours, light or dark as the switch there says. */
#kiosk-links { display: flex; flex-wrap: wrap; gap: 4px 20px; padding: 6px 24px;
  font: 14px/1.5 system-ui, sans-serif; }
#kiosk-links a { color: inherit; }
#kiosk-links form { margin: 0 0 0 auto; }
#kiosk-links button { color: inherit; background: none; border: 1px solid; border-radius: 4px;
  font: inherit; cursor: pointer; }
#kiosk-links strong { color: #5a4300; background: #fff3cd; padding: 0 8px; border-radius: 4px; }
/* Several mistakes are shown in a line each. */
.MuiAlert-message { white-space: pre-line; overflow-wrap: anywhere; }
/* Our labels stand above their fields, in as many lines as they need, also on a phone. */
.MuiAccordion-root .MuiInputLabel-root { position: static; transform: none; white-space: normal;
  max-width: 100%; font-size: 13px; line-height: 1.4; padding-bottom: 3px; }
.MuiAccordion-root .MuiOutlinedInput-notchedOutline { top: 0; }
.MuiAccordion-root .MuiOutlinedInput-notchedOutline legend { display: none; }
"""


_LOG_OUT = '<form method="post" action="./kiosk/logout"><button>Log out</button></form>'
#: Locust would ask for a host where none is needed: ours is simulated then.
_NO_WARNING = ('"missing_host_warning": true', '"missing_host_warning": false')


def add(app: Flask, notice: Callable[[], str], logs_out: Callable[[], bool] = bool) -> None:
    """Add it to each front page that is sent; ``notice`` tells what stands before the links.

    ``logs_out`` tells whether there is a button that ends the login.
    """

    def after_request(answer: Response) -> Response:
        is_front = request.endpoint == "locust.index" and answer.status_code == 200
        if is_front and answer.mimetype == "text/html":
            page = answer.get_data(as_text=True)
            page = page.replace("</head>", f"<style>{style()}</style></head>", 1)
            page = page.replace(*_NO_WARNING, 1)
            links = _links(notice(), logs_out=logs_out())
            answer.set_data(page.replace('<div id="root">', f'{links}<div id="root">', 1))
        return answer

    app.after_request(after_request)


def _links(notice: str, *, logs_out: bool) -> str:
    strong = f"<strong>{escape(notice)}</strong>" if notice else ""
    return (
        f'<nav id="kiosk-links" aria-label="Kiosk">{strong}<a href="./kiosk">Kiosk: live page</a>'
        f'<a href="./kiosk/runs">All Kiosk runs</a>{_LOG_OUT if logs_out else ""}</nav>'
    )


def style() -> str:
    """The style sheet: titles before the first field of each group, hints below Locust's own."""
    return _STYLE + "\n".join((*_titles(), *_hints()))


def _titles() -> Iterator[str]:
    for title, settings in GROUPS:
        shown = [setting for setting in settings if setting.in_form and not setting.is_locusts]
        if shown:
            field = _field(_name_in_page(shown[0]))
            yield f"{field} {{ position: relative; margin-top: 44px; }}"
            yield (
                f"{field}::before {{ content: {_quoted(title)}; position: absolute; top: -44px;"
                " left: 0; font-weight: 600; }"
            )


def _hints() -> Iterator[str]:
    for name, hint in _HINTS.items():
        yield (
            f"{_field(name)}::after {{ content: {_quoted(hint)}; font-size: 12px; opacity: .8;"
            " padding: 3px 14px 0; }"
        )


def _field(name: str) -> str:
    """The selector of the box around a field: a text, a list or a tick box."""
    inner = f'[name="{name}"]'
    return f":is(.MuiFormControl-root, .MuiFormControlLabel-root):has({inner})"


def _name_in_page(setting: Setting) -> str:
    """Locust's page writes names in camel case."""
    first, *rest = setting.name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
