"""Whether there is what a command of the documentation names: program, options, files."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from locust.argument_parser import get_parser

from kiosk_locust.__main__ import COMMANDS
from kiosk_locust.planning import arguments as forecast
from kiosk_locust.plugin import arguments
from kiosk_locust.simulator.arguments import make_parser
from tests.helpers.real import ROOT

Words = Sequence[str]
#: What a reader puts something else for.
PLACEHOLDERS = {"…", "FOLDER", "FILE", "PATH", "VERSION", "[FILE.html]", "results/<run>.db", "NAME"}
#: Those that a reader has written, or asks for.
LOCUSTFILES = ("my_kiosk.py", "$(python -m kiosk_locust locustfile)")
#: Programs that are not ours: nothing but what they are told of this project is looked at.
OTHERS = {"cd", "curl", "gcloud", "git", "."}


def look(words: Words) -> None:
    """Raise AssertionError, with what is wrong, unless this command can be given like that."""
    program, *rest = words
    if program in OTHERS:
        return
    if program.endswith("python") and rest[:1] == ["-m"]:
        MODULES.get(rest[1], _module)(rest[1:])
    elif program.endswith("python"):
        _script(rest)
    elif program.startswith("scripts/"):
        _script(words)
    else:
        PROGRAMS[program](rest)


def parsed_by_locust(words: Words) -> None:
    """Locust's parser knows every option, with ours among them, and takes its value."""
    parser = get_parser()
    arguments.add_options(parser)
    parser.exit_on_error = False
    words = [word for word in words if word not in ("…", "--help")]
    if words[:1] == ["-f"]:
        file = words[1] if words[1:] else LOCUSTFILES[0]
        assert (ROOT / file).is_file() or file in LOCUSTFILES, f"{file} is not there"
        words = words[2:]
    options, unknown = parser.parse_known_args(words, env_vars={})
    assert not unknown, f"Locust does not know {unknown}"
    assert not options.user_classes or options.user_classes == ["Mesmer"]


def _ours(words: Words) -> None:
    """A command of ``python -m kiosk_locust``, with its options."""
    if not words[1:] or words[1] in PLACEHOLDERS:
        return
    assert words[1] in COMMANDS, f"there is no command {words[1]}"
    if words[1] == "simulate":
        forecast.read([word for word in words[2:] if word not in PLACEHOLDERS])
    usage = COMMANDS[words[1]].USAGE
    for option in _options(words[2:]):
        assert option in usage or words[1] == "simulate", f"{words[1]} has no {option}"


def _simulated(words: Words) -> None:
    make_parser().parse_args(list(words[1:]))


def _module(words: Words) -> None:
    path = ROOT / words[0].replace(".", "/")
    assert path.with_suffix(".py").is_file(), f"there is no module {words[0]}"
    if words[0].startswith("benchmarks."):
        _script([str(path.with_suffix(".py").relative_to(ROOT)), *words[1:]])


def _script(words: Words) -> None:
    """A file of ours that knows these options; a shell script hands them on."""
    path = ROOT / words[0]
    assert path.is_file(), f"{words[0]} is not there"
    if path.suffix != ".py":
        assert path.stat().st_mode & 0o111, f"{words[0]} cannot be executed"
        assert '"$@"' in _read(path) or not words[1:], f"{words[0]} takes nothing"
        return
    known = set(_texts(path))
    for option in _options(words[1:]):
        assert option in known, f"{words[0]} has no {option}"
    takes = re.search(r"argv|add_argument|parse_args", "".join(map(_read, _files(path))))
    assert takes or not words[1:], f"{words[0]} takes no arguments"


def _texts(path: Path) -> Iterable[str]:
    """Every text in a program, and in what it imports of its own folder."""
    for each in _files(path):
        for node in ast.walk(ast.parse(_read(each))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def _files(path: Path) -> set[Path]:
    """A program, and what it imports of benchmarks, directly or not."""
    found, new = set[Path](), {path}
    while new:
        found |= new
        imports = [
            one
            for each in new
            for one in re.findall(r"^from (\S+) import (.*)$", _read(each), re.M)
        ]
        modules = {
            name.removeprefix("benchmarks").strip(".").replace(".", "/")
            for module, names in imports
            for name in (module, *(f"{module}.{part}" for part in re.findall(r"\w+", names)))
        }
        new = {ROOT / "benchmarks" / f"{module}.py" for module in modules} - found
        new = {each for each in new if each.is_file()}
    return found


def _read(path: Path) -> str:
    return path.read_text("utf-8")


def _pytest(words: Words) -> None:
    for word in words[1:]:
        assert word.startswith("-") or (ROOT / word).exists(), f"{word} is not there"


def _pip(words: Words) -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for word in words:
        if found := re.search(r"kiosk.locust.*\[(.*)\]$", word):
            missing = {*found[1].split(",")} - told["project"]["optional-dependencies"].keys()
            assert not missing, f"there is no extra {missing}"


def _kubectl(words: Words) -> None:
    """The kustomization that it applies is there, and so is the name that it deletes."""
    if "-k" in words or words[0] == "kustomize":
        folder = words[words.index("-k") + 1 if "-k" in words else 1]
        assert (ROOT / folder / "kustomization.yaml").is_file(), f"nothing to apply in {folder}"
    names = [word.removeprefix("job/") for word in words if "kiosk-locust" in word]
    texts = [_read(path) for path in (ROOT / "deploy" / "kubernetes").rglob("*.yaml")]
    for name in names:
        assert any(f"name: {name}\n" in text for text in texts), f"no manifest has {name}"


def _docker(words: Words) -> None:
    """The recipe and what it asks for are there; what follows the image is Locust's."""
    if words[0] == "build" and len(words) > 1:
        recipe = (ROOT / words[words.index("-f") + 1]).read_text("utf-8")
        for word, before in zip(words[1:], words, strict=False):
            if before == "--build-arg":
                assert f"ARG {word.partition('=')[0]}=" in recipe, f"no ARG {word}"
    images = [n for n, word in enumerate(words) if word.startswith("registry.example.org/")]
    if words[0] == "run" and images:
        parsed_by_locust(words[images[0] + 1 :])


def _options(words: Words) -> list[str]:
    return [word.strip("[]").partition("=")[0] for word in words if word.lstrip("[")[:1] == "-"]


MODULES: dict[str, Callable[[Words], None]] = {
    "kiosk_locust": _ours,
    "kiosk_locust.simulator": _simulated,
    "pytest": _pytest,
    "kiosk_client": lambda _words: None,  # the older client's, in the table of differences
}
PROGRAMS: dict[str, Callable[[Words], None]] = {
    "docker": _docker,
    "kubectl": _kubectl,
    "locust": parsed_by_locust,
    "pip": _pip,
}
