"""Names of results: they tell input and job, and lead nowhere else."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.storage.transfers.naming import MOST_BYTES, result_name
from tests.helpers.scenarios import make_record

UUID = "0f216707-ad9c-4b16-a2bd-a22c48e13a15"


def test_a_name_tells_the_ticket_the_input_and_the_job() -> None:
    record = make_record(12, file="Zelle 7.tif", job_id=f"segmentation:Zelle 7.tif:{UUID}")
    url = "https://storage.googleapis.com/kiosk/output/abc.zip?x=1"
    assert result_name(record, url) == f"000012_Zelle_7_{UUID}.zip"


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=400))
def test_whatever_the_kiosk_says_the_file_is_in_the_folder_and_its_name_is_short(
    image: str, job: str, url: str
) -> None:
    name = result_name(make_record(3, file=image, job_id=job), url)
    folder = Path("/results/run_results")
    assert (folder / name).resolve().parent == folder
    assert name.startswith("000003_")
    assert len(name.encode()) <= MOST_BYTES
    assert name.isprintable()


def test_names_that_want_to_climb_out_stay_inside() -> None:
    record = make_record(1, file="../../etc/passwd", job_id="a:b:../../../x\0y")
    assert result_name(record, "http://h/../../a.zip/../b.sh;rm") == "000001_passwd_x_y"
