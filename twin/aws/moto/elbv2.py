"""What ECS and the data plane do in Elastic Load Balancing: target groups, targets, and what is read of the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from moto.backends import get_backend
from moto.elbv2.exceptions import DuplicateLoadBalancerName, InvalidTargetError, TargetGroupNotFoundError

from twin.aws.moto.stores import LOCK, locked
from twin.machine.addresses import Address

__all__ = ["Elbv2"]

T = TypeVar("T")


class Balancers(Protocol):
    """Who serves the load balancers."""

    def name_of(self, balancer: str) -> str:
        """What stands for the DNS name of a new load balancer, by its ARN. Any thread may ask."""

    def health(self, target_group: str, address: Address) -> tuple[str, tuple[str, str] | None] | None:
        """A target's state, and the reason for it as code and description; None: it is not known here. Any thread may
        ask."""


class Elbv2:
    """Elastic Load Balancing of one account and Region."""

    def __init__(self, account: str, region: str) -> None:
        self._backend: Any = get_backend("elbv2")[account][region]
        self._acm: Any = get_backend("acm")[account][region]

    def read(self, reader: Callable[[Any], T]) -> T:
        """What *reader* makes of the store, at one moment."""
        with LOCK:
            return reader(self._backend)

    @locked
    def certificate(self, arn: str) -> tuple[str, str] | None:
        """The certificate of ACM with that ARN and its private key, as PEM; None if it is not there."""
        found = self._acm._certificates.get(arn)
        if found is None:
            return None
        chain = b"\n".join(part for part in (found.cert, found.chain) if part)
        return chain.decode(), found.key.decode()

    @locked
    def target_groups(self) -> dict[str, str]:
        """The target types of all target groups, by ARN."""
        groups = self._backend.target_groups.items()
        return {arn: group.target_type or "instance" for arn, group in groups}

    @locked
    def register(self, target_group: str, address: Address) -> None:
        """Register a target."""
        self._backend.register_targets(target_group, [{"Id": address.host, "Port": address.port}])

    @locked
    def deregister(self, target_group: str, address: Address) -> None:
        """Remove a target, if it is there."""
        with contextlib.suppress(InvalidTargetError, TargetGroupNotFoundError):
            self._backend.deregister_targets(target_group, [{"Id": address.host, "Port": address.port}])

    def serve(self, balancers: Balancers) -> None:
        """Have load balancers the names that *balancers* give them, and DescribeTargetHealth answer what they know.

        Of all other targets moto says that they are healthy.
        """

        def describe(target_group: str, targets: list[dict[str, Any]]) -> list[Any]:
            described = type(self._backend).describe_target_health(self._backend, target_group, targets)
            for status in described:
                if found := balancers.health(target_group, Address(status.instance_id, int(status.port))):
                    status.status, (status.reason, status.description) = found[0], found[1] or (None, None)
                    port = self._backend.target_groups[target_group].health_check_port
                    status.health_check_port = str(status.port) if port == "traffic-port" else port
            return list(described)

        def create(**settings: Any) -> Any:
            made = type(self._backend).create_load_balancer(self._backend, **settings)
            for other in self._backend.load_balancers.values():
                if other.name == made.name and other is not made:
                    self._forget(made)
                    if _settings(other) != _settings(made):
                        raise DuplicateLoadBalancerName
                    return other
            if made.type == "network":
                self._rename(made, made.arn.replace(":loadbalancer/app/", ":loadbalancer/net/"))
            made.dns_name = balancers.name_of(made.arn)
            return made

        self._backend.describe_target_health = describe
        self._backend.create_load_balancer = create

    def _rename(self, balancer: Any, arn: str) -> None:
        """Give a new load balancer another ARN."""
        self._backend.load_balancers[arn] = balancer
        self._backend.tagging_service.copy_tags(balancer.arn, arn)
        self._forget(balancer)
        balancer.arn = arn

    def _forget(self, balancer: Any) -> None:
        del self._backend.load_balancers[balancer.arn]
        self._backend.tagging_service.delete_all_tags_for_resource(balancer.arn)


def _settings(balancer: Any) -> tuple[object, ...]:
    """What a second load balancer of that name must have too, for CreateLoadBalancer to answer with the first."""
    subnets = sorted(subnet.id for subnet in balancer.subnets)
    return balancer.type, balancer.scheme, balancer.ip_address_type, subnets, sorted(balancer.security_groups)
