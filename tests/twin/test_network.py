from __future__ import annotations

import socket
import sys
from ipaddress import IPv4Address, IPv4Network

import pytest

from twin.network import Address, LoopbackAddresses, PrivateAddresses, free_port, is_free


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


def test_loopback_addresses_are_each_handed_out_once() -> None:
    addresses = LoopbackAddresses(offset=7)
    port = free_port()
    given = {addresses.allocate(port) for _ in range(50)}

    assert len(given) == 50
    assert all(IPv4Address(address.host) in IPv4Network("127.0.0.0/8") for address in given)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.1 is the only loopback address")
def test_a_taken_loopback_address_is_passed_over() -> None:
    port = free_port()
    first = LoopbackAddresses(offset=9).allocate(port)
    with socket.socket() as server:
        server.bind((first.host, first.port))
        server.listen()
        assert LoopbackAddresses(offset=9).allocate(port) != first


def test_ranges_of_neighbours_are_apart() -> None:
    port = free_port()
    assert LoopbackAddresses(4566).allocate(port) != LoopbackAddresses(4567).allocate(port)
