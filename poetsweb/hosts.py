"""Tell whether only this machine reaches an address that a server listens on."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine's own name or address, which no network reaches."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"
