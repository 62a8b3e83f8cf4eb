"""Control interface under ``/simulator/``: received requests, state, faults.

Changes need a JSON content type, which pages of other sites can send only after a preflight
request, and that is never granted here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from kiosk_locust.errors import OptionsError
from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.faults import FaultPlan, FaultRule, parse_fault, rule_text
from kiosk_locust.simulator.grafana import Grafana
from kiosk_locust.simulator.nodes import SimulatedNode
from kiosk_locust.simulator.request_log import Traffic
from kiosk_locust.simulator.storage import Storage


class Parts(NamedTuple):
    """Parts of a simulated Kiosk that the control interface reads or changes."""

    cluster: Cluster
    clock: Callable[[], float]  # epoch seconds
    traffic: Traffic
    faults: FaultPlan
    storage: Storage
    grafana: Grafana


def control_app(kiosk: Parts) -> Starlette:
    """Control interface of one simulated Kiosk."""

    async def log(_request: Request) -> JSONResponse:
        return JSONResponse(kiosk.traffic.report())

    async def counts(_request: Request) -> JSONResponse:
        return JSONResponse(kiosk.traffic.counts() | {"now": kiosk.clock()})

    async def hashes(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("".join(f"{key}\n" for key in kiosk.traffic.created_hashes()))

    async def polls(_request: Request) -> JSONResponse:
        return JSONResponse(kiosk.traffic.polls_report())

    async def state(_request: Request) -> JSONResponse:
        return JSONResponse(state_of(kiosk))

    async def jobs(_request: Request) -> JSONResponse:
        return JSONResponse(jobs_of(kiosk))

    async def uploads(_request: Request) -> JSONResponse:
        return JSONResponse([asdict(stored) for stored in kiosk.storage.uploads])

    async def faults(request: Request) -> JSONResponse:
        try:
            rules = parse_rules(await request.json())
        except ValueError:
            return JSONResponse({"message": "The body is not JSON."}, 400)
        except OptionsError as error:
            return JSONResponse({"message": str(error)}, 400)
        kiosk.faults.replace(rules)
        return JSONResponse({"faults": [rule.text for rule in rules]})

    async def flush(_request: Request) -> JSONResponse:
        return JSONResponse({"flushed": kiosk.cluster.flush(kiosk.clock())})

    return Starlette(
        routes=[
            Route("/simulator/log", log),
            Route("/simulator/counts", counts),
            Route("/simulator/hashes", hashes),
            Route("/simulator/polls", polls),
            Route("/simulator/state", state),
            Route("/simulator/jobs", jobs),
            Route("/simulator/uploads", uploads),
            Route("/simulator/faults", _json_only(faults), methods=["POST"]),
            Route("/simulator/flush", _json_only(flush), methods=["POST"]),
        ]
    )


def _json_only(
    view: Callable[[Request], Awaitable[Response]],
) -> Callable[..., Awaitable[Response]]:
    """``view`` for requests with JSON's content type, and a refusal of others."""

    async def guarded(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            return await view(request)
        message = f"The content type must be application/json, and is {kind[:100] or 'not given'}."
        return JSONResponse({"message": message}, 415)

    return guarded


def parse_rules(body: object) -> list[FaultRule]:
    """Rules from a JSON list of texts or objects.

    Raises:
        OptionsError: A rule is invalid.

    """
    rules = body if isinstance(body, list) else [body]
    return [parse_fault(rule_text(rule), "faults") for rule in rules]


def jobs_of(kiosk: Parts) -> dict[str, dict[str, object]]:
    """Content of ``GET /simulator/jobs``: each job's true life, and the MD5 of its file.

    The file is the object's content when a consumer took the job, else its present content.
    """
    now = kiosk.clock()
    lives, names = kiosk.cluster.lives(now), kiosk.cluster.uploaded_names()
    contents = kiosk.storage.contents(
        (names[key], now if life.started_at is None else life.started_at)
        for key, life in lives.items()
    )
    return {
        key: life._asdict() | {"uploaded_name": names[key], "content_md5": md5}
        for (key, life), md5 in zip(lives.items(), contents, strict=True)
    }


def state_of(kiosk: Parts) -> dict[str, object]:
    """Content of ``GET /simulator/state``; times in epoch seconds."""
    cluster = kiosk.cluster
    now = kiosk.clock()
    return {
        "now": now,
        "started_at": cluster.started_at,
        "seed": cluster.settings.seed,
        "jobs": cluster.statuses(now),
        "queues": cluster.queue_lengths(),
        "nodes": [_node(node) for node in cluster.fleet.alive],
        "node_history": [_node(node) for node in cluster.fleet.history],
        "cpu_nodes": [_node(node) for node in cluster.fleet.cpu_nodes],
        "annotations": kiosk.grafana.annotations,
        "faults": [
            {"rule": rule.text, "hits": hits}
            for rule, hits in zip(kiosk.faults.rules, kiosk.faults.hits, strict=True)
        ],
    }


def _node(node: SimulatedNode) -> dict[str, object]:
    return {
        "name": node.name,
        "machine_type": node.machine_type,
        "accelerator": node.accelerator,
        "created_at": node.created_at,
        "ready_at": node.ready_at,
        "deleted_at": node.deleted_at,
        "running": node.running,
    }
