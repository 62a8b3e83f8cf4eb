"""What the network policies let out, by arithmetic over the addresses of the rendered rules."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.manifests import ALL, labels, of_kind, rendered

#: Addresses at which clouds keep metadata and credentials, and by whom (their own documentation).
METADATA = {
    "AWS, Google, Azure, OpenStack, DigitalOcean, Hetzner, Oracle": "169.254.169.254",
    "AWS: containers' credentials": "169.254.170.2",
    "AWS: pod identity": "169.254.170.23",
    "AWS over IPv6": "fd00:ec2::254",
    "AWS: pod identity over IPv6": "fd00:ec2::23",
    "Google: GKE's metadata server": "169.254.169.252",
    "Google over IPv6": "fd20:ce::254",
    "Azure: wire server": "168.63.129.16",
    "Alibaba": "100.100.100.200",
    "Tencent": "169.254.0.23",
    "Oracle Classic": "192.0.0.192",
    "Scaleway": "169.254.42.42",
    "Scaleway over IPv6": "fd00:42::42",
}
#: IANA's registry of special addresses of IPv4 that are not globally reachable (RFC 6890 and what
#: updates it), but for the documentation's, which nobody has; and multicast (RFC 5771).
SPECIAL = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "240.0.0.0/4", "224.0.0.0/4",
)  # fmt: skip
#: Google's storage as clients see it, its private and restricted front ends, and anybody's host.
PUBLIC = ("142.250.1.128", "199.36.153.8", "199.36.153.4", "8.8.8.8", "93.184.216.34")
#: What may be reached of link-local addresses: by address, its ports.
ALLOWED = {
    "169.254.20.10": {("UDP", 53), ("TCP", 53)},  # node-local DNS cache
    "169.254.169.254": {("UDP", 53), ("TCP", 53), ("TCP", 80), ("TCP", 8080)},  # with Dataplane V2
    "169.254.169.252": {("TCP", 987), ("TCP", 988)},  # GKE's metadata server without
}

Network = ipaddress.IPv4Network
Port = tuple[str, int]


def rules(name: str) -> Iterator[tuple[dict[str, Any], Port]]:
    """Each block of addresses that some pod may send to, with each port."""
    for policy in of_kind(rendered(name), "NetworkPolicy"):
        for rule in policy["spec"].get("egress", ()):
            assert rule["ports"]  # none would be all
            assert rule["to"]
            for peer in rule["to"]:
                for port in rule["ports"]:
                    assert "endPort" not in port
                    if "ipBlock" in peer:
                        yield peer["ipBlock"], (port["protocol"], port["port"])


def reachable(name: str, address: str) -> set[Port]:
    """The ports at which an address can be reached."""
    wanted = ipaddress.ip_address(address)
    return {
        port
        for block, port in rules(name)
        if wanted in ipaddress.ip_network(block["cidr"])
        and not any(wanted in ipaddress.ip_network(each) for each in block.get("except", ()))
    }


def left(network: Network, excepted: list[str]) -> list[Network]:
    """What of a network is not excepted."""
    parts: list[Network] = [network]
    for each in map(Network, excepted):
        kept: list[Network] = []
        for part in parts:
            if not part.overlaps(each):
                kept.append(part)
            elif each != part and each.subnet_of(part):
                kept += part.address_exclude(each)
        parts = kept
    return parts


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("cloud", METADATA)
def test_no_metadata_server_is_reached_but_gkes_at_its_ports(name: str, cloud: str) -> None:
    address = METADATA[cloud]
    assert reachable(name, address) <= ALLOWED.get(address, set())


@pytest.mark.parametrize("name", ALL)
def test_a_wide_rule_leaves_out_each_network_that_is_not_public(name: str) -> None:
    wide = [block for block, _ in rules(name) if ipaddress.ip_network(block["cidr"]).prefixlen < 32]
    assert bool(wide) != (name == "overlays/simulated")  # which has no network at all
    for block in wide:
        assert block["cidr"] == "0.0.0.0/0"
        for special in map(Network, SPECIAL):
            assert left(special, block["except"]) == []


@pytest.mark.parametrize("name", ALL)
def test_each_other_rule_is_for_one_address_that_is_known(name: str) -> None:
    narrow = [(b["cidr"], port) for b, port in rules(name) if b["cidr"] != "0.0.0.0/0"]
    for cidr, port in narrow:
        address, _, length = cidr.partition("/")
        assert length == "32"
        assert port in ALLOWED[address]


@pytest.mark.parametrize("name", sorted(set(ALL) - {"overlays/simulated"}))
def test_what_a_run_needs_can_be_reached(name: str) -> None:
    for address, ports in ALLOWED.items():
        assert reachable(name, address) == ports
    for address in PUBLIC:
        assert reachable(name, address) == {("TCP", 443)}


@pytest.mark.parametrize("name", ALL)
def test_each_pod_has_a_policy_for_what_goes_out(name: str) -> None:
    """A pod that no such policy selects may reach everything."""
    selectors = [
        policy["spec"]["podSelector"]["matchLabels"].items()
        for policy in of_kind(rendered(name), "NetworkPolicy")
        if "Egress" in policy["spec"]["policyTypes"]
    ]
    for job in of_kind(rendered(name), "Job"):
        assert any(selector <= labels(job).items() for selector in selectors)


def test_the_reckoning_finds_what_is_left_out() -> None:
    ten = Network("10.0.0.0/8")
    assert left(ten, ["10.0.0.0/9"]) == [Network("10.128.0.0/9")]
    assert left(ten, ["0.0.0.0/0"]) == []
    assert left(ten, ["10.0.0.0/9", "10.128.0.0/9"]) == []
