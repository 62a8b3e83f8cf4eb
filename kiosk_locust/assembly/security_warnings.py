"""What lies open that should not: well-known passwords, files that others read, an open page."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from kiosk_locust.client.proxies import is_loopback
from kiosk_locust.cost.credentials import Credentials, Secrets

#: Passwords that programs come with: Grafana's own, those of its charts, and what people type.
DEFAULT_PASSWORDS = frozenset(
    {"admin", "prom-operator", "grafana", "prometheus", "password", "changeme", "secret"}
)
#: Names in .env whose values are nobody else's business.
_SECRET = re.compile(r"PASSWORD|PASSWD|TOKEN|SECRET|(?:^|_)KEY(?:$|_)|CREDENTIAL|PRIVATE")
KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"


def warnings(
    environ: Mapping[str, str],
    dotenv: Mapping[str, str],
    dotenv_path: Path,
    known: Secrets,
    secret_files: Mapping[str, Path] | None = None,
) -> Iterator[str]:
    """A line for each thing that lies open, with what to do; never a secret itself.

    ``secret_files`` has files of secrets by the variables that name them.
    """
    for prefix, login in (("GRAFANA", known.grafana), ("PROMETHEUS", known.prometheus)):
        if _is_default(login):
            yield (
                f"{prefix}_PASSWORD is one that everybody knows: change it where it is checked,"
                " and here"
            )
    held = sorted(name for name, value in dotenv.items() if value and _is_secret(name))
    if held and (who := _readers(dotenv_path)):
        yield (
            f"{dotenv_path} holds {', '.join(held)} and can be read by {who}:"
            f" chmod 600 {dotenv_path}"
        )
    key = environ.get(KEY_FILE, "") or dotenv.get(KEY_FILE, "")
    if key and (who := _readers(Path(key))):
        yield f"{KEY_FILE}: the key file {key} can be read by {who}: chmod 600 {key}"
    for name, path in (secret_files or {}).items():
        if not _is_mounted(path) and (who := _readers(path)):
            yield f"{name}: the file {path} can be read by {who}: chmod 600 {path}"


def open_page(web_host: str | None, web_port: int, *, has_login: bool) -> str:
    """What to say of a web page that others may use; empty where none but this machine does."""
    host = (web_host or "").strip()
    if has_login or is_loopback(host.strip("[]")):
        return ""
    everywhere = ("", "*", "0.0.0.0", "::")  # noqa: S104  to tell of it, not to listen there
    where = "on all interfaces" if host in everywhere else f"at {host}"
    return (
        f"the web page listens {where}, port {web_port}, without a login: whoever reaches it can"
        " start and stop runs and read their results; --web-host 127.0.0.1 keeps it to this"
        " machine, --web-login asks for a login"
    )


def is_well_known(password: str) -> bool:
    """Tell whether everybody knows a password, as that of some program or from habit."""
    return password.lower() in DEFAULT_PASSWORDS


def _is_default(login: Credentials) -> bool:
    """Whether the password that is sent (a token wins) is a well-known one."""
    return not login.token and is_well_known(login.password)


def _is_secret(name: str) -> bool:
    """Tell if a variable's value is a secret; that of one called …_FILE is a path."""
    return bool(_SECRET.search(name)) and not name.endswith("_FILE")


def _is_mounted(path: Path) -> bool:
    """Tell if a container platform put the file there: who may read it is set up there.

    Docker mounts secrets below /run/secrets, readable by all in the container. In a volume of
    Kubernetes each file is a link through a folder called ``..data``, which belongs to root.
    """
    folders = path.absolute().parents
    return Path("/run/secrets") in path.resolve().parents or any(
        (folder / "..data").is_symlink() for folder in folders
    )


def _readers(path: Path) -> str:
    """Who else can read a file; empty: nobody, or it is not there."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return ""
    if mode & stat.S_IROTH:
        return f"everybody on this machine (mode {stat.S_IMODE(mode):o})"
    return f"its group (mode {stat.S_IMODE(mode):o})" if mode & stat.S_IRGRP else ""
