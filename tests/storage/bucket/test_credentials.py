"""Credentials that are missing or wrong, found by a process without gevent in bounded time."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.helpers.real import CLEAN, PYTHONPATH
from tests.helpers.servers import Connection, RawServer, answering, json_answer

ALL = ("get", "create", "delete")
PROGRAM = """
from kiosk_locust.storage.bucket import open_bucket
from kiosk_locust.errors import BucketError
try:
    bucket = open_bucket("gs://our-kiosk")
    bucket.check(reading="uploads/", writing="output/", replacing="output/")
except BucketError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def black_hole() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def check(folder: Path, **environment: str) -> tuple[str, float]:
    """What the program says, and how long it took, in seconds."""
    begun = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=CLEAN | {"HOME": str(folder), "PYTHONPATH": PYTHONPATH} | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ended.stdout, time.monotonic() - begun


def test_without_credentials_nobody_waits_for_a_metadata_server(
    tmp_path: Path, black_hole: str
) -> None:
    said, took_s = check(tmp_path, GCE_METADATA_IP=black_hole)
    assert said.startswith("NoCredentials no credentials for Google Cloud were found")
    assert "GOOGLE_APPLICATION_CREDENTIALS" in said
    assert took_s < 8  # google-auth by itself takes 12 s and more; its import alone 1 s


@pytest.mark.parametrize("content", [None, "no JSON", "{}"], ids=["missing", "no JSON", "empty"])
def test_a_key_file_that_is_none_is_named(
    tmp_path: Path, black_hole: str, content: str | None
) -> None:
    key = tmp_path / "key.json"
    if content is not None:
        key.write_text(content)
    said, _ = check(tmp_path, GOOGLE_APPLICATION_CREDENTIALS=str(key), GCE_METADATA_IP=black_hole)
    assert said.startswith("NoCredentials ")
    assert "key.json" in said
    assert "(('" not in said  # google-auth raises a tuple, which says it twice


def make_key(folder: Path, token_uri: str) -> str:
    """The path of a service account's key file."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    key = {
        "type": "service_account",
        "client_email": "runner@project.iam.gserviceaccount.com",
        "token_uri": token_uri,
        "private_key": pem,
        "private_key_id": "1",
    }
    path = folder / "key.json"
    path.write_text(json.dumps(key))
    return str(path)


def test_a_key_that_is_not_accepted_is_no_secret_in_the_message(tmp_path: Path) -> None:
    refusal = json_answer({"error": "invalid_grant", "error_description": "Invalid JWT"}, 400)
    with RawServer(answering(refusal)) as server:
        key = make_key(tmp_path, f"{server.url}/token")
        said, _ = check(tmp_path, GOOGLE_APPLICATION_CREDENTIALS=key)
        assert server.requests[0].path == "/token"
    assert said.startswith("NoCredentials gs://our-kiosk: the credentials are not accepted")
    assert "Invalid JWT" in said
    assert "PRIVATE" not in said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (json_answer({"permissions": [f"storage.objects.{name}" for name in ALL]}), ""),
        (
            json_answer({"permissions": ["storage.objects.get"]}),
            "NotPermitted gs://our-kiosk: storage.objects.create and storage.objects.delete are not"
            " permitted: give the account that runs this the roles Storage Object Creator and"
            " Storage Object User on the bucket",
        ),
        (
            json_answer({"error": {"message": "The specified bucket does not exist."}}, 404),
            "BucketMissing gs://our-kiosk: there is no such bucket: correct STORAGE_BUCKET",
        ),
        (
            json_answer({"error": {"message": "no thanks"}}, 401),
            "NoCredentials gs://our-kiosk: the credentials are not accepted (401, 'no thanks')",
        ),
    ],
    ids=["all", "reading only", "no bucket", "not accepted"],
)
def test_a_real_bucket_is_asked_what_is_permitted(
    tmp_path: Path, answer: bytes, words: str
) -> None:
    asked = "/storage/v1/b/our-kiosk/iam/testPermissions"
    token = json_answer({"access_token": "a-token", "expires_in": 3600})

    def behave(connection: Connection) -> None:
        while request := connection.read_request():
            connection.send(token if request.path == "/token" else answer)

    with RawServer(behave) as server:
        said, _ = check(
            tmp_path,
            GOOGLE_APPLICATION_CREDENTIALS=make_key(tmp_path, f"{server.url}/token"),
            API_ENDPOINT_OVERRIDE=server.url,
        )
        request = next(r for r in server.requests if r.path.startswith(asked))
    assert re.findall(r"permissions=storage\.objects\.(\w+)", request.path) == [*ALL]
    assert request.headers["authorization"] == "Bearer a-token"
    assert said.startswith(words)
    assert bool(said) == bool(words)
