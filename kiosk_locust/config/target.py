"""Which Kiosk a run is for: a real one by its host, or the simulated one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kiosk_locust.config import bucket_file, parsers
from kiosk_locust.config.env_file import DOTENV
from kiosk_locust.config.sources import Given, Layers, masked
from kiosk_locust.config.validation import DEFAULT, Checker

SIMULATED_FILE = "image.png"
#: Settings that speak of a real Kiosk where no host is given; MODEL does where it names one.
SIGNS = ("storage_bucket", "grafana_host", "prometheus_url")


@dataclass(frozen=True, slots=True)
class Target:
    """The Kiosk, and what each job works on; ``host`` is None for the simulated Kiosk.

    ``operators_host`` is the one that whoever started the process named, and not a form or a
    ledger; empty where they named none.
    """

    host: str | None
    simulate: bool
    file: str
    operators_host: str = ""

    @property
    def is_operators(self) -> bool:
        """Whether jobs go where whoever started the process said, or to the simulated Kiosk."""
        return self.host is None or self.host == self.operators_host


def target(check: Checker, class_host: str | None, *, file_is_local: bool = False) -> Target:
    """The Kiosk that the settings name; ``class_host`` is the user class's, which comes last.

    ``file_is_local``: FILE is a path on this machine, and none stands in for it.
    """
    given = _host_given(check, class_host)
    host = _read(check, given) if given else None
    check.sources["host"] = given.source if given else DEFAULT
    simulate = check.take("simulate")
    if given and simulate:
        check.refuse(
            check.layers.get("simulate"),
            f"contradicts {given.shown}: give a host for a real Kiosk, or --simulate without one",
        )
    if not given and not simulate:
        _refuse_by_signs(check)
    file = check.take("file") if file_is_local else _file(check, is_real=given is not None)
    operators = _host_given(Checker(check.layers.operators), class_host)
    return Target(host, simulate, file, masked(_plain(operators)) if operators else "")


def _host_given(check: Checker, class_host: str | None) -> Given | None:
    """What counts of all that was given; notes where two names in one place disagree."""
    for layer in check.layers.layers:
        host, api_host = layer.get("host"), layer.get("api_host")
        if host and api_host and _plain(host) != _plain(api_host):
            if layer.place == DOTENV:
                advice = f"contradicts {host.shown}; give only one of them"
                check.refuse(_without_password(api_host), advice)
            else:
                check.notice(f"{host.shown} wins over {api_host.shown}")
        if host or api_host:
            return host or api_host
    if class_host and class_host.strip():
        return Given(class_host, "host", "the user class")
    return None


def _plain(given: Given) -> str:
    try:
        return parsers.host(given.text)
    except ValueError:
        return given.text


def _read(check: Checker, given: Given) -> str | None:
    try:
        return parsers.host(given.text)
    except ValueError as error:
        check.refuse(_without_password(given), str(error))
        return None


def _without_password(given: Given) -> Given:
    return replace(given, text=masked(given.text))


def _refuse_by_signs(check: Checker) -> None:
    """A mistake for everything that says a real Kiosk was meant, though no host is known."""
    for name in ("grafana_host", "prometheus_url"):
        check.take(name)  # what cannot be read is one mistake, not two
    for sign in _signs(check.layers.without(*check.failed)):
        check.refuse(
            _without_password(sign),
            "speaks of a real Kiosk, but no host is given: set API_HOST (or --host), "
            "or ask for the simulated Kiosk with --simulate",
        )


def _signs(layers: Layers) -> list[Given]:
    model = layers.get("model")
    try:
        names_one = model is not None and any(parsers.model(model.text))
    except ValueError:
        names_one = False  # a mistake of its own
    found = [layers.get(name) for name in SIGNS]
    found.append(model if names_one else None)
    return [*layers.signs, *filter(None, found)]


def _file(check: Checker, *, is_real: bool) -> str:
    """The file each job works on; required where the Kiosk is a real one."""
    file, given = "", check.layers.get("file")
    check.sources["file"] = given.source if given else DEFAULT
    if given is not None:
        try:
            file = check.parse("file", given, bucket_file.taker(check, is_real=is_real))
        except ValueError as error:
            check.fail("file", given, error)
    elif is_real:
        check.refuse_missing(
            "file",
            "is required with a real Kiosk: name the image or ZIP in the bucket's upload "
            "folder that each job shall work on",
        )
    return file or SIMULATED_FILE
