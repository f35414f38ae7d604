"""Addresses: the private address that a task would have on AWS, and the loopback addresses that stand for it here."""

from __future__ import annotations

import errno
import itertools
import socket
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

__all__ = ["Address", "LoopbackAddresses", "PrivateAddresses", "free_port", "is_free"]

# On Linux all of 127.0.0.0/8 is loopback; elsewhere 127.0.0.1 alone, so ports must tell the tasks apart.
_WHOLE_LOOPBACK = sys.platform == "linux"


@dataclass(frozen=True)
class Address:
    """A TCP address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class LoopbackAddresses:
    """Hands out loopback addresses: one of its own at the wanted port (Linux), or 127.0.0.1 at a free port.

    *offset* (0 to 63) sets apart the ranges of twins that run side by side. An address is not handed out
    again until the range (65,024 addresses) is through.
    """

    def __init__(self, offset: int = 0) -> None:
        self._network = IPv4Network(f"127.{64 + offset % 64}.0.0/16")
        self._next = itertools.cycle(range(256, self._network.num_addresses - 256))

    def allocate(self, port: int) -> Address:
        """An address on which nobody listens at the moment."""
        if not _WHOLE_LOOPBACK:
            return Address("127.0.0.1", free_port())
        while True:
            address = Address(str(self._network[next(self._next)]), port)
            if is_free(address):
                return address


class PrivateAddresses:
    """The private addresses that a subnet gives to its tasks, in order; AWS keeps the first four and the last."""

    def __init__(self, cidr: str) -> None:
        self._network = IPv4Network(cidr)
        self._next = itertools.cycle(range(4, self._network.num_addresses - 1))

    def __len__(self) -> int:
        return self._network.num_addresses - 5

    def allocate(self) -> IPv4Address:
        return self._network[next(self._next)]


def is_free(address: Address) -> bool:
    """Whether a server could listen on *address* now. TIME_WAIT of an earlier one does not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def free_port() -> int:
    """A port of 127.0.0.1 that the kernel picked a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
