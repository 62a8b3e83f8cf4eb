"""A plain HTTP client, independent of the package's own, and raw connections."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

JSON = {"Content-Type": "application/json"}
JOB = {
    "jobType": "segmentation",
    "imageName": "a.png",
    "uploadedName": "uploads/a.png",
    "jobForm": {"dimensionOrder": "XYB", "selectedChannels": "0,,"},
}


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Client:
    """One kept connection to a simulated Kiosk."""

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        self.url = url
        self.connection = HTTPConnection(urlsplit(url).netloc, timeout=timeout_s)

    def get(self, path: str) -> Reply:
        return self.send("GET", path, None, {})

    def post(self, path: str, body: object) -> Reply:
        return self.send("POST", path, json.dumps(body).encode(), JSON)

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, named, answer.read())

    def log(self) -> Any:
        return Client(self.url).get("/simulator/log").json

    def state(self) -> Any:
        return Client(self.url).get("/simulator/state").json

    def faults(self, *rules: object) -> Reply:
        return Client(self.url).post("/simulator/faults", list(rules))

    def close(self) -> None:
        self.connection.close()


def raw_exchange(url: str, data: bytes, timeout_s: float = 10.0) -> bytes:
    """All bytes that come back until the other side closes, or 0.3 s of silence."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout_s) as raw:
        raw.sendall(data)
        received = b""
        while piece := raw.recv(65536):
            received += piece
        return received
