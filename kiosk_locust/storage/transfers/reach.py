"""Which hosts a download may come from: the Kiosk names them, and could name one in our network.

A Kiosk on the Internet has no business in private networks, on this machine or at a cloud's
metadata server; one in a private network has none on this machine. Its own host's name is no
exception: whoever owns that name may have it mean another address by the time of a download.
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

#: RFC 6052: the last 32 bits are an address of IPv4, which a gateway reaches.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Place(IntEnum):
    """Where an address is, the more ours the higher."""

    INTERNET = 0
    PRIVATE = 1  # 10/8, 172.16/12, 192.168/16, fc00::/7, …
    LOOPBACK = 2  # this machine
    NOWHERE = 3  # link-local (metadata servers), multicast, reserved: no results come from there


class NotAllowed(ValueError):
    """The address is one that this run's downloads may not come from; says why.

    No OSError, which urllib3 would take for a connection that broke off.
    """


def place_of(address: Ip) -> Place:
    """Where an address is; one of IPv6 that stands for one of IPv4 is where that is."""
    address = _meant(address)
    if address.is_loopback:
        return Place.LOOPBACK
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return Place.NOWHERE
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return Place.PRIVATE
    if address.is_global:
        return Place.INTERNET
    return Place.NOWHERE if address.is_reserved else Place.PRIVATE


def _meant(address: Ip) -> Ip:
    """The address of IPv4 that one of IPv6 stands for; any other as it is."""
    if isinstance(address, ipaddress.IPv6Address):
        return _inner(address) or address
    return address


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The address of IPv4 that one of IPv6 leads to; None where it leads to none."""
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


class Reach:
    """What may be reached by a run whose Kiosk is at ``kiosk_url``.

    That is: addresses as public as the Kiosk's own, and ``also`` (hosts that the user named),
    wherever they are; but no cloud's metadata. Where the Kiosk is, is looked up here, once: it was
    named by the user and has answered. Its own host may be as near as it was then.
    """

    def __init__(self, kiosk_url: str, also: Iterable[str] = ()) -> None:
        self._kiosk = _plain(urlsplit(kiosk_url).hostname or "")
        self._also = frozenset(_plain(host) for host in also)
        places = [place_of(address) for address in _addresses(self._kiosk)]
        self._most = min(places, default=Place.INTERNET)
        self._most_of_kiosk = max(places, default=Place.INTERNET)

    def check(self, host: str, address: str = "") -> None:
        """Raise NotAllowed where ``host``, at ``address`` or by its name, may not be reached."""
        host = _plain(host)
        self.check_name(host)
        found = [ipaddress.ip_address(address.partition("%")[0])] if address else _addresses(host)
        for each in found:
            if service := service_at(_meant(each)):
                raise NotAllowed(f"is at {each}, {service}, where no results come from")
            if host not in self._also and not self._is_near_enough(host, place_of(each)):
                raise NotAllowed(
                    f"is at {each}, where the results of this Kiosk do not come from; if they"
                    f" do, set DOWNLOAD_HOSTS={host}"
                )

    def check_name(self, host: str) -> None:
        """Raise NotAllowed for names that always mean a cloud's metadata, wherever looked up."""
        if service := service_named(_plain(host)):
            raise NotAllowed(f"is {service}, where no results come from")

    def _is_near_enough(self, host: str, place: Place) -> bool:
        if host == self._kiosk:
            return place <= self._most_of_kiosk
        return place <= self._most and place is not Place.NOWHERE


def _plain(host: str) -> str:
    """A host's name as it is compared."""
    return host.strip().lower().rstrip(".")


def _addresses(host: str) -> list[Ip]:
    """What a name means; nothing where nobody knows it, so that connecting tells."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # UnicodeError among them: no name at all
        return []
    return [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]


class ReachAdapter(HTTPAdapter):
    """Looks at each address before a request goes there, also where a redirect leads."""

    def __init__(self, reach: Reach, *, connections: int) -> None:
        self._reach = reach
        super().__init__(pool_connections=4, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kw: Any) -> None:
        """Make the pools of connections that go straight to a host."""
        super().init_poolmanager(*args, **kw)
        self.poolmanager.pool_classes_by_scheme = _pools(self._reach)

    def send(self, request: requests.PreparedRequest, *args: Any, **kw: Any) -> requests.Response:
        """Send it, unless its host may not be reached; raises NotAllowed."""
        url = request.url or ""
        proxies = kw.get("proxies") or {}
        host = (urlsplit(url).hostname or "").lower()
        self._reach.check_name(host)
        # A name that a proxy will look up may mean something else here.
        if not select_proxy(url, proxies) or _is_address(host):
            self._reach.check(host)
        return super().send(request, *args, **kw)


def _is_address(host: str) -> bool:
    try:
        socket.inet_aton(host)  # also the short and odd ways to write one, as connecting takes them
    except OSError:
        return ":" in host
    return True


def _pools(reach: Reach) -> dict[str, type[HTTPConnectionPool]]:
    """Pools whose connections look where they have come out: a name may change its meaning."""

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
