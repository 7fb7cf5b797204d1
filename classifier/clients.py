"""The address of whoever asks, which a proxy in front of the site hides behind its own."""

import functools
import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
THIS_MACHINE = ("127.0.0.1", "::1")


def client_address(request: HttpRequest) -> str:
    """Return the address that the outermost trusted proxy saw; without such proxies, the one that is connected.

    Each proxy adds the address that it sees to the end of X-Forwarded-For. What stands before the entries of those that
    are trusted, the client may have made up.
    """
    return _find_client(str(request.META.get("REMOTE_ADDR", "")), request.headers.get("X-Forwarded-For", ""))


def client_to_limit(address: str, told: str) -> str:
    """Return whose share is used by what comes from an address with this X-Forwarded-For.

    Return "" where that may be many people's: a proxy, on this machine or trusted, that does not say for whom it asks.
    """
    client = _find_client(address, told)
    if client == address and (address in ("", *THIS_MACHINE) or is_trusted_proxy(address)):
        return ""
    return address_group(client)


def _find_client(address: str, told: str) -> str:
    trusts = _read_proxies(tuple(settings.TRUSTED_PROXIES))
    for number, entry in enumerate(reversed(told.split(",") if settings.TRUSTED_PROXIES else [])):
        seen = _read_address(entry)
        if seen is None or not trusts(number, address):
            break
        address = str(seen)
    return address


def is_trusted_proxy(address: str) -> bool:
    """Return whether what comes from this address, which is connected, may speak for others.

    Where it is only said that there is a proxy (BEHIND_PROXY), everything comes from it.
    """
    if not settings.TRUSTED_PROXIES:
        return settings.SECURE_PROXY_SSL_HEADER is not None
    return _read_proxies(tuple(settings.TRUSTED_PROXIES))(0, address)


def address_group(address: str) -> str:
    """Return what one client can hardly leave: an IPv4 address, or the /64 of an IPv6 address."""
    found = _read_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
    return address


def _read_address(text: str) -> Address | None:
    """Return an address as proxies write it, with or without a port; None for anything else, such as “unknown”."""
    text = text.strip().strip('"')
    host = text[1:].partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


@functools.cache
def _read_proxies(proxies: tuple[str, ...]) -> Callable[[int, str], bool]:
    """Return whether the proxy at an address is trusted, which so many nearer ones have been."""
    if len(proxies) == 1 and proxies[0].isdigit():
        return lambda number, address: number < int(proxies[0])
    networks = [ipaddress.ip_network(one) for one in proxies]

    def trusts(number: int, address: str) -> bool:
        found = _read_address(address)
        return found is not None and any(found in network for network in networks)

    return trusts
