"""Lets text that others write to a terminal scroll by above a display that stays below."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from typing import TextIO, cast

from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.text import Text


class Above(io.TextIOBase):
    """A stream whose whole lines are printed by the console, above what it shows live."""

    def __init__(self, console: Console, stream: TextIO) -> None:
        self._console = console
        self._stream = stream
        self._rest = ""
        self._decoder = AnsiDecoder()

    def write(self, text: str) -> int:
        """Print the lines that are whole by now; keep the rest."""
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:
            self._print(lines)
        return len(text)

    def flush(self) -> None:
        """Half a line waits for its other half, or for ``finish``."""

    def finish(self) -> None:
        """Print what is left of a line that was not ended."""
        if self._rest:
            self._print([self._rest])
            self._rest = ""

    def fileno(self) -> int:
        """That of the stream itself."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """As the stream itself says."""
        return self._stream.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # writable there, but nobody writes it
        """That of the stream itself."""
        return self._stream.encoding

    @property
    def rich_proxied_file(self) -> TextIO:
        """Where a rich console that writes to sys.stderr, whatever it is, must write instead."""
        return self._stream

    def _print(self, lines: list[str]) -> None:
        # soft_wrap: a long line stays one line for whoever copies it from the terminal.
        text = Text("\n").join(self._decoder.decode_line(line) for line in lines)
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


class Redirection:
    """While it is on, what goes to the terminal goes through ``console``.

    Swapping sys.stdout and sys.stderr alone would miss logging's handlers, which hold the
    stream they were made with. Streams that lead elsewhere, as to a file, are left alone.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._streams: list[tuple[str, TextIO, Above]] = []
        self._handlers: list[tuple[logging.StreamHandler[TextIO], TextIO]] = []

    def start(self) -> None:
        """Take over the streams and handlers that write to a terminal."""
        for name in ("stdout", "stderr"):
            stream: TextIO = getattr(sys, name)
            if stream.isatty():
                self._streams.append((name, stream, Above(self._console, stream)))
        for handler in _handlers():
            for _name, stream, above in self._streams:
                if handler.stream is stream:
                    self._handlers.append((handler, stream))
                    handler.setStream(cast("TextIO", above))
        for name, _stream, above in self._streams:
            setattr(sys, name, above)

    def stop(self) -> None:
        """Give everything back."""
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
    seen = set()
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler not in seen:
                seen.add(handler)
                yield handler
