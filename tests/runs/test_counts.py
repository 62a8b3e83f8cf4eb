"""However a run is asked for, each ticket is one submission at the server and one record."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from tests.helpers.real import run_locust, simulator


@pytest.mark.parametrize(
    ("arguments", "settings", "count"),
    [
        (["-u", "100"], {}, 100),
        (["-u", "30", "-r", "7.5"], {}, 30),
        (["-u", "30", "-r", "100", "--num-cycles", "3"], {}, 90),
        (["--count", "250", "-u", "20"], {}, 250),
        (["-u", "60", "--arrival", "poisson", "-r", "30"], {}, 60),
        (["-u", "1"], {}, 1),
        ([], {"dotenv": "COUNT=100\n"}, 100),
        (["--count", "3", "-u", "1", "--num-cycles", "2"], {}, 6),
        (["-u", "40", "--start-delay", "0"], {}, 40),
        (["-u", "20", "--ramp", "5:50:1"], {}, 20),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_run_makes_exactly_as_many_jobs_as_asked_for(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], count: int
) -> None:
    with simulator() as kiosk:
        finished = run_locust(tmp_path, *arguments, host=kiosk.url, **settings)
        submitted = [submission["hash"] for submission in kiosk.submissions]
        requests = kiosk.requests
    assert finished.code == 0, finished.output
    assert len(submitted) == len(set(submitted)) == count
    assert sorted(job["job_id"] for job in finished.jobs) == sorted(submitted)
    assert finished.outcomes == {"done": count}
    assert all(found["versions"]["locust"] == version("locust") for found in finished.results)
    polls = sum(job["polls"] for job in finished.jobs)
    assert requests["POST /api/predict"] == requests["POST /api/redis/expire"] == count
    assert requests["POST /api/redis"] == polls
