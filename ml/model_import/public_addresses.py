"""Tell which addresses belong to the public internet, whatever the version of Python knows of them.

The tables follow IANA's registries of special-purpose addresses (IPv4 and IPv6, read in November 2026), and leave out
what those do not call globally reachable. A few that they do are left out too, because a home router or the network
itself answers there: the anycast addresses of 192.0.0.0/24 and 2001::/23, and the relays of 192.88.99.0/24.
"""

import ipaddress

_V4 = ipaddress.IPv4Network
_V6 = ipaddress.IPv6Network

NOT_PUBLIC_V4 = (
    _V4("0.0.0.0/8"),  # this network
    _V4("10.0.0.0/8"),  # private
    _V4("100.64.0.0/10"),  # shared by a provider's customers
    _V4("127.0.0.0/8"),  # loopback
    _V4("168.63.129.16/32"),  # the host of a virtual machine in Azure; in no registry
    _V4("169.254.0.0/16"),  # link-local, with the metadata of clouds
    _V4("172.16.0.0/12"),  # private
    _V4("192.0.0.0/24"),  # protocol assignments, with the metadata of Oracle's cloud (192.0.0.192)
    _V4("192.0.2.0/24"),  # documentation
    _V4("192.88.99.0/24"),  # relays of 6to4, deprecated
    _V4("192.168.0.0/16"),  # private
    _V4("198.18.0.0/15"),  # benchmarks
    _V4("198.51.100.0/24"),  # documentation
    _V4("203.0.113.0/24"),  # documentation
    _V4("224.0.0.0/4"),  # multicast
    _V4("240.0.0.0/4"),  # reserved, and broadcast
)

# All that is global is in here. Outside are loopback, IPv4-mapped and -translated addresses (::ffff:0:0/96,
# ::ffff:0:0:0/96), 64:ff9b:1::/48, 100::/64, 5f00::/16, private (fc00::/7), link-local (fe80::/10), site-local
# (fec0::/10) and multicast (ff00::/8).
GLOBAL_V6 = _V6("2000::/3")
NOT_PUBLIC_V6 = (
    _V6("2001::/23"),  # protocol assignments, with Teredo, benchmarks and ORCHID
    _V6("2001:db8::/32"),  # documentation
    _V6("2002::/16"),  # 6to4, whose addresses hold IPv4 ones
    _V6("3fff::/20"),  # documentation
)
# A gateway translates these (NAT64) into the IPv4 address in their last 32 bits.
TRANSLATED = _V6("64:ff9b::/96")


def is_public(place: str) -> bool:
    """Return whether an address, and the IPv4 address that it may be translated into, is on the public internet.

    Raise `ValueError` if it is no address.
    """
    address = ipaddress.ip_address(place.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address in TRANSLATED:
        address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in NOT_PUBLIC_V4)
    return address in GLOBAL_V6 and not any(address in network for network in NOT_PUBLIC_V6)
