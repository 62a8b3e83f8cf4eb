"""HTTP interface: reads a request, applies faults, calls the model, responds.

A bare ASGI function serves the frequent calls; Starlette serves the rest.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable

from kiosk_locust.simulator import storage as stored
from kiosk_locust.simulator.answers import (
    BAD_JSON,
    HOME,
    NOT_FOUND,
    SERVER_ERROR,
    TOO_LARGE,
    Message,
    Receive,
    Scope,
    Send,
    SimulatedAnswer,
    send_answer,
)
from kiosk_locust.simulator.api import Api
from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.control import Parts, control_app
from kiosk_locust.simulator.fault_responses import abort, hang, replacement
from kiosk_locust.simulator.faults import FaultPlan, FaultRule, SimulatedFault
from kiosk_locust.simulator.grafana import Grafana
from kiosk_locust.simulator.request_log import Predict, Traffic
from kiosk_locust.simulator.storage import Storage
from kiosk_locust.simulator.upload import receive_upload

BODY_LIMIT = 1 << 20  # bytes of a JSON body
PREDICT = ("POST", "/api/predict")
UPLOAD = ("POST", "/api/upload")
POLLS = {("POST", "/api/redis"), ("POST", "/api/status")}
Headers = list[tuple[bytes, bytes]]
logger = logging.getLogger(__name__)


class KioskApp:
    """ASGI application; ``clock`` returns epoch seconds that never decrease."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Callable[[], float],
        faults: list[FaultRule],
        storage: Storage,
    ) -> None:
        self.cluster = cluster
        self.clock = clock
        self.traffic = Traffic()
        self.faults = FaultPlan(faults, cluster.settings.seed)
        self.storage = storage
        self._api = Api(cluster)
        self.grafana = Grafana(cluster)
        self._control = control_app(
            Parts(cluster, clock, self.traffic, self.faults, storage, self.grafana)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path: str = scope["path"]
        if path.startswith("/simulator/"):
            await self._control(scope, receive, send)
            return
        method: str = scope["method"]
        at: float = scope.get("kiosk.received_at") or self.clock()
        is_stored = path.startswith(stored.PATH)
        self.traffic.count(method, stored.PATH if is_stored else path)
        predict = None
        if (method, path) == PREDICT:
            predict = Predict(at)
            self.traffic.predicts.append(predict)
        try:
            await self._serve(scope, receive, send, predict)
        except Exception:
            logger.exception("the simulator itself failed at %s %s", method, path)
            await send_answer(SERVER_ERROR, scope, send)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, predict: Predict | None
    ) -> None:
        age_s = self.clock() - self.cluster.started_at
        fault = self.faults.choose(scope["method"], scope["path"], age_s)
        if fault is None:
            answer = await self._answer(scope, receive, predict)
        else:
            if predict and fault.rule:
                predict.fault = fault.rule.text
            answer_or_none = await self._faulty(fault, scope, receive, predict)
            if answer_or_none is None:
                return
            answer = answer_or_none
        if predict:
            predict.status = answer.status
        await send_answer(answer, scope, send)

    async def _faulty(
        self, fault: SimulatedFault, scope: Scope, receive: Receive, predict: Predict | None
    ) -> SimulatedAnswer | None:
        """Response to a request with a fault; None: there will be none."""
        rule = fault.rule
        if fault.latency_s:
            if scope["path"] != UPLOAD[1]:  # an upload may be large
                receive = await buffered(receive)
            await asyncio.sleep(fault.latency_s)
        if rule is None:
            return await self._answer(scope, receive, predict)
        if rule.kind == "redis":
            return await self._without_redis(rule, scope, receive, predict)
        if rule.when == "after":
            await self._answer(scope, receive, predict)
        elif rule.kind == "drop":
            await abort(scope, receive)
            return None
        else:
            body = await read_body(receive)
            if predict:
                predict.body = body
        if rule.kind == "drop":
            await abort(scope, receive)
            return None
        if rule.kind == "hang":
            await hang(receive)
            return None
        return replacement(rule)

    async def _without_redis(
        self, rule: FaultRule, scope: Scope, receive: Receive, predict: Predict | None
    ) -> SimulatedAnswer:
        """Response if Redis refuses a command or is down."""
        raw = await read_body(receive)
        if predict:
            predict.body = raw
        body = parse_body(scope["headers"], raw or b"") or {}
        return self._api.without_redis(rule.command, body, self.clock())

    async def _answer(
        self, scope: Scope, receive: Receive, predict: Predict | None
    ) -> SimulatedAnswer:
        """Response of a Kiosk without faults."""
        target = (scope["method"], scope["path"])
        if target == UPLOAD:
            return await self._upload(scope, receive)
        raw = await read_body(receive)
        if scope["path"].startswith(stored.PATH):
            return self.storage.answer(scope)
        if raw is not None and self.grafana.serves(scope["path"]):
            return self.grafana.answer(*target, scope["query_string"], raw, self.clock())
        return self._api_answer(target, scope["headers"], raw, predict)

    async def _upload(self, scope: Scope, receive: Receive) -> SimulatedAnswer:
        """Store a file; respond once the bucket has it, or never with uniform access."""
        settings = self.cluster.settings
        answer = await receive_upload(
            scope, receive, self.storage, self.clock, settings.upload_clock_s
        )
        if answer.status != 200:
            return answer
        if settings.upload_mb_per_s:
            size = self.storage.uploads[-1].size
            await asyncio.sleep(size / (settings.upload_mb_per_s * 1e6))
        if settings.uniform_access:
            await hang(receive)
        return answer

    def answer_now(
        self, method: str, path: str, headers: Headers, raw: bytes | None, at: float
    ) -> SimulatedAnswer:
        """Response to a whole API request that no fault affects, logged like others.

        Args:
            method: The HTTP method.
            path: The request's path.
            headers: Its headers.
            raw: Its body; None if that was larger than BODY_LIMIT.
            at: Time of its first byte, epoch seconds.

        """
        target = (method, path)
        self.traffic.count(method, path)
        predict = None
        if target == PREDICT:
            predict = Predict(at)
            self.traffic.predicts.append(predict)
        try:
            answer = self._api_answer(target, headers, raw, predict)
        except Exception:
            logger.exception("the simulator itself failed at %s %s", method, path)
            return SERVER_ERROR
        if predict:
            predict.status = answer.status
        return answer

    def _api_answer(
        self, target: tuple[str, str], headers: Headers, raw: bytes | None, predict: Predict | None
    ) -> SimulatedAnswer:
        """The API's response to a body."""
        if predict:
            predict.body = raw
        if raw is None:
            return TOO_LARGE
        body = parse_body(headers, raw)
        if body is None:
            return BAD_JSON
        now = self.clock()
        if predict:
            answer, predict.hash = self._api.predict(body, now)
            return answer
        if target in POLLS and body.get("hash"):
            self.traffic.polled(str(body["hash"]), now)
        call = self._api.calls.get(target)
        if call:
            return call(body, now)
        is_page = target[0] == "GET" and not target[1].startswith("/api/")
        return HOME if is_page else NOT_FOUND


async def buffered(receive: Receive) -> Receive:
    """The whole request, replayed later: it is carried out even if its client has gone."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    messages.reverse()

    async def hand_out() -> Message:
        return messages.pop() if messages else await receive()

    return hand_out


async def read_body(receive: Receive) -> bytes | None:
    """The whole body; None if it is larger than BODY_LIMIT (but read to its end)."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        if len(body) <= BODY_LIMIT:
            body += message.get("body", b"")
    return body if len(body) <= BODY_LIMIT else None


def parse_body(headers: Headers, raw: bytes) -> dict[str, object] | None:
    """JSON body in Express's interpretation; None if it is invalid.

    Without a JSON content type it counts as empty, and so does a list, which has no keys.
    """
    if not raw or not _says_json(headers):
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    if isinstance(body, list):
        return {}
    return body if isinstance(body, dict) else None


def _says_json(headers: Headers) -> bool:
    return any(
        name == b"content-type" and value.lower().startswith(b"application/json")
        for name, value in headers
    )
