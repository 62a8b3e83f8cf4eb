"""The simulated bucket: what is uploaded is kept, and what jobs made can be fetched."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import tifffile

from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk
from kiosk_locust.simulator.storage import result, suffix_of
from tests.simulator.clients import Client
from tests.simulator.test_app import upload

OUTPUT = "/storage/output/0f216707-ad9c-4b16-a2bd-a22c48e13a15.zip"


def test_an_upload_is_kept_in_the_folder(tmp_path: Path) -> None:
    with EmbeddedKiosk("--folder", str(tmp_path)) as url:
        client = Client(url)
        status, _ = upload(client, b"some content")
        client.close()
    assert status == 200
    (kept,) = (tmp_path / "uploads").iterdir()
    assert kept.read_bytes() == b"some content"


def test_an_output_is_a_zip_with_an_image_whole_or_in_parts(client: Client) -> None:
    whole = client.get(OUTPUT)
    with zipfile.ZipFile(io.BytesIO(whole.raw)) as archive:
        (name,) = archive.namelist()
        assert tifffile.imread(io.BytesIO(archive.read(name))).shape == (1, 10_000)
    etag = whole.headers["etag"]
    rest = client.send("GET", OUTPUT, None, {"Range": "bytes=5000-", "If-Range": etag})
    assert (rest.status, rest.raw) == (206, whole.raw[5000:])
    assert rest.headers["content-range"] == f"bytes 5000-{len(whole.raw) - 1}/{len(whole.raw)}"
    other = client.send("GET", OUTPUT, None, {"Range": "bytes=5000-", "If-Range": '"other"'})
    assert (other.status, other.raw) == (200, whole.raw)
    beyond = client.send("GET", OUTPUT, None, {"Range": f"bytes={len(whole.raw)}-"})
    assert beyond.status == 416


def test_nothing_else_is_served(client: Client) -> None:
    for path in ("/storage/output/x.zip", "/storage/../etc/passwd", "/storage/uploads/a.png"):
        assert client.get(path).status == 404


def test_the_same_job_always_has_the_same_output() -> None:
    assert result("a", 9) == result("a", 9) != result("b", 9)


def test_endings_of_names_lead_nowhere() -> None:
    assert suffix_of("a.tif") == ".tif"
    assert suffix_of("a.b/../../c") == ""
