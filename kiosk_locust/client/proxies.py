"""Proxies that the environment names: our transport to the Kiosk uses none, and says so."""

from __future__ import annotations

import ipaddress
import logging
import os
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

logger = logging.getLogger(__name__)


def unused_for(url: str) -> str:
    """The name of the variable whose proxy would be for ``url``; empty where there is none.

    By the rules of requests: the scheme's own variable, then ALL_PROXY, in lower case first, and
    NO_PROXY. For loopback addresses nobody means a proxy.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or is_loopback(host) or proxy_bypass(host):
        return ""
    names = (f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next((name for name in names if os.environ.get(name, "").strip()), "")


def warn_of_unused(url: str) -> None:
    """Warn that requests to ``url`` pass by a proxy; its address may hold a password, so not it."""
    name = unused_for(url)
    if name:
        host = urlsplit(url).hostname
        logger.warning(
            "%s is set, and is not used for the Kiosk: requests go straight to %s, so that a proxy"
            " is no part of what is measured; where only the proxy leads there, run this nearer to"
            " the Kiosk. (Grafana, Prometheus, downloads and Google's buckets are asked through"
            " it.) With %s in NO_PROXY nothing is said",
            *(name, host, host),
        )


def is_loopback(host: str) -> bool:
    """Tell if a host, by name or address, is this machine itself; names are not looked up."""
    host = host.lower()
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
