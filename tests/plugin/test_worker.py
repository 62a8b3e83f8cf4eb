"""A worker as a process, beside a master that is made up here."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from locust.rpc import Message, zmqrpc

from tests.helpers.real import ROOT, Locust, simulator, wait_until
from tests.runs.test_distributed import cluster, submitted

pytestmark = pytest.mark.resilience  # scripts/resilience runs it

LOCUSTFILE = ROOT / "tests" / "locustfiles" / "short_of_patience.py"


def test_a_worker_whose_master_was_gone_before_its_first_heartbeat_ends(tmp_path: Path) -> None:
    master = zmqrpc.Server("127.0.0.1", 0)
    arguments = ("--worker", "--master-port", str(master.port))
    worker = Locust(tmp_path, *arguments, headless=False, locustfile=LOCUSTFILE)
    node, message = master.recv_from_client()
    assert message.type == "client_ready"
    for answer in (Message("ack", {"index": 0}, node), Message("quit", None, node)):
        master.send_to_client(answer)
    assert worker.finish(timeout_s=20).code == 0, worker.output
    master.close()


def test_a_worker_waits_for_no_jobs_once_its_master_has_gone(tmp_path: Path) -> None:
    arguments = ("-u", "8", "-r", "50", "-s", "60")
    with (
        simulator("--predict-s=600") as kiosk,
        cluster(tmp_path, kiosk, *arguments, workers=1, locustfile=LOCUSTFILE) as run,
    ):
        submitted(kiosk, 8)
        (worker,) = run.workers
        run.master.signal(signal.SIGINT)
        wait_until(lambda: "8 jobs in flight have 60 s" in worker.output, what="the drain")
        run.master.process.kill()
        assert worker.finish(timeout_s=20).code == 0, worker.output
