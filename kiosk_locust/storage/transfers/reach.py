"""Hosts that downloads may come from, since the Kiosk could name one in the client's network.

A Kiosk on the Internet has no business in private networks, on this machine or at a cloud's
metadata server; one in a private network has none on this machine. Its own host's name is no
exception: its owner may resolve it to another address by the time of a download.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from kiosk_locust.storage.transfers.metadata_hosts import Ip, service_at, service_named

#: RFC 6052: the last 32 bits are an IPv4 address, which a gateway reaches.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Place(IntEnum):
    """Network location of an address, from public to private."""

    INTERNET = 0
    PRIVATE = 1  # 10/8, 172.16/12, 192.168/16, fc00::/7, …
    LOOPBACK = 2  # this machine
    NOWHERE = 3  # link-local (metadata servers), multicast, reserved: never a source of results


class NotAllowed(ValueError):
    """Downloads of this run may not come from the address; the message says why.

    Not an OSError, which urllib3 would treat as a broken connection.
    """


def place_of(address: Ip) -> Place:
    """Location of an address; an IPv6 address that stands for an IPv4 address has its location."""
    address = _effective(address)
    if address.is_loopback:
        return Place.LOOPBACK
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return Place.NOWHERE
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return Place.PRIVATE
    if address.is_global:
        return Place.INTERNET
    return Place.NOWHERE if address.is_reserved else Place.PRIVATE


def _effective(address: Ip) -> Ip:
    """The IPv4 address that an IPv6 address stands for; other addresses unchanged."""
    if isinstance(address, ipaddress.IPv6Address):
        return _inner(address) or address
    return address


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address embedded in an IPv6 address; None if there is none."""
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


class Reach:
    """Hosts that a run may download from, with its Kiosk at ``kiosk_url``.

    Allowed are addresses as public as the Kiosk's own, and ``also`` (hosts set by the user)
    anywhere; never a cloud's metadata service. The Kiosk's location is looked up here, once: the
    user named it and it has answered. Its own host may be as near as it was then.
    """

    def __init__(self, kiosk_url: str, also: Iterable[str] = ()) -> None:
        self._kiosk = _plain(urlsplit(kiosk_url).hostname or "")
        self._also = frozenset(_plain(host) for host in also)
        places = [place_of(address) for address in _addresses(self._kiosk)]
        self._most = min(places, default=Place.INTERNET)
        self._most_of_kiosk = max(places, default=Place.INTERNET)

    def check(self, host: str, address: str = "") -> None:
        """Check that ``host``, at ``address`` or by its name, may be reached.

        Raises:
            NotAllowed: It may not.

        """
        host = _plain(host)
        self.check_name(host)
        addresses = (
            [ipaddress.ip_address(address.partition("%")[0])] if address else _addresses(host)
        )
        for resolved in addresses:
            if service := service_at(_effective(resolved)):
                raise NotAllowed(f"is at {resolved}, {service}, where no results come from")
            if host not in self._also and not self._is_near_enough(host, place_of(resolved)):
                raise NotAllowed(
                    f"is at {resolved}, where the results of this Kiosk do not come from; if they"
                    f" do, set DOWNLOAD_HOSTS={host}"
                )

    def check_name(self, host: str) -> None:
        """Reject names that always mean a cloud's metadata service.

        Raises:
            NotAllowed: The name is one of them.

        """
        if service := service_named(_plain(host)):
            raise NotAllowed(f"is {service}, where no results come from")

    def _is_near_enough(self, host: str, place: Place) -> bool:
        if host == self._kiosk:
            return place <= self._most_of_kiosk
        return place <= self._most and place is not Place.NOWHERE


def _plain(host: str) -> str:
    """Normalised host name for comparison."""
    return host.strip().lower().rstrip(".")


def _addresses(host: str) -> list[Ip]:
    """Addresses of a name; empty if it is unknown, so that connecting reports it."""
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # including UnicodeError: not a name
        return []
    return [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in infos]


class ReachAdapter(HTTPAdapter):
    """HTTP adapter that checks each address before a request, also after redirects."""

    def __init__(self, reach: Reach, *, connections: int) -> None:
        self._reach = reach
        super().__init__(pool_connections=4, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kw: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **kw)
        self.poolmanager.pool_classes_by_scheme = _pools(self._reach)

    def send(self, request: requests.PreparedRequest, *args: Any, **kw: Any) -> requests.Response:
        """Send a request, if its host may be reached.

        Raises:
            NotAllowed: It may not.

        """
        url = request.url or ""
        proxies = kw.get("proxies") or {}
        host = (urlsplit(url).hostname or "").lower()
        self._reach.check_name(host)
        # A name that a proxy resolves may have another address here.
        if not select_proxy(url, proxies) or _is_address(host):
            self._reach.check(host)
        return super().send(request, *args, **kw)


def _is_address(host: str) -> bool:
    try:
        socket.inet_aton(host)  # accepts the short and unusual forms that connecting accepts
    except OSError:
        return ":" in host
    return True


def _pools(reach: Reach) -> dict[str, type[HTTPConnectionPool]]:
    """Pools whose connections check their peer's address: a name's address may change."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _checked(reach, self.host, super()._new_conn())

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _checked(reach, self.host, super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _checked(reach: Reach, host: str, connected: socket.socket) -> socket.socket:
    try:
        reach.check(host.strip("[]"), str(connected.getpeername()[0]))
    except BaseException:
        connected.close()
        raise
    return connected
