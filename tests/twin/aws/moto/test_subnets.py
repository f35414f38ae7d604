from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest
from moto.backends import get_backend

from twin.aws.ecs.ports import NoRoom
from twin.aws.moto.subnets import Subnets

ACCOUNT, REGION = "123456789012", "eu-west-2"


@pytest.fixture
def subnet_ids() -> Iterator[list[str]]:
    """Two subnets in one zone, the smaller first, and one in another."""
    backend = get_backend("ec2")[ACCOUNT][REGION]
    vpc = backend.create_vpc("10.0.0.0/16")
    places = [("10.0.0.0/28", "a"), ("10.0.1.0/24", "a"), ("10.0.2.0/24", "b")]
    yield [backend.create_subnet(vpc.id, cidr, availability_zone=f"{REGION}{zone}").id for cidr, zone in places]
    backend.reset()


def configuration(subnets: list[str]) -> dict[str, object]:
    return {"awsvpcConfiguration": {"subnets": subnets}}


def test_zones_are_those_of_the_subnets_in_their_order(subnet_ids: list[str]) -> None:
    subnets = Subnets(ACCOUNT, REGION)

    assert subnets.zones(configuration(subnet_ids)) == ["eu-west-2a", "eu-west-2b"]
    assert subnets.zones(configuration([*subnet_ids, "subnet-none"])) == []


def test_a_task_gets_an_address_of_its_subnet_and_the_host_name_of_fargate(subnet_ids: list[str]) -> None:
    place = Subnets(ACCOUNT, REGION).place(configuration(subnet_ids), "eu-west-2b")

    assert (place.subnet_id, place.zone) == (subnet_ids[2], "eu-west-2b")
    assert (place.private_address, place.host_name) == ("10.0.2.4", "ip-10-0-2-4.eu-west-2.compute.internal")


def test_the_host_names_of_us_east_1_have_a_domain_of_their_own() -> None:
    backend = get_backend("ec2")[ACCOUNT]["us-east-1"]
    vpc = backend.create_vpc("10.0.0.0/16")
    subnet = backend.create_subnet(vpc.id, "10.0.0.0/24", availability_zone="us-east-1a").id

    place = Subnets(ACCOUNT, "us-east-1").place(configuration([subnet]), "us-east-1a")

    assert place.host_name == "ip-10-0-0-4.ec2.internal"
    backend.reset()


def test_no_two_tasks_have_one_address_and_full_subnets_say_so(subnet_ids: list[str]) -> None:
    subnets = Subnets(ACCOUNT, REGION)
    small = configuration(subnet_ids[:1])
    places = [subnets.place(small, "eu-west-2a") for _ in range(11)]  # 16, but for AWS's five

    assert len({place.private_address for place in places}) == 11
    with pytest.raises(NoRoom, match="no free addresses"):
        subnets.place(small, "eu-west-2a")
    assert subnets.place(configuration(subnet_ids), "eu-west-2a").subnet_id == subnet_ids[1]

    subnets.release(places[3].subnet_id, places[3].private_address)
    assert subnets.place(small, "eu-west-2a") == places[3]


def test_addresses_are_not_given_again_while_there_are_others(subnet_ids: list[str]) -> None:
    subnets = Subnets(ACCOUNT, REGION)
    given = []
    for _ in range(11):
        place = subnets.place(configuration(subnet_ids[:1]), "eu-west-2a")
        subnets.release(place.subnet_id, place.private_address)
        given.append(place.private_address)

    assert given == [str(address) for address in list(IPv4Network("10.0.0.0/28"))[4:-1]]
