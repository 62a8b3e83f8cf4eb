"""Writes what the code says of itself, so that no page can say something else.

    .venv/bin/python scripts/reference.py

These are pages of docs/reference/, of the settings the tables of its options.md and of
.env.example, and the picture of the packages in docs/explanation/architecture.md.
Tests compare them with what this program would write.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sqlite3
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module, resources
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that it describes this folder, whatever is installed

from kiosk_locust import RunClosed, events  # noqa: E402
from kiosk_locust.config import table as settings_table  # noqa: E402
from kiosk_locust.config.table import Setting  # noqa: E402
from kiosk_locust.ledger import schema as ledger_schema  # noqa: E402
from kiosk_locust.ledger import sql as statements  # noqa: E402
from kiosk_locust.model.record import Outcome  # noqa: E402
from kiosk_locust.planning import arguments as forecast  # noqa: E402
from kiosk_locust.verdict import exit_code  # noqa: E402  below what they are found by
from kiosk_locust.verdict.judgement import Judgement  # noqa: E402
from kiosk_locust.verdict.rules import Reason  # noqa: E402

FOLDER = ROOT / "docs" / "reference"
WRITTEN = "<!-- Written by scripts/reference.py from the code; a test compares it. -->\n"
#: Classes that listeners get, in the order in which they hold each other.
RECORDS = (
    "Record", "Ticket", "JobRequest", "Attempt", "StatusChange", "Upload", "Download",
)  # fmt: skip


def table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a | within a cell is written so that it ends none."""
    first, *others = (
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n"
        for line in (head, *rows)
    )
    return first + "|---" * len(head) + "|\n" + "".join(others)


def sentence(text: str) -> str:
    """Its first letter a capital, on one line, with a full stop."""
    text = " ".join(text.replace("``", "`").split())
    return text if not text else text[0].upper() + text[1:].rstrip(".") + "."


# The ledger


def ledger() -> str:
    """Tables and columns of ledger.sql, and the statements that fill them."""
    sql = resources.files("kiosk_locust.ledger").joinpath("ledger.sql").read_text("utf-8")
    parts = [
        "# The ledger\n",
        WRITTEN,
        "One SQLite file a run, `OUTPUT_DIR/<run>.db`; this is version "
        f"{ledger_schema.VERSION} of it. "
        "Anyone may read it during the run (it is in WAL mode, so `<run>.db-wal` belongs to it "
        "until the run has ended). Times are seconds since the epoch, durations seconds; what "
        "is not known is NULL.\n",
        _questions(),
    ]
    with sqlite3.connect(":memory:") as db:
        db.executescript(sql)
        for name, block in re.findall(r"CREATE TABLE (\w+) \((.*?)^\)", sql, re.M | re.S):
            columns = db.execute(f"PRAGMA table_info({name})").fetchall()
            rows = [_column(column, block) for column in columns]
            said = _said_before(name, sql) or _said_within(block)
            parts.append(f"## {name}\n")
            parts += [f"{sentence(said)}\n"] if said else []
            parts.append(table(("column", "type", "meaning"), rows))
    parts.append("## What fills it\n")
    parts.append("Each of these is part of a transaction that is synced to the disk.\n")
    found = {name: text for name, text in vars(statements).items() if name.isupper()}
    parts.append("```sql\n" + "\n".join(map(_statement, found.items())) + "```\n")
    return "\n".join(parts)


def _questions() -> str:
    """What people ask a ledger; the tests run each."""
    return """\
```sql
-- How many jobs ended how
SELECT outcome, count(*) FROM tickets GROUP BY outcome;
-- What is still in the Kiosk
SELECT number, job_id, status FROM tickets WHERE state = 'submitted';
-- Jobs that may have been submitted twice, with every attempt
SELECT tickets.number, attempts.* FROM tickets JOIN attempts ON ticket_id = id WHERE ambiguous = 1;
-- How late each job was submitted, in seconds
SELECT number, submitted_at - due_at FROM tickets WHERE submitted_at IS NOT NULL;
-- What was reported of one job, when it was seen
SELECT status, observed_at FROM changes WHERE ticket_id = 1 ORDER BY observed_at;
```
"""


def _column(column: tuple[Any, ...], block: str) -> tuple[str, str, str]:
    """Name, type with its constraint, and the comments beside it, over several lines."""
    _, name, kind, not_null, _, key = column
    lines = block.splitlines()
    (at,) = (n for n, line in enumerate(lines) if re.match(rf"\s+{name}\s", line))
    told = [lines[at].partition("--")[2].strip()]
    for line in lines[at + 1 :]:
        if not re.match(r"\s+--", line):
            break
        told.append(line.partition("--")[2].strip())
    states = re.search(r"IN \((.*?)\)", lines[at])
    if states and not told[0]:
        told = [states[1].replace("'", "").replace(", ", " | ")]
    what = f"{kind}, key" if key else f"{kind}, never NULL" if not_null else kind
    return f"`{name}`", what, " ".join(told)


def _said_before(name: str, sql: str) -> str:
    found = re.search(rf"((?:^-- .*\n)+)CREATE TABLE {name} ", sql, re.M)
    if found is None or found.start() == 0:
        return ""
    return found[1].replace("-- ", "")


def _said_within(block: str) -> str:
    return block.splitlines()[0].partition("--")[2]


def _statement(found: tuple[str, str]) -> str:
    name, text = found
    lines = [line.strip() for line in text.splitlines()]
    return f"-- {name.lower().replace('_', ' ')}\n" + "\n    ".join(lines) + ";\n"


# Events


def happenings() -> str:
    """Each event with what it says of itself, and the classes of what listeners get."""
    source = Path(inspect.getfile(events)).read_text("utf-8")
    hooks = [name for name, value in vars(events).items() if isinstance(value, events.EventHook)]
    parts = [
        "# Events\n",
        WRITTEN,
        "Listeners get keyword arguments, and should take `**kwargs`, so that more can be added. "
        "An exception in one is logged and counted; it neither ends the run nor changes a record. "
        "In a distributed run `job_submitted`, `job_status` and `job_closed` are fired at the "
        "worker and again at the master. [How to use them](../howto/custom-users.md).\n",
        "```python\nfrom kiosk_locust import events\n\n\n@events.job_closed.add_listener\n"
        "def on_closed(record, **kwargs):\n    print(record.ticket.number, record.outcome)\n```\n",
        table(
            ("event", "arguments, and when"),
            ((f"`{name}`", sentence(_documented(source)[name])) for name in hooks),
        ),
    ]
    model = import_module("kiosk_locust.model.record")
    for kind in (*(getattr(model, name) for name in RECORDS), RunClosed):
        said, heading = _plain(inspect.getdoc(kind) or ""), f"## {kind.__name__}\n"
        parts += [heading, f"{said}\n", table(("field", "type", "meaning"), _fields(kind))]
    parts += [
        "## Outcome\n",
        f"{inspect.getdoc(Outcome)}\n",
        table(("value", "meaning"), ((f"`{o}`", _outcomes()[o]) for o in Outcome)),
    ]
    return "\n".join(parts)


def _documented(source: str) -> Mapping[str, str]:
    """By name, the string that stands below an assignment."""
    body = ast.parse(source).body
    return {
        first.targets[0].id: second.value.value
        for first, second in pairwise(body)
        if isinstance(first, ast.Assign)
        and isinstance(first.targets[0], ast.Name)
        and isinstance(second, ast.Expr)
        and isinstance(second.value, ast.Constant)
        and isinstance(second.value.value, str)
    }


def _plain(text: str) -> str:
    """A docstring as Markdown."""
    return text.replace("``", "`").split("::")[0].strip()


def _fields(kind: type) -> Iterator[tuple[str, str, str]]:
    """Name, type and comment of each field, as they stand in the class."""
    for line in inspect.getsource(kind).splitlines():
        found = re.match(r"    (\w+): ([^=#]+?)(?: = .*?)?(?:\s+# (.*))?$", line)
        if found:
            yield f"`{found[1]}`", f"`{found[2].strip()}`", found[3] or ""


def _outcomes() -> Mapping[Outcome, str]:
    """The comment beside each outcome."""
    found = re.findall(r"([A-Z]+) = \"\w+\"(?:  # (.*))?", inspect.getsource(Outcome))
    return {Outcome[name]: said or "every image is done" for name, said in found}


# Exit codes


def exit_codes() -> str:
    """What `verdict.exit_code` answers to each way in which a run can end."""
    return "\n".join(
        [
            "# Exit codes\n",
            WRITTEN,
            "```text\nexit code 0: all 10 jobs are done\n```\n",
            "The last line on the screen is the exit code and its reason. 0: every job is done, or "
            "thresholds allow the failures. 1: jobs or images failed, or a threshold was missed. "
            "2: the run was not carried out, or its numbers cannot be trusted. 2 takes precedence "
            "over 1.\n",
            "## By how a job ended\n",
            "A run of ten jobs, of which nine are done:\n",
            table(
                ("outcome of the tenth", "meaning", "exit code", "reason in the last line",
                 "resumed by `--resume`"),
                map(_of_outcome, Outcome),
            ),
            "A threshold on a kind of failure that is met makes those failures acceptable: 0. "
            "`failed < 1%` excuses failed jobs, `partial < …` ZIPs with failed images, "
            "`images_failed < …` both; `rejected` and `vanished` need thresholds of their own. So "
            "nobody who allows 1 % of failed jobs gets a 0 when half of them vanished.\n",
            "## By how the run ended\n",
            table(("what happened", "exit code", "reason in the last line"), _endings()),
            "A run that cannot begin (an unusable setting, no Kiosk, no FILE in the bucket, a "
            "ledger of that name) ends with 2 and submits nothing. A worker's own exit code is 0 "
            "unless it failed; the master's is that of the run. `--resume-or-start` of a "
            "finished run exits with that run's code. Results that could not be downloaded are "
            "counted in the last "
            "line, and change no code.\n",
            "## By what Locust or other code does\n",
            table(("what happened", "exit code", "reason in the last line"), _of_others()),
            "Requests that fail and listeners that raise during the run are logged, and "
            "change no exit code. What goes wrong before the locustfile has loaded the plugin (it "
            "is not there, or its first lines fail) is Locust's own: exit code 1, and no line "
            "`exit code 1:`.\n",
            "## Other commands\n",
            "`python -m kiosk_locust …` exits with 0 if it did everything that was requested, else "
            "with 2: [commands](commands.md).\n",
        ]
    )  # fmt: skip


def _of_outcome(outcome: Outcome) -> tuple[str, ...]:
    counts = Counter({Outcome.DONE: 9})
    counts[outcome] += 1
    told = exit_code.exit_code(counts, finished=outcome.is_the_kiosks)
    again = "no" if outcome.is_the_kiosks else "yes"
    return f"`{outcome}`", _outcomes()[outcome], f"**{told.code}**", told.why, again


def _of_others() -> Iterator[tuple[str, str, str]]:
    """The ways out of Locust's main that no run decides; `tests/runs/test_exits.py` goes them."""
    done = exit_code.exit_code({Outcome.DONE: 10}, finished=True)
    gave_up = "the run could not be carried out: "
    yield (
        "Locust gives up: workers do not come within `--expect-workers-max-wait`, a port is taken, "
        "a user class is unknown, a listener of `init` raises, the locustfile breaks",
        "**2**",
        f"{gave_up}Gave up waiting for workers to connect",
    )
    yield "a signal before the first job", "**2**", "interrupted by SIGTERM before the first job"
    yield (
        "a listener sets `environment.process_exit_code`, or an option of a library does "
        "(`--check-rps` of locust-plugins)",
        "that code, also 0",
        exit_code.overruled(done, 3, exit_code.SET_BY_OTHERS).why,
    )
    for what, why in (
        ("a listener of `test_stop` or `quitting` raises", exit_code.BROKE_AT_END),
        ("`--html` or `--json-file` cannot be written", "PermissionError: …"),
    ):
        yield what, "**2**", exit_code.overruled(done, 2, why).why


def _endings() -> Iterator[tuple[str, str, str]]:
    ten = {Outcome.DONE: 10}
    cut = {Outcome.DONE: 9, Outcome.UNFINISHED: 1}
    late = Reason("submission_lag", "p99 of the submission lag is 2.1 s", "--max-submission-lag")
    cases = {
        "all done, all thresholds met": exit_code.exit_code(ten, finished=True),
        "ended by Ctrl-C, SIGTERM, Stop or `-t`": exit_code.exit_code(
            cut, finished=False, trouble="SIGINT"
        ),
        "a rule of the verdict is broken: INVALID": exit_code.exit_code(
            ten, finished=True, judgement=Judgement(reasons=(late,))
        ),
        "`--abort-on-threshold` ended it": exit_code.exit_code(
            cut, finished=False, aborted="failed < 1%: 4.1% was measured"
        ),
        "no job was begun": exit_code.exit_code({}, finished=True),
    }
    for what, told in cases.items():
        yield what, f"**{told.code}**", told.why


# The schema of the results


def schema() -> str:
    """Every key of results.schema.json with its type; results.md says what they mean."""
    told = json.loads(
        resources.files("kiosk_locust.reporting").joinpath("results.schema.json").read_text()
    )
    parts = [
        "# The results' schema\n",
        WRITTEN,
        "Every key of a results file with its type, from "
        "`kiosk_locust/reporting/results.schema.json` (JSON Schema, 2020-12). "
        "What they mean, with units: [results](results.md).\n",
        '```json\n{"schema_version": 1, "num_jobs": 100, "start_delay": 0.05}\n```\n',
        "## The file\n",
        _keys(told),
    ]
    for name, part in told["$defs"].items():
        parts.append(f"## {name}\n")
        parts.append(_keys(part) if "properties" in part else f"{_type(part)}\n")
    return "\n".join(parts)


def _keys(part: Mapping[str, Any]) -> str:
    required = part.get("required", ())
    rows = (
        (f"`{key}`", _type(value), "always" if key in required else "may be absent")
        for key, value in part["properties"].items()
    )
    return table(("key", "type", "there"), rows)


def _type(part: Mapping[str, Any]) -> str:
    """A JSON Schema's type in words, with what bounds it."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    for several in ("anyOf", "oneOf"):
        if several in part:
            return " or ".join(map(_type, part[several]))
    if "enum" in part:
        return " or ".join(f"`{json.dumps(value)}`" for value in part["enum"])
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    kinds = part.get("type", "anything")
    text = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    if "items" in part:
        text += f" of {_type(part['items'])}"
    elif "properties" in part:
        text += " with " + ", ".join(f"`{key}`" for key in part["properties"])
    elif isinstance(part.get("additionalProperties"), dict):
        text += f", each value {_type(part['additionalProperties'])}"
    bounds = {"minimum": "at least", "maximum": "at most", "minItems": "at least"}
    text += "".join(f", {said} {part[key]}" for key, said in bounds.items() if key in part)
    return text + (f", `{part['pattern']}`" if "pattern" in part else "")


# Commands


def commands() -> str:
    """What ``python -m kiosk_locust`` knows, and every option of a forecast."""
    known = import_module("kiosk_locust.__main__").COMMANDS
    parts = [
        "# Commands\n",
        WRITTEN,
        "```sh\npython -m kiosk_locust check\n```\n",
        "checks whether a run could use the Kiosk, the bucket and Grafana. `locust -f …` runs "
        "jobs; its options: [options](options.md).\n",
    ]
    for name, module in known.items():
        usage = module.USAGE.removeprefix("usage: ").rstrip()
        about = inspect.getdoc(module) or ""
        parts += [f"## {name}\n", f"```text\n{usage}\n```\n", f"{_about(about)}\n"]
    parts += [
        "## Options of simulate\n",
        "Defaults are those of the Kiosk paper's benchmark "
        "([its constants](../explanation/paper-model.md#constants)).\n",
        table(
            ("option", "default", "unit", "meaning"),
            (
                (f"`{each.flag}`", each.default or "none", each.unit, each.text)
                for each in forecast._options()
            ),
        ),
    ]
    return "\n".join(parts)


def _about(doc: str) -> str:
    """A module's docstring without the command that it begins with."""
    return sentence(re.sub(r"^``.*?``:\s*", "", doc, flags=re.S).split("\n\n")[0])


# Settings


def options_page(page: str) -> str:
    """docs/reference/options.md with the table of each group of settings written again."""
    head = ("Flag", "Environment", "Default", "Unit", "Meaning")
    for title, settings in settings_table.GROUPS:
        rows = table(head, map(_setting, settings))
        above, heading, below = page.partition(f"\n## {title}\n\n")
        page = above + heading + rows + re.sub(r"\A(\|.*\n)*", "", below)
    return page


def _setting(setting: Setting) -> tuple[str, ...]:
    flags = ", ".join(f"`{flag}`" for flag in (setting.short, setting.flag) if flag) or "none"
    default = f"`{setting.default}`" if setting.default else setting.default_shown
    name = f"`{setting.env}`" if setting.env else "none"
    return flags, name, default, setting.unit, setting.meaning


def example(page: str) -> str:
    """.env.example with every setting written again; what has no default keeps its example.

    A line that is a comment stays one.
    """
    lines = dict(re.findall(r"^((?:# )?[A-Z_]+)=(.*)$", page, re.M))
    parts = [page.partition("# --- ")[0]]
    for title, settings in settings_table.GROUPS:
        parts.append(f"# --- {title} ---\n\n")
        for setting in settings:
            if setting.env:
                unit = f" [{setting.unit}]" if setting.unit else ""
                derived = f" Default: {setting.derived}." if setting.derived else ""
                names = (setting.env, f"# {setting.env}")
                new = names[0] if setting.default else names[1]
                name = next((name for name in names if name in lines), new)
                value = setting.default or lines.get(name, "")
                parts.append(f"# {setting.meaning}{unit}{derived}\n{name}={value}\n\n")
    secrets = f"# {settings_table.SECRETS[0].meaning}\n"
    return "".join(parts) + secrets + page.partition(secrets)[2]


# Packages

BEGIN, END = "<!-- packages: begin -->\n", "<!-- packages: end -->"


def architecture(page: str) -> str:
    """docs/explanation/architecture.md with the picture of the packages drawn again."""
    above, _, rest = page.partition(BEGIN)
    return above + BEGIN + packages() + END + rest.partition(END)[2]


def packages() -> str:
    """A Mermaid diagram of the layers in the import contract, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (layers,) = (each["layers"] for each in contracts["contracts"] if each["type"] == "layers")
    rows = [layer.replace(" |", " &") for layer in layers]
    arrows = [f"    {upper} --> {lower}" for upper, lower in pairwise(rows)]
    return "\n".join(["```mermaid", "flowchart TB", *arrows, "```", ""])


#: Files that are written by hand in part.
FILES = {
    "docs/explanation/architecture.md": architecture,
    "docs/reference/options.md": options_page,
    ".env.example": example,
}

PAGES = {
    "ledger.md": ledger,
    "events.md": happenings,
    "exit-codes.md": exit_codes,
    "results-schema.md": schema,
    "commands.md": commands,
}


def main() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"written: {FOLDER / name}\n")
    for name, rewritten in FILES.items():
        path = ROOT / name
        path.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
        sys.stdout.write(f"written: {path}\n")


if __name__ == "__main__":
    main()
