"""Selection of the Kiosk: a real one by its host, or the simulated one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kiosk_locust.config import bucket_file, parsers
from kiosk_locust.config.env_file import DOTENV
from kiosk_locust.config.sources import Layers, SettingText, masked
from kiosk_locust.config.validation import DEFAULT, Checker

SIMULATED_FILE = "image.png"
#: Settings that imply a real Kiosk where no host is set; so does MODEL if it names a model.
SIGNS = ("storage_bucket", "grafana_host", "prometheus_url")


@dataclass(frozen=True, slots=True)
class Target:
    """The Kiosk, and the file of each job; ``host`` is None for the simulated Kiosk.

    ``operators_host`` is the host set by the operator who started the process, not by a form or a
    ledger; empty if they set none.
    """

    host: str | None
    simulate: bool
    file: str
    operators_host: str = ""

    @property
    def is_operators(self) -> bool:
        """True if jobs go to the operator's Kiosk or to the simulated one."""
        return self.host is None or self.host == self.operators_host


def target(check: Checker, class_host: str | None, *, file_is_local: bool = False) -> Target:
    """The Kiosk that the settings select.

    Args:
        check: The settings.
        class_host: The user class's host, of lowest precedence.
        file_is_local: FILE is a path on this machine, without a default.

    """
    entry = _host_entry(check, class_host)
    host = _read(check, entry) if entry else None
    check.sources["host"] = entry.source if entry else DEFAULT
    simulate = check.take("simulate")
    if entry and simulate:
        check.refuse(
            check.layers.get("simulate"),
            f"contradicts {entry.shown}: give a host for a real Kiosk, or --simulate without one",
        )
    if not entry and not simulate:
        _refuse_by_signs(check)
    file = check.take("file") if file_is_local else _file(check, is_real=entry is not None)
    operators = _host_entry(Checker(check.layers.operators), class_host)
    return Target(host, simulate, file, masked(_plain(operators)) if operators else "")


def _host_entry(check: Checker, class_host: str | None) -> SettingText | None:
    """Effective entry of the host; notes if two names in one place disagree."""
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
        return SettingText(class_host, "host", "the user class")
    return None


def _plain(entry: SettingText) -> str:
    try:
        return parsers.host(entry.text)
    except ValueError:
        return entry.text


def _read(check: Checker, entry: SettingText) -> str | None:
    try:
        return parsers.host(entry.text)
    except ValueError as error:
        check.refuse(_without_password(entry), str(error))
        return None


def _without_password(entry: SettingText) -> SettingText:
    return replace(entry, text=masked(entry.text))


def _refuse_by_signs(check: Checker) -> None:
    """Note a mistake for each sign of a real Kiosk, if no host is set."""
    for name in ("grafana_host", "prometheus_url"):
        check.take(name)  # an invalid value is one mistake, not two
    for sign in _signs(check.layers.without(*check.failed)):
        check.refuse(
            _without_password(sign),
            "speaks of a real Kiosk, but no host is given: set API_HOST (or --host), "
            "or ask for the simulated Kiosk with --simulate",
        )


def _signs(layers: Layers) -> list[SettingText]:
    model = layers.get("model")
    try:
        names_a_model = model is not None and any(parsers.model(model.text))
    except ValueError:
        names_a_model = False  # reported as a mistake of its own
    entries = [layers.get(name) for name in SIGNS]
    entries.append(model if names_a_model else None)
    return [*layers.signs, *filter(None, entries)]


def _file(check: Checker, *, is_real: bool) -> str:
    """The file of each job; required with a real Kiosk."""
    file, entry = "", check.layers.get("file")
    check.sources["file"] = entry.source if entry else DEFAULT
    if entry is not None:
        try:
            file = check.parse("file", entry, bucket_file.file_parser(check, is_real=is_real))
        except ValueError as error:
            check.fail("file", entry, error)
    elif is_real:
        check.refuse_missing(
            "file",
            "is required with a real Kiosk: name the image or ZIP in the bucket's upload "
            "folder that each job shall work on",
        )
    return file or SIMULATED_FILE
