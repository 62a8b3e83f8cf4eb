"""Addresses of the clouds' metadata services, which issue logins and never serve results.

Most clouds use link-local addresses, which are refused as such. The others look like those of a
private network, and one like an address on the Internet. Sources are the pages of the clouds'
documentation, by their titles.
"""

from __future__ import annotations

import ipaddress

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SERVICES = {
    # AWS, "Access instance metadata for an EC2 instance". Google Cloud, "About VM metadata". Azure,
    # "Azure Instance Metadata Service". Oracle Cloud, "Getting Instance Metadata". DigitalOcean,
    # "How to Access Droplet Metadata". OpenStack, "Metadata service"; and others.
    "169.254.169.254": "instance metadata (AWS, Google, Azure, Oracle, DigitalOcean, OpenStack)",
    "fe80::a9fe:a9fe": "instance metadata (OpenStack, Akamai)",
    # AWS, "Access instance metadata for an EC2 instance"; "EKS Pod Identity"; fd00:ec2::/32 has the
    # time and name servers besides.
    "fd00:ec2::/32": "instance metadata and pod identity (AWS)",
    # AWS, "Amazon ECS task IAM role"; "Learn how EKS Pod Identity grants pods access".
    "169.254.170.2": "task credentials (AWS ECS)",
    "169.254.170.23": "pod identity (AWS EKS)",
    # Google Cloud, "About VM metadata" (machines with IPv6 alone); GKE, "Workload Identity".
    "fd20:ce::254": "instance metadata (Google)",
    "169.254.169.252": "workload identity (Google)",
    # Azure, "What is IP address 168.63.129.16?".
    "168.63.129.16": "the host's own services (Azure)",
    # Alibaba Cloud, "View instance metadata".
    "100.100.100.200": "instance metadata (Alibaba)",
    "fd00:100::100:200": "instance metadata (Alibaba)",
    # Oracle Cloud, "Getting Instance Metadata"; the Classic one by "Retrieving Instance Metadata".
    "fd00:c1::a9fe:a9fe": "instance metadata (Oracle)",
    "192.0.0.192": "instance metadata (Oracle Classic)",
    # Akamai (Linode), "Overview of the Metadata service".
    "fd00:a9fe:a9fe::1": "instance metadata (Akamai)",
    # Scaleway in cloud-init's documentation, "Datasources".
    "169.254.42.42": "instance metadata (Scaleway)",
    "fd00:42::42": "instance metadata (Scaleway)",
    # Tencent Cloud, "Instance metadata".
    "169.254.0.23": "instance metadata (Tencent)",
}
_NETWORKS: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(address), name) for address, name in _SERVICES.items()
)
#: Their names, for requests whose names only a proxy resolves.
_NAMES = {
    "metadata.google.internal": "instance metadata (Google)",
    "metadata.goog": "instance metadata (Google)",
    "metadata": "instance metadata (Google)",
    "instance-data": "instance metadata (AWS)",
    "instance-data.ec2.internal": "instance metadata (AWS)",
    "metadata.tencentyun.com": "instance metadata (Tencent)",
}


def service_at(address: Ip) -> str:
    """Metadata service at an address, by cloud; empty for other addresses.

    An IPv6 address that stands for an IPv4 address must be passed as that.
    """
    return next((name for network, name in _NETWORKS if address in network), "")


def service_named(host: str) -> str:
    """Metadata service with a host name (lower case), by cloud; empty for others."""
    return _NAMES.get(host, "")
