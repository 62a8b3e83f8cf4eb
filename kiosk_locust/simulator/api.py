"""The frontend's API calls on the model."""

from __future__ import annotations

from collections.abc import Callable

from kiosk_locust.simulator.answers import SERVER_ERROR, SimulatedAnswer, json_answer
from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.faults import AWAY
from kiosk_locust.simulator.submission import InvalidSubmission, parse_submission

DEFAULT_EXPIRE_S = 3600
Call = Callable[[dict[str, object], float], SimulatedAnswer]


class Api:
    """Responses to each call; ``now`` is in epoch seconds."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        settings = cluster.settings
        models: dict[str, list[str]] = {}
        for model in settings.models:
            name, _, version = model.partition(":")
            versions = models.setdefault(name, [])
            if settings.model_prefix.endswith("/"):
                versions.append(version)
            elif not versions:
                versions.append("")  # as the real frontend splits object names of its bucket
        self._job_types = json_answer({"jobTypes": list(settings.job_types)})
        self._models = json_answer({"models": models})
        self._health = json_answer({"message": "OK"})
        self.calls: dict[tuple[str, str], Call] = {
            ("POST", "/api/predict"): lambda body, now: self.predict(body, now)[0],
            ("POST", "/api/status"): self.status,
            ("POST", "/api/redis"): self.redis,
            ("POST", "/api/redis/expire"): self.expire,
            ("GET", "/api/jobtypes"): lambda _body, _now: self._job_types,
            ("GET", "/api/models"): lambda _body, _now: self._models,
            ("GET", "/api/health-check"): lambda _body, _now: self._health,
        }

    def predict(self, body: dict[str, object], now: float) -> tuple[SimulatedAnswer, str | None]:
        """Response, and the key of the new job, if any."""
        try:
            form = parse_submission(body, self.cluster.settings.job_types)
        except InvalidSubmission as invalid:
            return json_answer({"message": str(invalid)}, 400), None
        key = self.cluster.submit(form, now)
        return json_answer({"hash": key}), key

    def without_redis(self, command: str, body: dict[str, object], now: float) -> SimulatedAnswer:
        """Response if Redis refuses ``command`` or is down: an error of ioredis as JSON.

        Nothing is done; but if lpush is refused, the hash that hmset made stays.
        """
        if command == AWAY:
            return json_answer({"message": {}}, 500)
        key = _key(body)
        args = [key]
        if command in ("hmset", "lpush"):
            try:
                form = parse_submission(body, self.cluster.settings.job_types)
            except InvalidSubmission as invalid:
                return json_answer({"message": str(invalid)}, 400)
            key = self.cluster.submit(form, now, queued=False)
            args = [form.queue, key] if command == "lpush" else [key, "status", "new"]
            if command == "hmset":
                self.cluster.expire(key, 0, now)
        return json_answer({"message": {"command": {"name": command, "args": args}}}, 500)

    def status(self, body: dict[str, object], now: float) -> SimulatedAnswer:
        """Status of one hash."""
        return json_answer({"status": self.cluster.status(_key(body), now)})

    def redis(self, body: dict[str, object], now: float) -> SimulatedAnswer:
        """One field of a hash, or a list of fields in its order."""
        key = body.get("key")
        fields = self.cluster.read(_key(body), now)
        if isinstance(key, list):
            if not key:
                return SERVER_ERROR  # Redis: wrong number of arguments
            return json_answer({"value": [fields.get(str(name)) for name in key]})
        return json_answer({"value": fields.get(str(key))})

    def expire(self, body: dict[str, object], now: float) -> SimulatedAnswer:
        """Set a hash's expiry; Redis takes whole seconds only."""
        seconds = body.get("expireIn") or DEFAULT_EXPIRE_S
        try:
            expire_s = int(str(seconds))
        except ValueError:
            return SERVER_ERROR
        exists = self.cluster.expire(_key(body), expire_s, now)
        return json_answer({"value": int(exists)}, 200 if exists else 404)


def _key(body: dict[str, object]) -> str:
    return str(body.get("hash", ""))
