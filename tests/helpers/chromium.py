"""Chromium as tests see it: visits, one after the other, in one process for all of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.helpers.optional import need

PROGRAM = Path(__file__).with_name("browser.py")
Step = tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """What a visit came to."""

    told: dict[str, Any]
    errors: list[str]  # of the page's scripts and of its policy
    requests: list[str] = field(default_factory=list)


class Chromium:
    """The browser's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def visit(self, url: str, *steps: Step, **asked: Any) -> Seen:
        """Open ``url`` in a fresh context and take ``steps``, as helpers/browser.py tells them."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"url": url, "steps": steps, **asked}) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, "the browser's process ended"
        answer = json.loads(line)
        assert "failed" not in answer, f"{answer['failed']}\n{answer['errors']}"
        return Seen(answer["told"], answer["errors"], answer["requests"])


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Start it; without Chromium the test is skipped, or fails where CI promised it."""
    need("chromium")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    try:
        yield Chromium(process)
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
