"""Redirection of terminal output to above a live display."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from typing import TextIO, cast

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.text import Text


class StreamAboveDisplay(io.TextIOBase):
    """Stream whose complete lines are printed by the console above its live display."""

    def __init__(self, console: Console, stream: TextIO) -> None:
        self._console = console
        self._stream = stream
        self._rest = ""
        self._decoder = AnsiDecoder()

    def write(self, text: str) -> int:
        """Print complete lines; buffer the rest."""
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:
            self._print(lines)
        return len(text)

    def flush(self) -> None:
        """Do nothing: a partial line waits for its end, or for `finish`."""

    def finish(self) -> None:
        """Print a buffered partial line."""
        if self._rest:
            self._print([self._rest])
            self._rest = ""

    def fileno(self) -> int:
        """File descriptor of the original stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Tell if the original stream is a terminal."""
        return self._stream.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # writable in the base class
        """Encoding of the original stream."""
        return self._stream.encoding

    @property
    def rich_proxied_file(self) -> TextIO:
        """Stream for a rich console that would write to sys.stderr."""
        return self._stream

    def _print(self, lines: list[str]) -> None:
        # soft_wrap keeps a long line whole for copying from the terminal.
        text = Text("\n").join(self._decoder.decode_line(line) for line in lines)
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


class Redirection:
    """Redirection of terminal streams through ``console``, while it is on.

    Swapping sys.stdout and sys.stderr alone would miss logging's handlers, which hold the stream
    that they were created with. Streams that lead elsewhere, such as to a file, stay unchanged.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._streams: list[tuple[str, TextIO, StreamAboveDisplay]] = []
        self._handlers: list[tuple[logging.StreamHandler[TextIO], TextIO]] = []

    def start(self) -> None:
        """Take over the streams and handlers that write to a terminal."""
        for name in ("stdout", "stderr"):
            stream: TextIO = getattr(sys, name)
            if stream.isatty():
                self._streams.append((name, stream, StreamAboveDisplay(self._console, stream)))
        for handler in _handlers():
            for _name, stream, above in self._streams:
                if handler.stream is stream:
                    self._handlers.append((handler, stream))
                    handler.setStream(cast("TextIO", above))
        for name, _stream, above in self._streams:
            setattr(sys, name, above)

    def stop(self) -> None:
        """Restore all streams and handlers."""
        for name, stream, above in self._streams:
            if getattr(sys, name) is above:
                setattr(sys, name, stream)
        for handler, stream in self._handlers:
            handler.setStream(stream)
        for _name, _stream, above in self._streams:
            above.finish()
        self._streams.clear()
        self._handlers.clear()


def _handlers() -> Iterator[logging.StreamHandler[TextIO]]:
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    yielded = set()
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler not in yielded:
                yielded.add(handler)
                yield handler
