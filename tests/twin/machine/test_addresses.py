from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

import pytest

from twin.errors import StartFailed
from twin.machine.addresses import Address, LoopbackAddresses, PrivateAddresses, free_port, is_free

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.1 is the only loopback address")


def test_a_listener_makes_its_address_taken() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = Address("127.0.0.1", server.getsockname()[1])
        assert not is_free(address)
    assert is_free(address)


def test_private_addresses_start_after_those_that_aws_keeps_and_come_round() -> None:
    addresses = PrivateAddresses("10.0.1.0/28")
    given = [addresses.allocate() for _ in range(12)]

    assert given[0] == IPv4Address("10.0.1.4")
    assert given[10] == IPv4Address("10.0.1.14")
    assert given[11] == given[0]


@pytest.fixture
def addresses() -> Iterator[LoopbackAddresses]:
    addresses = LoopbackAddresses()
    yield addresses
    addresses.close()


def test_loopback_addresses_are_each_handed_out_once(addresses: LoopbackAddresses) -> None:
    port = free_port()
    given = {addresses.allocate(port) for _ in range(50)}

    assert len(given) == 50
    assert all(IPv4Address(address.host) in IPv4Network("127.0.0.0/8") for address in given)


@linux_only
def test_a_taken_loopback_address_is_passed_over(addresses: LoopbackAddresses) -> None:
    port = free_port()
    first = IPv4Address(addresses.allocate(port).host)
    with socket.socket() as server:
        server.bind((str(first + 1), port))
        server.listen()
        assert addresses.allocate(port).host == str(first + 2)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_said_to_be_none(addresses: LoopbackAddresses, port: int) -> None:
    with pytest.raises(StartFailed, match=f"port {port} is no port: it must be from 1 to 65535"):
        addresses.allocate(port)


@linux_only
def test_a_port_that_the_twin_may_not_use_names_what_is_needed(
    addresses: LoopbackAddresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bind(self: socket.socket, address: tuple[str, int]) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("twin.machine.addresses.socket.socket", type("Socket", (socket.socket,), {"bind": bind}))
    with pytest.raises(StartFailed, match="port 80 needs the capability CAP_NET_BIND_SERVICE: choose one of 1024"):
        addresses.allocate(80)


@linux_only
def test_no_two_have_a_range_in_common(addresses: LoopbackAddresses) -> None:
    port = free_port()
    others = [LoopbackAddresses() for _ in range(3)]
    ranges = {IPv4Network(f"{each.allocate(port).host}/16", strict=False) for each in [addresses, *others]}
    assert len(ranges) == 4

    given_back = ranges - {IPv4Network(f"{addresses.allocate(port).host}/16", strict=False)}
    for other in others:
        other.close()
    again = LoopbackAddresses()
    assert IPv4Network(f"{again.allocate(port).host}/16", strict=False) in given_back
    again.close()


@linux_only
def test_there_is_an_end_to_the_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.machine.addresses._RANGES", 2)  # those of other twins on this machine stay untouched
    taken: list[LoopbackAddresses] = []
    with pytest.raises(StartFailed, match="2 twins run"):
        taken.extend(iter(LoopbackAddresses, None))
    for each in taken:
        each.close()
