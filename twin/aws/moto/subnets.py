"""Where tasks go: the subnets of a service, as EC2 knows them, and their private addresses."""

from __future__ import annotations

from typing import Any

from moto.backends import get_backend
from moto.ec2.exceptions import InvalidSubnetIdError

from twin.aws.ecs.ports import NoRoom, Placement
from twin.aws.moto.stores import locked
from twin.machine.addresses import PrivateAddresses

__all__ = ["Subnets"]


class Subnets:
    """The subnets of one account and Region; hands out private addresses in order."""

    def __init__(self, account: str, region: str) -> None:
        # https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
        self._domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
        self._backend: Any = get_backend("ec2")[account][region]
        self._addresses: dict[str, PrivateAddresses] = {}
        self._used: dict[str, set[str]] = {}
        self.closed: set[str] = set()  # zones where no task starts

    @locked
    def names(self) -> set[str]:
        """The Availability Zones of all subnets, but for those of the default VPC, which moto makes by itself."""
        return {each.availability_zone for each in self._backend.describe_subnets() if not each.default_for_az}

    def zones(self, network_configuration: dict[str, Any]) -> list[str]:
        """The open Availability Zones of the subnets, each once; empty if one of the subnets does not exist."""
        try:
            subnets = self._subnets(network_configuration)
        except InvalidSubnetIdError:
            return []
        return [zone for zone in dict.fromkeys(s.availability_zone for s in subnets) if zone not in self.closed]

    def place(self, network_configuration: dict[str, Any], zone: str) -> Placement:
        """A place in the first of the subnets in *zone* that has one, with a host name as Fargate gives it.

        Raises:
            NoRoom: no subnet has.
        """
        subnets = [s for s in self._subnets(network_configuration) if s.availability_zone == zone]
        for subnet in subnets:
            addresses = self._addresses.setdefault(subnet.id, PrivateAddresses(subnet.cidr_block))
            used = self._used.setdefault(subnet.id, set())
            for _ in range(len(addresses)):
                private = str(addresses.allocate())
                if private not in used:
                    used.add(private)
                    host_name = f"ip-{private.replace('.', '-')}.{self._domain}"
                    return Placement(zone, subnet.id, private, host_name)
        names = ", ".join(subnet.id for subnet in subnets)
        raise NoRoom(f"The subnets of {zone} ({names}) have no free addresses")

    def release(self, subnet_id: str, private_address: str) -> None:
        """The address can be given to another task."""
        self._used[subnet_id].discard(private_address)

    @locked
    def _subnets(self, network_configuration: dict[str, Any]) -> list[Any]:
        wanted = network_configuration["awsvpcConfiguration"]["subnets"]
        return [self._backend.get_subnet(identifier) for identifier in wanted]
