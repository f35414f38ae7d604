from __future__ import annotations

import pytest

from twin.front.http_api.discovery import Instances, usable
from twin.machine.addresses import Address


def test_instances_with_an_ipv4_address_and_a_port_are_used() -> None:
    attributes = {"AWS_INSTANCE_IPV4": "10.0.0.4", "AWS_INSTANCE_PORT": "8080", "AWS_INIT_HEALTH_STATUS": "HEALTHY"}

    found = usable([{"InstanceId": "a", "Attributes": attributes}, {"InstanceId": "b", "Attributes": attributes}])
    assert found == Instances(frozenset({Address("10.0.0.4", 8080)}))


@pytest.mark.parametrize(
    "attributes",
    [
        None,
        {},
        {"AWS_INSTANCE_IPV4": "10.0.0.4"},
        {"AWS_INSTANCE_PORT": "80"},
        *(
            {"AWS_INSTANCE_IPV4": host, "AWS_INSTANCE_PORT": "80"}
            for host in ("", "shop", "10.0.0", "::1", "10.0.0.04")
        ),
        *({"AWS_INSTANCE_IPV4": "10.0.0.4", "AWS_INSTANCE_PORT": p} for p in ("", "0", "65536", "-1", "8_0", "٣", "²")),
        {"AWS_INSTANCE_IPV4": "10.0.0.4", "AWS_INSTANCE_PORT": "9" * 5000},
    ],
    ids=str,
)
def test_others_are_left_out(attributes: dict[str, str] | None) -> None:
    instance = {"InstanceId": "a"} if attributes is None else {"InstanceId": "a", "Attributes": attributes}

    assert usable([instance]) == Instances(unusable=frozenset({"a"}))
