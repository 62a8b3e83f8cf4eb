"""Every command of README and docs/ is run here, or checked and listed with why it is not."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import locust
import pytest
from locust.argument_parser import LocustArgumentParser

from kiosk_locust.config.table import SECRETS, SETTINGS
from kiosk_locust.plugin import arguments
from kiosk_locust.simulator.arguments import make_parser
from kiosk_locust.verdict.threshold_parser import parse
from tests.docs.blocks import Code, shell_lines, spans
from tests.docs.known import look
from tests.docs.scenes import KIOSK, SCENES, Played, Scene, Stage
from tests.helpers.layered import mistakes_in
from tests.helpers.real import simulator
from tests.helpers.servers import free_port

LINES = shell_lines()
COMMANDS = [(line, words) for line in LINES for words in line.commands]
PLAYED = {tuple(shlex.split(step.command)) for scene in SCENES for step in scene.steps}
AT_ONCE = 2 if "PYTEST_XDIST_WORKER" in os.environ else 3

#: Commands that are not run, by how they begin, and why. What they name is looked at all the same.
NOT_RUN = {
    "locust -f locustfiles/kiosk.py --headless --resume latest --file": (
        "tests/assembly/test_resumed_paths.py goes on with uploads, FILE being named again"
    ),
    "locust -f locustfiles/kiosk.py --headless --resume-or-start NAME": (
        "tests/checkpoint/test_scheduler.py starts and resumes runs by it"
    ),
    "curl -d user_count=10": "tests/plugin/test_start_form.py posts the same to a page",
    "python scripts/price_tables.py": "it reads files of price lists that are not kept here",
    "git clone": "it needs a network",
    "cd": "it changes nothing",
    ". .venv/bin/activate": "the tests run in an environment already",
    "scripts/run": "it installs from a package index; what it then runs is run here",
    "scripts/test": "this is a part of it",
    "scripts/lint": "scripts/test runs it before this",
    "scripts/resilience": "a part of the tests that takes minutes",
    "scripts/proof": "a part of the tests that takes minutes",
    ".venv/bin/python scripts/reference.py": "it is compared in test_reference.py",
    "scripts/docs": "it installs from a package index; the site is built in test_site.py",
    "scripts/lock": "it needs a package index",
    "scripts/audit": "it needs a network",
    "python scripts/versions.py": "it makes environments from a package index, and takes minutes",
    ".venv/bin/python scripts/licences.py": "it is compared in test_supply_chain.py",
    ".venv/bin/python -m pytest": "those are tests of this suite",
    "python -m pytest": "those are tests of this suite, or longer",
    "pip install": "it needs a package index",
    "python benchmarks/": "it takes minutes, and the whole machine",
    "python -m benchmarks.": "it takes minutes, and the whole machine",
    "docker": "there may be no Docker here; tests/deploy looks at the recipe",
    "kubectl kustomize": "tests/deploy renders every kustomization",
    "kubectl apply": "it needs a cluster",
    "kubectl delete": "it needs a cluster",
    "kubectl logs": "it needs a cluster",
    "kubectl port-forward": "it needs a cluster",
    "locust -f locustfiles/kiosk.py --web-login": "test_web_login.py does, with a browser",
    "gcloud": "it needs an account of Google's",
    f"{KIOSK} -u 100 --cost-tail until-idle": "a minute; the rehearsal waits for the same",
    f"{KIOSK} --count 1 ": "another number than one that is run",
    f"{KIOSK} --mode upload --file ~/plate7 -u 20 ": "an option less than one that is run",
    f"{KIOSK} --mode upload --file ~/plate7 --count 3 ": "another number than one that is run",
    f"{KIOSK} --file zip100.zip": "hours, on a real Kiosk",
    f"{KIOSK} --count 1000 ": "its warm-up wants many jobs",
    "python -m kiosk_locust upload-results PATH": "it is how the command is written",
}
#: Blocks without a command in them, by their first words.
NO_COMMANDS = (
    "options → arrivals",
    "stamp − later moment",  # noqa: RUF001  as the page has it
    "--threshold = 'job.p95 < 60 parsecs'",
    "-r 7.5 (a job every 0.1333 s)",
    "jobs/s R = N / T",
    "METHOD PATH key=value",
    "--metric-labels-allowlist=",
    "PATTERN=MACHINE",
    "[tool.kiosk_locust]",
    "job.p95 < 60s queue_wait.p99",
)


@pytest.fixture(scope="module")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[list[Played]]]]:
    """All scenes, some at once; most of their time is waiting."""
    with (
        simulator("--jobs-per-gpu=64", "--images-per-zip=3") as kiosk,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        ports = iter([free_port() for _ in SCENES])
        yield {
            scene.name: pool.submit(
                _play, scene, tmp_path_factory.mktemp("scene"), kiosk.url, next(ports)
            )
            for scene in SCENES
        }


def _play(scene: Scene, folder: Path, url: str, port: int) -> list[Played]:
    stage = Stage(folder, url, port, host=scene.host)
    played = []
    with ExitStack() as meanwhile:
        for number, step in enumerate(scene.steps):
            if step.beside:
                meanwhile.enter_context(stage.beside(step, number))
                continue
            told = stage.play(step)
            assert told.code in step.codes, f"{step.command}\nexit code {told.code}\n{told.output}"
            played.append(told)
    assert list(folder.glob(scene.leaves)), f"{scene.name} left no {scene.leaves}"
    return played


@pytest.mark.proof
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_these_commands_do_what_the_page_says(
    scene: Scene, playing: dict[str, Future[list[Played]]]
) -> None:
    played = playing[scene.name].result()
    assert len(played) == sum(not step.beside for step in scene.steps)


@pytest.mark.parametrize(("line", "words"), COMMANDS, ids=lambda each: getattr(each, "where", ""))
def test_each_command_is_run_or_listed_with_why_it_is_not(
    line: Code, words: tuple[str, ...]
) -> None:
    listed = any(f"{' '.join(words)} ".startswith(start) for start in NOT_RUN)
    assert words in PLAYED or listed, (
        f"{line.where}: nobody runs {shlex.join(words)!r}: give it a step in tests/docs/scenes.py,"
        " or a reason in NOT_RUN"
    )


@pytest.mark.parametrize("line", [*LINES, *spans()], ids=lambda line: line.where)
def test_each_command_names_programs_options_and_files_that_are_there(line: Code) -> None:
    for words in line.commands:
        look(words)


def test_each_step_and_each_reason_is_of_a_command_that_a_page_has() -> None:
    told = {words for _, words in COMMANDS} | {w for line in spans() for w in line.commands}
    assert not PLAYED - told
    texts = [f"{' '.join(words)} " for words in told]
    assert [start for start in NOT_RUN if not any(t.startswith(start) for t in texts)] == []


def test_each_block_has_commands_settings_options_or_is_known_to_have_none() -> None:
    names = {s.env for s in SETTINGS.values()}
    names |= {name for secret in SECRETS for name in (secret.env, secret.file_env)}
    flags = {flag for s in SETTINGS.values() for flag in (s.flag, s.short) if flag}
    flags |= {option for action in make_parser()._actions for option in action.option_strings}
    strange = []
    for line in LINES:
        first = " ".join(line.block.partition(":")[2].split())
        if line.commands or first.startswith(NO_COMMANDS):
            continue
        assigned = re.match(r"([A-Z_]+)=", line.text)
        if assigned and assigned[1] in names:
            continue
        options = [word for word in line.text.split("#")[0].split() if word.startswith("--")]
        if line.text.startswith("--") and options and flags >= set(options):
            continue
        strange.append(f"{line.where}: {line.text}")
    assert not strange


def _on_parser(parser: LocustArgumentParser, **_: object) -> None:
    arguments.add_options(parser)


def _is_whole(words: tuple[str, ...]) -> bool:
    """Whether its settings can be checked without a ledger, a folder or a master."""
    needs = {"--resume", "--worker", "upload"} & set(words)
    return words[:2] == ("locust", "-f") and len(words) > 3 and not needs


@pytest.mark.parametrize(
    "words", sorted({words for _, words in COMMANDS if _is_whole(words)}), ids=shlex.join
)
def test_its_settings_have_no_mistakes(words: tuple[str, ...]) -> None:
    hook = locust.events.init_command_line_parser
    hook.add_listener(_on_parser)
    try:
        named = {} if "--simulate" in words else {"API_HOST": "http://127.0.0.1:1", "FILE": "a.png"}
        layers = arguments.read(words[1:], named, {})
    finally:
        hook.remove_listener(_on_parser)
    assert mistakes_in(layers) == []


def test_an_option_that_is_not_there_is_found() -> None:
    for command in (
        "locust -f locustfiles/kiosk.py --headless --cuont 5",
        "locust -f locustfiles/kisok.py --headless",
        "python -m kiosk_locust reprot x.db",
        "python -m kiosk_locust simulate --gpu-s 5",
        "python benchmarks/truth.py --frozen 20",
        "scripts/runs",
        "kubectl apply -k deploy/kubernetes/overlays/none",
        "pip install 'kiosk-locust[simulators]'",
        "docker build -f deploy/Dockerfile --build-arg RUN_IMGE=x .",
    ):
        with pytest.raises((AssertionError, SystemExit)):
            look(shlex.split(command))


def test_the_thresholds_in_the_pages_are_thresholds() -> None:
    lines = [line.text for line in LINES if "queue_wait.p99" in line.block]
    told = [each for line in lines for each in re.split(r"\s{3,}", line)]
    assert len(told) > 5
    for each in told:
        parse(each)
