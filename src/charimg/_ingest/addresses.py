"""Which addresses a download may connect to. Pure.

The tables are those of the IANA IPv4 and IPv6 Special-Purpose Address Registries
(https://www.iana.org/assignments/iana-ipv4-special-registry and .../iana-ipv6-special-registry,
both as of October 2024), plus multicast (RFC 5771, RFC 4291). Every block of a registry is refused,
also the few that it calls globally reachable: no image lives there. `ipaddress.is_global` will not
do: it changes with the version of Python, and lets several of these through.

IPv6 is turned round: only global unicast (2000::/3) less its special blocks passes. So whatever
wraps an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo) is refused whatever it wraps.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["ALWAYS_REFUSED", "GLOBAL_IPV6", "PRIVATE", "SPECIAL", "fits"]

_Network = IPv4Network | IPv6Network


def _table(*blocks: str) -> tuple[_Network, ...]:
    return tuple(ip_network(block) for block in blocks)


SPECIAL = _table(
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private use
    "100.64.0.0/10",  # shared address space
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local
    "172.16.0.0/12",  # private use
    "192.0.0.0/24",  # IETF protocol assignments
    "192.0.2.0/24",  # documentation (TEST-NET-1)
    "192.31.196.0/24",  # AS112-v4
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # 6to4 relay anycast, deprecated
    "192.168.0.0/16",  # private use
    "192.175.48.0/24",  # direct delegation AS112 service
    "198.18.0.0/15",  # benchmarking
    "198.51.100.0/24",  # documentation (TEST-NET-2)
    "203.0.113.0/24",  # documentation (TEST-NET-3)
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and limited broadcast
    # Within global unicast; what lies outside of it needs no entry.
    "2001::/23",  # IETF protocol assignments: Teredo, ORCHID, benchmarking and others
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # direct delegation AS112 service
    "3fff::/20",  # documentation
)
"""Blocks that are not public."""

GLOBAL_IPV6 = IPv6Network("2000::/3")
"""What IANA has set aside for global unicast (RFC 4291)."""

PRIVATE = _table(
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "::1/128",
    "fc00::/7",
)
"""Where a server of the host's own may be: an exempt origin may lead there, no other one."""

ALWAYS_REFUSED = _table(
    # Link-local holds the metadata service of most clouds (169.254.169.254), the credentials of
    # containers (169.254.170.2 and .23) and the like, and no server of images.
    "169.254.0.0/16",
    "100.100.100.200/32",  # Alibaba Cloud
    "168.63.129.16/32",  # Azure, although it looks public
    "192.0.0.192/32",  # Oracle Cloud
    "fd00:ec2::/32",  # AWS
    "fd20:ce::/32",  # Google Cloud
    "fd00:42::42/128",  # Scaleway
    "fe80::/10",  # link-local
)
"""Where machines of a cloud ask for their credentials: no exemption reaches them."""


def fits(text: str, *, exempt: bool) -> bool:
    """Return whether a connection may be made to an address.

    Args:
        text: The address as the resolver, or a checked URL, gives it.
        exempt: Whether it may also be one of `PRIVATE`.

    Returns:
        ``False`` also for what is no plain address: a name, or an address with a scope.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if "%" in text or _within(address, ALWAYS_REFUSED):
        return False
    if exempt and _within(address, PRIVATE):
        return True
    if isinstance(address, IPv6Address) and address not in GLOBAL_IPV6:
        return False
    return not _within(address, SPECIAL)


def _within(address: IPv4Address | IPv6Address, blocks: tuple[_Network, ...]) -> bool:
    # An address of one version is in no network of the other.
    return any(address in block for block in blocks)
