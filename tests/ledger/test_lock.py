"""One process a ledger."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.lock import Lock, file_system_type, holder, network_type


def test_a_ledger_that_is_open_can_be_opened_by_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    ledger = Ledger.create(path, {})
    try:
        with pytest.raises(LedgerError, match=f"process {os.getpid()} is running it"):
            Ledger.open(path)
    finally:
        ledger.close()
    Ledger.open(path).close()


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    path.touch()
    code = (
        "import sys, pathlib; from kiosk_locust.ledger.lock import Lock;"
        "lock = Lock(pathlib.Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert holder(path) == process.pid
        with pytest.raises(LedgerError, match=f"process {process.pid} "):
            Lock(path)
        process.kill()
        process.wait()
        Lock(path).release()


def test_a_network_file_system_is_known_by_its_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\nserver:/x /data nfs4 rw 0 0\n"
        "me@there /data/my\\040files fuse.sshfs rw 0 0\n/dev/sdb /data/disk fuseblk rw 0 0\n"
    )
    assert network_type(Path("/data/run.db"), mounts) == "nfs4"
    assert network_type(Path("/data/my files/run.db"), mounts) == "fuse.sshfs"
    assert network_type(Path("/data/disk/run.db"), mounts) == ""
    assert network_type(Path("/home/run.db"), mounts) == ""
    assert file_system_type(Path("/home/run.db"), mounts) == "ext4"
    assert file_system_type(Path("/data/disk/run.db"), mounts) == "fuseblk"
