"""A network of its own for workers, whose line to the master can be cut while the Kiosk's stays."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

_numbers = itertools.count()


class NotPermitted(Exception):
    """What an outage takes cannot be made here; says what is needed."""


@dataclass(frozen=True)
class Network:
    """What workers run in: a name space with a line to the master and one to the Kiosk."""

    name: str
    master: str  # addresses of this side
    kiosk: str
    _line: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """What a command begins with that is to run there."""
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        """Nothing passes between master and workers from now on."""
        _ip("link", "set", self._line, "down")

    def mend(self) -> None:
        """All passes again."""
        _ip("link", "set", self._line, "up")


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Make one, from the range that is kept for benchmarks (RFC 2544); raises NotPermitted."""
    number = (os.getpid() * 8 + next(_numbers)) % 16000
    name = f"kl{os.getpid()}n{number}"
    third, fourth = divmod(number * 8, 256)
    base = f"198.{18 + third // 256}.{third % 256}"
    lines = (f"klm{number}", f"klk{number}")
    try:
        _ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise NotPermitted(
            "no network can be made here: it takes the program ip (apt-get install iproute2) and"
            f" root, or a container with CAP_NET_ADMIN and CAP_SYS_ADMIN ({said.strip()})"
        ) from error
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        ends = []
        for line, offset in zip(lines, (0, 4), strict=True):
            ours, theirs = f"{base}.{fourth + offset + 1}", f"{base}.{fourth + offset + 2}"
            _ip("link", "add", line, "type", "veth", "peer", "name", f"{line}x", "netns", name)
            _ip("addr", "add", f"{ours}/30", "dev", line)
            _ip("-n", name, "addr", "add", f"{theirs}/30", "dev", f"{line}x")
            _ip("link", "set", line, "up")
            _ip("-n", name, "link", "set", f"{line}x", "up")
            ends.append(ours)
        yield Network(name, ends[0], ends[1], lines[0])
    finally:
        for line in lines:  # their other ends go with them
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("link", "del", line)
        _ip("netns", "del", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
