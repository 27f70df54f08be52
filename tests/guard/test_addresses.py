"""The policy of addresses, edge by edge, against a table that is written here a second time."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._ingest import addresses
from charimg._ingest.addresses import fits

from ..figures import Figure

V4 = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24
    198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32
"""
V6 = """
    ::/3 2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 4000::/2 8000::/1
"""
# Blocks within those, whose edges are tried as well: what they are called, not how they are merged.
INNER = """
    0.0.0.0/32 192.0.0.0/29 192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/31 192.88.99.2/32
    255.255.255.255/32 169.254.169.254/32 169.254.170.2/32 169.254.170.23/32 100.100.100.200/32
    192.0.0.192/32
    ::/128 ::1/128 ::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64
    100:0:0:1::/64 2001::/32 2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32
    2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 5f00::/16 fc00::/7 fd00::/8 fe80::/10
    fec0::/10 ff00::/8 fd00:ec2::254/128 fd20:ce::254/128
"""
PRIVATE = """
    10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.168.0.0/16 198.18.0.0/15 ::1/128 fc00::/7
"""
CLOUDS = """
    169.254.0.0/16 100.100.100.200/32 168.63.129.16/32 192.0.0.192/32 fd00:ec2::/32 fd20:ce::/32
    fd00:42::42/128 fe80::/10
"""

Span = tuple[int, int, int]


def spans(text: str) -> list[Span]:
    """Return version, first and last address of each block, as numbers."""
    blocks = [ip_network(each) for each in text.split()]
    return [(b.version, int(b[0]), int(b[-1])) for b in blocks]


def inside(address: IPv4Address | IPv6Address, blocks: list[Span]) -> bool:
    number = int(address)
    return any(
        version == address.version and first <= number <= last for version, first, last in blocks
    )


REFUSED, EXEMPTED, NEVER = spans(V4 + V6), spans(PRIVATE), spans(CLOUDS)


def expected(address: IPv4Address | IPv6Address, *, exempt: bool) -> bool:
    if inside(address, NEVER):
        return False
    return not inside(address, REFUSED) or (exempt and inside(address, EXEMPTED))


def edges(text: str) -> set[IPv4Address | IPv6Address]:
    """Return the first and last address of each block, their neighbours, and one from within."""
    found: set[IPv4Address | IPv6Address] = set()
    for version, first, last in spans(text):
        kind, top = (IPv4Address, 2**32) if version == 4 else (IPv6Address, 2**128)
        for number in (first - 1, first, first + 1, (first + last) // 2, last - 1, last, last + 1):
            if 0 <= number < top:
                found.add(kind(number))
    return found


def test_every_edge_of_every_block(figure: Figure) -> None:
    blocks = V4 + V6 + INNER + PRIVATE + CLOUDS
    tried = sorted(edges(blocks), key=lambda each: (each.version, int(each)))
    wrong = [
        (str(address), exempt)
        for address in tried
        for exempt in (False, True)
        if fits(str(address), exempt=exempt) != expected(address, exempt=exempt)
    ]
    passed = sum(fits(str(address), exempt=False) for address in tried)
    assert wrong == []
    assert passed > 40, "the neighbours of public blocks pass"
    count = len(set(blocks.split()))
    figure("address blocks", f"{len(tried)} edges of {count} blocks, {len(wrong)} judged wrongly")


def test_the_table_is_that_of_the_source() -> None:
    outside = {"::/3", "4000::/2", "8000::/1"}  # said there as "not global unicast"
    of_a_cloud = {"168.63.129.16/32"}  # in no registry
    special = {str(block) for block in addresses.SPECIAL}
    assert special == set((V4 + V6).split()) - outside - of_a_cloud
    assert {str(block) for block in addresses.ALWAYS_REFUSED} == set(CLOUDS.split())
    assert {str(block) for block in addresses.PRIVATE} == set(PRIVATE.split())
    assert str(addresses.GLOBAL_IPV6) == "2000::/3"


def test_what_python_calls_global_is_not_enough(figure: Figure) -> None:
    tried = edges(V4 + V6 + INNER)
    let_through = {each for each in tried if each.is_global and not fits(str(each), exempt=False)}
    assert len(let_through) >= 10
    figure("addresses refused that ipaddress.is_global passes", f"{len(let_through)} of the edges")


WRAPPED = """
    ::ffff:{v4} ::ffff:0:{v4} ::{v4} 64:ff9b::{v4} 64:ff9b:1::{v4} 2002:{hex}:: 2002:{hex}::1
    2001:0:{hex}::1 2001::{v4} fe80::5efe:{v4}
"""


@given(st.ip_addresses(v=4))
def test_an_address_that_wraps_another_is_refused_whatever_it_wraps(v4: IPv4Address) -> None:
    high, low = divmod(int(v4), 2**16)
    for form in WRAPPED.split():
        text = form.format(v4=v4, hex=f"{high:x}:{low:x}")
        assert ip_address(text).version == 6
        if text != "::0.0.0.1":  # the loopback address itself
            assert not fits(text, exempt=True), text
        assert not fits(text, exempt=False), text


@pytest.mark.parametrize("exempt", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "example.org",
        "2130706433",
        "0x7f000001",
        "127.1",
        "010.0.0.1",
        "8.8.8.8/32",
        " 8.8.8.8",
        "8.8.8.8%eth0",
        "2600::1%1",
        "2600::1%eth0",
        "fd00::1%eth0",
        "[2600::1]",
        "８.8.8.8",
    ],
)
def test_what_is_no_plain_address_fits_nowhere(text: str, exempt: bool) -> None:
    assert not fits(text, exempt=exempt)


@pytest.mark.parametrize("text", ["8.8.8.8", "93.184.216.34", "1.1.1.1", "2600::1", "2a00:1450::1"])
def test_public_addresses_fit(text: str) -> None:
    assert fits(text, exempt=False)
    assert fits(text, exempt=True)


@given(st.ip_addresses(), st.booleans())
def test_any_address_is_judged_as_the_tables_say(
    address: IPv4Address | IPv6Address, exempt: bool
) -> None:
    assert fits(str(address), exempt=exempt) == expected(address, exempt=exempt)
    if isinstance(address, IPv6Address):
        assert fits(address.exploded, exempt=exempt) == expected(address, exempt=exempt)


@given(st.sampled_from((V6 + INNER).split()).map(ip_network), st.data())
def test_any_address_within_a_block_is_judged_as_the_tables_say(
    block: object, data: st.DataObject
) -> None:
    address = data.draw(st.ip_addresses(network=block))  # type: ignore[call-overload]
    for exempt in (False, True):
        assert fits(str(address), exempt=exempt) == expected(address, exempt=exempt)
