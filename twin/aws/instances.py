"""Where an instance of Cloud Map is, by its attributes: what the gateway and the client proxies send requests to."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address

from twin.machine.addresses import Address

__all__ = ["ipv4_address", "usable_address"]

_PORTS = range(1, 65_536)


def ipv4_address(attributes: Mapping[str, str]) -> str | None:
    """Its IPv4 address; None if there is none."""
    try:
        return str(IPv4Address(attributes.get("AWS_INSTANCE_IPV4", "")))
    except AddressValueError:
        return None


def usable_address(attributes: Mapping[str, str]) -> Address | None:
    """Its IPv4 address and port; None if one is missing. Cloud Map takes any text for either."""
    port = attributes.get("AWS_INSTANCE_PORT", "")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) in _PORTS):
        return None
    host = ipv4_address(attributes)
    return Address(host, int(port)) if host is not None else None
