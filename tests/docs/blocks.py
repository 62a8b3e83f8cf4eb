"""What stands in code blocks and code spans of the documentation, page by page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tests.helpers.real import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
#: What a command begins with; a block's line that begins with none of these is no command.
PROGRAMS = {
    *(".", "curl", "docker", "gcloud", "git", "kubectl", "locust", "pip", "python", "python3"),
}
_ASSIGNED = re.compile(r"[A-Z][A-Z_]+=")


@dataclass(frozen=True, slots=True)
class Code:
    """A line of code, with what it goes on with; ``block`` is the first line of its block."""

    page: str
    number: int  # of the line, from 1
    language: str  # of the fence; empty: none is named
    text: str
    block: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.number}"

    @property
    def words(self) -> list[str]:
        """As a shell would read them, without a comment."""
        return shlex.split(self.text, comments=True)

    @property
    def commands(self) -> list[tuple[str, ...]]:
        """The commands in it, by their words, without what is set for them before."""
        if not is_command(self.text):
            return []
        found: list[list[str]] = [[]]
        for word in self.words:
            if word == "&&":
                found.append([])
            elif found[-1] or not _ASSIGNED.match(word):
                found[-1].append(word)
        return [tuple(words) for words in found]


def is_command(text: str) -> bool:
    """Whether it begins with a program that we know, perhaps after assignments."""
    for word in text.split():
        if word in PROGRAMS or word.startswith(("scripts/", ".venv/bin/")):
            return True
        if not _ASSIGNED.match(word):
            break
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return False
    rest = [word for word in words if not _ASSIGNED.match(word)]
    return len(rest) < len(words) and bool(rest) and rest[0] in PROGRAMS


def shell_lines() -> list[Code]:
    """Every line of every block whose language is none, or a shell's."""
    found = [line for line in code() if line.language in ("", "sh", "bash", "shell", "console")]
    joined: list[Code] = []
    for line in found:
        before = joined[-1] if joined else None
        if before is not None and before.text.endswith("\\") and before.block == line.block:
            text = before.text.removesuffix("\\") + line.text
            joined[-1] = Code(before.page, before.number, before.language, text, before.block)
        else:
            joined.append(line)
    return joined


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Where each block of that language is, and its text."""
    gathered: dict[tuple[str, str], list[str]] = {}
    for line in code(keep_indent=True):
        if line.language == language:
            gathered.setdefault((line.page, line.block), []).append(line.text)
    for (page, block), lines in gathered.items():
        yield f"{page}:{block.partition(':')[0]}", "\n".join(lines) + "\n"


def code(*, keep_indent: bool = False) -> Iterator[Code]:
    """Every line in a fenced or indented block."""
    for path in PAGES:
        page = str(path.relative_to(ROOT))
        fence, in_list, block, last = "", False, "", ""
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            text = line if keep_indent else line.strip()
            if mark := re.match(r"\s*(```+|~~~+)\s*(\w*)", line):
                fence = "" if fence else mark[2] or "none"
                block = ""
            elif fence:
                block = block or f"{number}:{text}"
                if text.strip() or keep_indent:
                    yield Code(page, number, "" if fence == "none" else fence, text, block)
            elif line.strip():
                indent = len(line) - len(line.lstrip())
                in_list = bool(re.match(r"(-|\d+\.) ", line)) or (in_list and indent > 0)
                is_code = indent >= (8 if in_list else 4) or (indent >= 4 and is_command(text))
                if is_code and (block or not last.strip()):
                    block = block or f"{number}:{text.strip()}"
                    yield Code(page, number, "", text, block)
                else:
                    block = ""
            last = line


def spans() -> Iterator[Code]:
    """Commands with arguments that stand within sentences."""
    for path in PAGES:
        page, is_fenced = str(path.relative_to(ROOT)), False
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            is_fenced ^= line.lstrip().startswith("```")
            if is_fenced or line.startswith("    "):
                continue
            for text in re.findall(r"(?<!`)`([^`]+)`", line):
                if is_command(text) and (" " in text or "/" in text):
                    yield Code(page, number, "", text, text)
