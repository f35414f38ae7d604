"""Services without Service Connect that call each other by the names of a private DNS namespace."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.twin.running import STARTS_WITHIN, TwinFactory, wait_until
from tests.twin.tasks.mesh import Mesh, start_mesh


class Shop:
    """A private DNS namespace `shop.internal` with the services `orders` and `caller` (A) and `events` (SRV)."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh, self.map = mesh, mesh.map
        vpc = mesh.twin.client("ec2").describe_vpcs()["Vpcs"][-1]["VpcId"]
        operation = self.map.create_private_dns_namespace(Name="shop.internal", Vpc=vpc)["OperationId"]
        namespace = self.map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
        self.registries = {
            name: self.map.create_service(
                Name=name,
                NamespaceId=namespace,
                DnsConfig={"DnsRecords": [{"Type": kind, "TTL": 10}], "RoutingPolicy": "MULTIVALUE"},
                HealthCheckCustomConfig={},
            )["Service"]
            for name, kind in (("orders", "A"), ("caller", "A"), ("events", "SRV"))
        }

    def serve(self, name: str, count: int, **container: Any) -> None:
        """A service of *count* tasks in the registry of its name."""
        ecs = self.mesh.ecs
        ecs.register_task_definition(
            family=name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {
                    "name": "web",
                    "image": "web:1",
                    "portMappings": [{"containerPort": 8080}],
                    "stopTimeout": 2,
                    **container,
                }
            ],
        )
        ecs.create_service(
            cluster="mesh",
            serviceName=name,
            taskDefinition=name,
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [self.mesh.subnet]}},
            serviceRegistries=[{"registryArn": self.registries[name]["Arn"]}],
        )
        wait_until(partial(self.has, name, count), f"{name} is there", STARTS_WITHIN)

    def addresses(self, name: str) -> list[str]:
        found = self.map.discover_instances(NamespaceName="shop.internal", ServiceName=name)
        return sorted(instance["Attributes"]["AWS_INSTANCE_IPV4"] for instance in found["Instances"])

    def has(self, name: str, count: int) -> bool:
        return len(self.addresses(name)) == count

    def run(self, *words: str) -> str:
        """What a command writes in the task of `caller`."""
        (address,) = self.addresses("caller")
        answer = httpx.post(f"http://{address}:8080/run", content=json.dumps(words), timeout=60)
        code, out, err = answer.json()
        assert code == 0, err
        return str(out).strip()

    def resolved(self) -> list[str]:
        """The addresses of `orders`, as the running task of `caller` resolves its name."""
        lines = (line.split() for line in self.run("cat", "/etc/hosts").splitlines())
        return sorted(words[0] for words in lines if words[1:] == ["orders.shop.internal"])

    def left_out(self) -> list[str]:
        lines = self.mesh.twin.run("ps", "--json").json["left_out"]
        return [line for line in lines if line.startswith(("Cloud Map", "Service Connect"))]


@pytest.fixture(scope="module")
def shop(start_twin: TwinFactory, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A task of `caller`, and two of `orders` that came after it."""
    shop = Shop(start_mesh(start_twin, tmp_path_factory.mktemp("names")))
    shop.serve("caller", 1)
    shop.serve("orders", 2)
    if any("allows no hosts file" in line for line in shop.left_out()):
        pytest.skip("no hosts files on this machine: no name is resolved, as is listed")
    return shop


def test_a_service_is_called_by_its_name(shop: Shop) -> None:
    hosts = {httpx.get(f"http://{address}:8080/").text for address in shop.addresses("orders")}

    assert shop.run("curl", "-sS", "http://orders.shop.internal:8080/") in hosts
    assert shop.resolved() == shop.addresses("orders")


def test_a_name_follows_the_tasks_while_its_caller_runs(shop: Shop) -> None:
    before = shop.addresses("orders")
    for count in (0, 3):
        shop.mesh.ecs.update_service(cluster="mesh", service="orders", desiredCount=count)
        wait_until(partial(shop.has, "orders", count), f"{count} tasks are registered")
        assert shop.resolved() == shop.addresses("orders")

    assert not set(before) & set(shop.addresses("orders"))
    assert "ip-10-0-0-" in shop.run("curl", "-sS", "http://orders.shop.internal:8080/")


def test_a_name_without_a_records_is_listed(shop: Shop) -> None:
    assert shop.left_out() == [
        "Cloud Map, events.shop.internal: it has no A records, and nothing answers for others: DiscoverInstances finds "
        "its instances"
    ]


def test_without_hosts_files_each_name_is_listed(start_twin: TwinFactory, tmp_path: Path) -> None:
    shop = Shop(start_mesh(start_twin, tmp_path, "--no-hosts-files"))
    shop.serve("caller", 1)

    assert "shop.internal" not in shop.run("cat", "/etc/hosts")
    assert [line for line in shop.left_out() if "events" not in line] == [
        f"Cloud Map, {name}.shop.internal: without hosts files of a task's own, so no task resolves it"
        for name in ("orders", "caller")
    ]
