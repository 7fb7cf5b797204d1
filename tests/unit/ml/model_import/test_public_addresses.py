"""What IANA's registries of special-purpose addresses do not call globally reachable is not public."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.model_import.public_addresses import is_public

# The registries' blocks that are not globally reachable, with those that are left out besides; see the module.
NOT_PUBLIC = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32"),
    *("192.0.0.192/32", "192.0.2.0/24", "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16", "198.18.0.0/15"),
    *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32", "168.63.129.16/32"),
    *("100.100.100.200/32", "169.254.169.254/32"),
    *("::/128", "::1/128", "::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64"),
    *("2001::/23", "2001::/32", "2001:2::/48", "2001:10::/28", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16"),
    *("fc00::/7", "fd00:ec2::254/128", "fe80::/10", "fec0::/10", "ff00::/8", "4000::/3", "200::/7"),
]
# Their embedded IPv4 addresses are not public.
EMBEDDED = [
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.215.14", "::ffff:0:127.0.0.1", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::192.0.0.192", "64:ff9b::168.63.129.16"),
    *("2002:7f00:1::", "2002:5db8:d70e::1", "2001:0:5db8:d70e::1"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"),
    *(
        "168.63.129.15",
        "168.63.129.17",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.88.98.255",
    ),
    *("192.31.196.1", "192.52.193.1", "192.175.48.1", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2001:200::1", "2001:4860:4860::8888", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2620:4f:8000::1", "2a00::1"),
    *("2003::1", "2001:db7:ffff::1", "2001:db9::1", "3ffe::1", "64:ff9b::5db8:d70e"),
]


@pytest.mark.parametrize("block", NOT_PUBLIC)
def test_first_and_last_address_of_a_block_are_refused(block: str) -> None:
    network = ipaddress.ip_network(block)
    assert not is_public(str(network[0]))
    assert not is_public(str(network[-1]))


@pytest.mark.parametrize("place", EMBEDDED)
def test_addresses_that_hold_others_are_refused(place: str) -> None:
    assert not is_public(place)


@pytest.mark.parametrize("place", PUBLIC)
def test_addresses_of_the_public_internet_are_fetched_from(place: str) -> None:
    assert is_public(place)


@pytest.mark.parametrize("place", ["", "localhost", "1.2.3", "::1::", "127.1"])
def test_what_is_no_address_is_an_error(place: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        is_public(place)


@given(st.sampled_from([ipaddress.ip_network(block) for block in NOT_PUBLIC]), st.data())
def test_every_address_of_a_block_is_refused(network: ipaddress.IPv4Network, data: st.DataObject) -> None:
    assert not is_public(str(network[data.draw(st.integers(0, network.num_addresses - 1))]))


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if is_public(str(address)) and address not in ipaddress.ip_network("64:ff9b::/96"):
        assert address.is_global
        assert not any((address.is_multicast, address.is_private, address.is_reserved, address.is_link_local))


@given(st.ip_addresses(v=4))
def test_translated_address_is_as_public_as_what_it_holds(address: ipaddress.IPv4Address) -> None:
    assert is_public(f"64:ff9b::{address}") == is_public(str(address))


@given(st.ip_addresses(v=6), st.text("abc019.", max_size=8))
def test_zone_changes_nothing(address: ipaddress.IPv6Address, zone: str) -> None:
    assert is_public(f"{address}%{zone}") == is_public(str(address))
