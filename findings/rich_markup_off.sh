#!/bin/sh
# A rich console with markup=False still parses markup in spinners, statuses and panel titles.
# rich 15.0.0: Spinner and Status make a Text by from_markup, and so does a Panel of its title, so
# that square brackets of foreign text vanish, or raise MarkupError; what is printed itself, cells
# and titles of tables obey markup=False. Names of emoji (:on:) are replaced in all but with
# emoji=False, too. A Text in place of a string is shown letter by letter everywhere.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check rich==15.0.0
"$work/venv/bin/python" - <<'EOF'
import io

from rich.console import Console
from rich.errors import MarkupError
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

TEXT = "403 for [query] :on:"


def shown(thing):
    console = Console(file=io.StringIO(), markup=False, emoji=False, width=60)
    console.print(thing)
    return console.file.getvalue()


table = Table(TEXT, title=TEXT)
table.add_row(TEXT)
for name, thing, is_literal in [
    ("text", TEXT, True),
    ("table", table, True),
    ("spinner", Spinner("dots", TEXT), False),
    ("panel's title", Panel("", title=TEXT), False),
    ("spinner of a Text", Spinner("dots", Text(TEXT)), True),
    ("panel's title as a Text", Panel("", title=Text(TEXT)), True),
]:
    print(f"{name}: {'as it is' if TEXT in shown(thing) else 'without [query]'}")
    assert (TEXT in shown(thing)) == is_literal
    assert ("[query]" in shown(thing)) == is_literal
try:
    Spinner("dots", "403 for [/api/v1/query]")
    raise SystemExit("a tag that closes nothing is taken")
except MarkupError as error:
    print("spinner, a tag that closes nothing:", error)
EOF
echo "as described"
