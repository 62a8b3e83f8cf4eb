"""Parsers of setting texts; each raises ValueError with a message about valid values."""

from __future__ import annotations

import ipaddress
import math
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kiosk_locust.consumer.forms import AUTO
from kiosk_locust.parsing import FORMS, duration

MAX_SECONDS = 1e9  # some 32 years; sums of such times stay finite and precise
MAX_WHOLE = 1_000_000_000
MIN_RATE, MAX_RATE = 1e-9, 1e9  # jobs a second
MIN_RAMP_S = 1e-6
NONE = "none"  # value of limits: no limit
NO_MODEL = "modelname"  # name in MODEL's default: the job type chooses


class LoginError(ValueError):
    """An address contains a user or a password, which no message may show."""


_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def number(
    text: str,
    *,
    unit: str,
    at_least: float = 0.0,
    at_most: float = MAX_SECONDS,
    above: bool = False,
) -> float:
    """Finite number in [``at_least``, ``at_most``]; with ``above``, greater than ``at_least``."""
    low = f"{'above' if above else 'of at least'} {at_least:g}"
    advice = f"must be a number of {unit} {low}"
    try:
        value = float(text)
    except ValueError:
        raise ValueError(advice) from None
    if not math.isfinite(value) or value < at_least or (above and value == at_least):
        raise ValueError(advice)
    if value > at_most:
        raise ValueError(f"{advice} and at most {at_most:g}")
    return value + 0.0  # -0.0 becomes 0.0


def seconds(text: str) -> float:
    """Duration of at least 0 in seconds; a number alone is in seconds."""
    return _seconds(text, "of at least 0 s")


def seconds_above_0(text: str) -> float:
    """Duration above 0 in seconds; a number alone is in seconds."""
    return _seconds(text, "above 0 s", above=True)


def _seconds(text: str, low: str, *, above: bool = False) -> float:
    advice = f"must be a time {low} (a number alone is in seconds), such as {FORMS}"
    try:
        value = duration(text)
    except ValueError:
        raise ValueError(advice) from None
    if above and not value:
        raise ValueError(advice)
    if value > MAX_SECONDS:
        raise ValueError(f"{advice}, and at most {MAX_SECONDS:g}")
    return value


def seconds_or_none(text: str) -> float | None:
    """Duration above 0 in seconds; None for ``none``."""
    if text.strip().lower() == NONE:
        return None
    try:
        return seconds_above_0(text)
    except ValueError as error:
        raise ValueError(f"{error}, or none for no limit") from None


def seconds_or_no_end(text: str) -> float | None:
    """Duration in seconds; None for 0 and for an empty text."""
    return (seconds(text) or None) if text.strip() else None


def whole_seconds(text: str) -> int:
    """Duration in seconds, rounded up; 0 stays 0."""
    return math.ceil(seconds(text))


def share(text: str) -> float:
    """Share from 0 to 1."""
    try:
        return number(text, unit="", at_most=1.0)
    except ValueError:
        raise ValueError("must be a share from 0 to 1, such as 0.1") from None


def spawn_rate(text: str) -> float:
    """Jobs per second, above 0."""
    try:
        return number(text, unit="jobs a second", at_least=MIN_RATE, at_most=MAX_RATE)
    except ValueError:
        raise ValueError(
            "must be a number of jobs a second above 0, such as 20; "
            "START_DELAY=0 begins all at once"
        ) from None


def whole_number(at_least: int) -> Callable[[str], int]:
    """Parser of whole numbers from ``at_least`` to a thousand million."""

    def parse(text: str) -> int:
        advice = f"must be a whole number of at least {at_least}"
        try:
            value = int(text)
        except ValueError:
            raise ValueError(advice) from None
        if value < at_least:
            raise ValueError(advice)
        if value > MAX_WHOLE:
            raise ValueError(f"{advice} and at most {MAX_WHOLE:,}")
        return value

    return parse


def seed(text: str) -> int:
    """Signed 64-bit integer."""
    try:
        value = int(text)
    except ValueError:
        raise ValueError("must be a whole number, such as 42") from None
    if not -(2**63) <= value < 2**63:
        raise ValueError("must be a whole number between -2^63 and 2^63")
    return value


def boolean(text: str) -> bool:
    """True for ``true``, ``yes``, ``on`` and ``1``; False for their opposites."""
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("must be true or false")
    return word in _TRUE


def negated(text: str) -> bool:
    """Negated boolean."""
    return not boolean(text)


def negation(value: object) -> str:
    """Text that `negated` parses to ``value``."""
    return str(not value).lower()


def optional(parse: Callable[[str], Any], blank: Any = None) -> Callable[[str], Any]:
    """The same parser, but with ``blank`` for an empty text."""
    return lambda text: parse(text) if text.strip() else blank


def or_none(value: object) -> str:
    """Text of a limit; ``none`` for None."""
    return NONE if value is None else str(value)


class Choice:
    """Parser of one of ``words``, in any case."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __call__(self, text: str) -> str:
        """The word as declared."""
        for word in self.words:
            if word.lower() == text.strip().lower():
                return word
        raise ValueError(f"must be one of {', '.join(filter(None, self.words))}")


def plain(text: str) -> str:
    """Text on one line, without control characters, valid in UTF-8."""
    text = text.strip()
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise ValueError("must be plain text on one line, in UTF-8")
    return text


def name(text: str) -> str:
    """Text without blanks, of at least one character."""
    text = plain(text)
    if not text or re.search(r"\s", text):
        raise ValueError("must be a name without blanks")
    return text


def file_name(text: str) -> str:
    """Name of a file in the bucket, relative to the upload folder."""
    text = plain(text)
    if not text.strip("/") or text.startswith("/") or text.endswith("/"):
        raise ValueError("must be the name of a file in the upload folder, such as image.png")
    return text


def run_name(text: str) -> str:
    """Name that is safe as the start of file names."""
    text = text.strip()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text) or text == "latest":
        raise ValueError(
            "must be at most 100 letters, digits, dots, dashes and underscores, "
            "begin with a letter or digit, and not be 'latest'"
        )
    return text


def ledger(text: str) -> str:
    """``latest``, the path of a ledger (with a slash, or ending in .db), or a run's name."""
    text = plain(text)
    if text == "latest" or "/" in text or text.endswith(".db"):
        return text
    try:
        return run_name(text)
    except ValueError:
        raise ValueError("must be a run's name, the path of its ledger, or latest") from None


def model(text: str) -> tuple[str, str]:
    """Name and version from ``name:version``; both empty if the job type chooses."""
    match = re.fullmatch(r"([^\s:]+):(\d+)", plain(text), re.ASCII)
    if not match:
        raise ValueError(
            "must be name:version with a whole number as version, such as "
            f"MultiplexSegmentation:9; {NO_MODEL}:0 leaves the choice to the job type"
        )
    if (match[1], match[2]) == (NO_MODEL, "0"):
        return "", ""
    return match[1], match[2]


def model_text(name: str, version: str) -> str:
    """Text that `model` parses to this name and version."""
    return f"{name}:{version}" if name or version else f"{NO_MODEL}:0"


def scale(text: str) -> str:
    """Factor above 0, as written; empty if the Kiosk chooses."""
    text = text.strip()
    if text:
        try:
            number(text, unit="", above=True)
        except ValueError:
            raise ValueError(
                "must be a number above 0, or empty to leave the choice to the Kiosk"
            ) from None
    return text


def dimension_order(text: str) -> str:
    """Axes, one letter each; ``auto``; or empty."""
    text = text.strip().upper()
    if text.lower() in ("", AUTO):
        return text.lower()
    if not re.fullmatch(r"[A-Z]{2,}", text) or len(set(text)) < len(text):
        raise ValueError(
            "must be the image's axes, one letter each, such as XYB; auto, which looks at the file;"
            " or empty to send none"
        )
    return text


def channels(text: str) -> str:
    """Channel numbers with commas between; ``auto``; or empty."""
    text = re.sub(r"\s", "", text)
    if text.lower() == AUTO:
        return AUTO
    if not re.fullmatch(r"\d{0,9}(,\d{0,9})*", text, re.ASCII):
        raise ValueError(
            "must be numbers of channels with commas between, such as 0,,; auto, which goes by the"
            " job type; or empty to send none"
        )
    return text


def segmentation_type(text: str) -> str:
    """A segmentation type of the Kiosk; ``auto``; or empty."""
    text = plain(text)
    return AUTO if text.strip().lower() == AUTO else text


def upload_prefix(text: str) -> str:
    """Folder in the bucket without outer slashes; empty for ``/``, the bucket itself."""
    text = plain(text)
    if "://" in text:
        raise ValueError("must be a folder in the bucket, such as uploads, without the bucket")
    return text.strip("/")


def path(text: str) -> Path:
    """Path on this machine; ``~`` is the home folder."""
    try:
        return Path(plain(text)).expanduser()
    except RuntimeError:
        raise ValueError("must be a path; there is no such home folder") from None


def ramp(text: str) -> tuple[float, float, float]:
    """Both rates (jobs/s) and the duration (s) of ``FROM:TO:SECONDS``."""
    try:
        first, last, length = text.split(":")
        if float(first) != 0:
            spawn_rate(first)
        length_s = seconds(length)
        if length_s < MIN_RAMP_S:
            raise ValueError("too short")  # noqa: TRY301  the full message is below
        return float(first) + 0.0, spawn_rate(last), length_s
    except ValueError:
        raise ValueError(
            "must be FROM:TO:SECONDS, two rates in jobs a second and the time between them, "
            "such as 1:50:60 or 1:50:1m; FROM may be 0, TO and SECONDS are above 0"
        ) from None


def host(text: str) -> str:
    """The Kiosk's base URL without a trailing slash; ``http://`` is added if it has no scheme."""
    text = text.strip()
    advice = "must be an address such as http://kiosk.example.org or https://10.0.0.1:8080/kiosk"
    if "@" in text:
        raise ValueError("must not hold a user or a password; " + advice)
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):/", text)
    if scheme and scheme[1].lower() not in ("http", "https"):
        raise ValueError(f"{advice}; only http and https are known")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{advice}, in plain ASCII without blanks")
    url = text if scheme else f"http://{text}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{advice} ({error})") from None
    if not _is_name(parts.hostname) or port == 0 or parts.netloc.endswith(":"):
        raise ValueError(advice)
    if parts.query or parts.fragment or url.endswith(("?", "#")) or "\\" in url:
        raise ValueError(f"{advice}, without ? or #")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def host_names(text: str) -> str:
    """Host names and IP addresses with commas between, in lower case; may be empty."""
    names = [name.strip().lower().strip("[]") for name in text.split(",")]
    if text.strip() and not all(map(_is_name, names)):
        raise ValueError(
            "must be names or IP addresses of hosts with commas between, such as 10.0.0.7 or"
            " storage.example.org, without scheme and port"
        )
    return ",".join(filter(None, names))


def _is_name(hostname: str | None) -> bool:
    """Tell if ``hostname`` is an IPv6 address, or has only characters of names and IPv4."""
    if hostname and ":" in hostname:
        try:
            ipaddress.IPv6Address(hostname)
        except ValueError:
            return False
        return True
    return bool(hostname and re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", hostname))
