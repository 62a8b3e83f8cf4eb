"""Outages of what a run writes to: its disk, the bucket and Grafana; they last until it is over."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.helpers.disks import fill, small_disk
from tests.helpers.gcs import NoFakeGCS, fake_gcs_server
from tests.helpers.proxies import Proxy
from tests.helpers.real import CLEAN, PYTHONPATH, Finished, Locust, simulator
from tests.outages.network import NotPermitted
from tests.outages.plays import TROUBLED, Seen, first, look, options, submitted

BUCKET = "our-kiosk"
JOBS = 60
DISK_BYTES = 32 * 1024 * 1024  # SQLite's log alone grows to 4 MiB
LIMIT_S = 300.0


def backends_away(folder: Path) -> Seen:
    """Grafana and the bucket answer no more once the last job is submitted.

    The files are uploaded by the command that the run prints, once the bucket is back. Raises
    NotPermitted where there is no fake-gcs-server.
    """
    with (
        _bucket() as port,
        Proxy(port) as bucket,
        simulator("--predict-s=0.5") as kiosk,
        Proxy(urlsplit(kiosk.url).port or 0) as grafana,
    ):
        settings: dict[str, Any] = {
            "STORAGE_BUCKET": f"gs://{BUCKET}",
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{bucket.port}",
            "GRAFANA_HOST": f"http://127.0.0.1:{grafana.port}",
            "GRAFANA_USER": "admin",
            "GRAFANA_PASSWORD": "prom-operator",
        }
        arguments = options(JOBS)
        locust = Locust(folder, *arguments, host=kiosk.url, locustfile=TROUBLED, **settings)
        submitted(kiosk, JOBS)
        for door in (bucket, grafana):
            door.refuse()
            door.drop()
        finished = locust.finish(LIMIT_S)
        bucket.accept()
        _run(re.search(r"upload it later: python -m (.*)", finished.output), folder, settings)
        return look(kiosk, JOBS, finished)


def disk_full(folder: Path) -> Seen:
    """The disk of the ledger is full in mid-run; with room again it is rescued and resumed.

    Raises NotPermitted where no small disk can be mounted.
    """
    with small_disk(folder / "results", DISK_BYTES) as disk, simulator("--predict-s=0.5") as kiosk:
        spare = folder / "spare"
        spare.mkdir()
        run: dict[str, Any] = {"host": kiosk.url, "locustfile": TROUBLED, "TMPDIR": str(spare)}
        locust = Locust(folder, *options(JOBS * 5), **run)
        first(kiosk)
        filler = fill(disk)
        sessions = [locust.finish(LIMIT_S)]
        filler.unlink()
        said = re.search(r"python -m (kiosk_locust rescue \S+ \S+)", sessions[0].output)
        _run(said, folder, {})
        (folder / "output.txt").rename(folder / "output0.txt")
        again = Locust(folder, "--resume", "struck", "-u", str(JOBS * 5), **run)
        sessions.append(again.finish(LIMIT_S))
        return look(kiosk, JOBS * 5, *sessions)


def _run(found: re.Match[str] | None, folder: Path, settings: dict[str, str]) -> None:
    """Run the command that a run printed."""
    assert found, Finished(0, (folder / "output.txt").read_text(), folder).output
    subprocess.run(
        [sys.executable, "-m", *found[1].rstrip(";.").split()],
        cwd=folder,
        env=CLEAN | {"PYTHONPATH": PYTHONPATH} | settings,
        check=True,
        capture_output=True,
        timeout=120,
    )


@contextmanager
def _bucket() -> Iterator[int]:
    """A bucket with the jobs' file in it; its port."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(fake_gcs_server())
        except NoFakeGCS as error:
            raise NotPermitted(str(error)) from error
        made = requests.post(f"{server}/storage/v1/b", json={"name": BUCKET}, timeout=10)
        made.raise_for_status()
        where = f"{server}/upload/storage/v1/b/{BUCKET}/o?uploadType=media"
        for name in ["image.png", *(f"1-{number}.tif" for number in range(JOBS))]:
            target = f"{where}&name=uploads/{name}"
            requests.post(target, data=b"image", timeout=10).raise_for_status()
        yield urlsplit(server).port or 0
