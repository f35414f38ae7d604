"""Addresses: the private address that a task would have on AWS, and the loopback addresses that stand for it here."""

from __future__ import annotations

import contextlib
import errno
import itertools
import socket
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from twin.errors import StartFailed

__all__ = ["Address", "LoopbackAddresses", "PrivateAddresses", "free_port", "is_free"]

# On Linux all of 127.0.0.0/8 is loopback; elsewhere 127.0.0.1 alone, so ports must tell the tasks apart.
_WHOLE_LOOPBACK = sys.platform == "linux"
_RANGES = 64
_TRIES = 1_000  # addresses; where a port is taken at so many, a program has it at all of them
_INSTEAD = 8000  # is added to a port that the twin cannot have
_CLAIM_PORT = 4566  # any would do: nobody listens there


@dataclass(frozen=True)
class Address:
    """A TCP address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class LoopbackAddresses:
    """Hands out loopback addresses: one of its own at the wanted port (Linux), or 127.0.0.1 at a free port.

    On Linux each twin has a range of 65,024 addresses, its own for as long as it runs; an address is not handed out
    again until the range is through.
    """

    def __init__(self, first: int = 0) -> None:
        """
        Args:
            first: the range to begin with; the first that no other twin has is taken.

        Raises:
            StartFailed: every range is another twin's.
        """
        self._claim = socket.socket()
        if not _WHOLE_LOOPBACK:
            return
        for number in range(_RANGES):
            self._network = IPv4Network(f"127.{64 + (first + number) % _RANGES}.0.0/16")
            # The kernel lets one process bind it, and gives it back however that process ends.
            with contextlib.suppress(OSError):
                self._claim.bind((str(self._network[1]), _CLAIM_PORT))
                break
        else:
            self.close()
            raise StartFailed(f"{_RANGES} twins run on this machine, as many as can: end one with `twin down`.")
        self._next = itertools.cycle(range(256, self._network.num_addresses - 256))

    def allocate(self, port: int) -> Address:
        """An address on which nobody listens at the moment.

        Raises:
            StartFailed: nobody can listen on *port*, the twin may not, or another program does at every address.
        """
        if not 1 <= port <= 65535:
            raise StartFailed(f"port {port} is no port: it must be from 1 to 65535")
        if not _WHOLE_LOOPBACK:
            return Address("127.0.0.1", free_port())
        for _ in range(_TRIES):
            address = Address(str(self._network[next(self._next)]), port)
            try:
                if is_free(address):
                    return address
            except PermissionError:
                way_out = "choose one of 1024 or more, or start the twin as root"
                raise StartFailed(f"port {port} needs the capability CAP_NET_BIND_SERVICE: {way_out}") from None
        raise StartFailed(f"port {port} is another program's, at every address: end it, or choose another port")

    def allocate_or_above(self, port: int) -> Address:
        """The same, or where the twin cannot have *port*, one at 8000 more."""
        try:
            return self.allocate(port)
        except StartFailed:
            return self.allocate(_INSTEAD + port)

    def beside(self, address: Address, port: int) -> Address:
        """Another port of what *address* stands for: at the same host, or where hosts are one, at a free port."""
        return Address(address.host, port) if _WHOLE_LOOPBACK else Address("127.0.0.1", free_port())

    def close(self) -> None:
        """Give the range back."""
        self._claim.close()


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
