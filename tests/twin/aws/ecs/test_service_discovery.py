"""A service with service registries and no Service Connect, made with boto3 on an empty twin, behind an HTTP API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.twin.running import STARTS_WITHIN, RunningTwin, TwinFactory, wait_until

CHECK = {"command": ["CMD-SHELL", "wget -q --spider http://127.0.0.1:8080/ready"], "interval": 5, "retries": 1}


class Shop:
    """A VPC, a private DNS namespace with the services `orders` (SRV) and `plain` (A), and a cluster."""

    def __init__(self, twin: RunningTwin) -> None:
        self.twin = twin
        self.ecs, self.map, ec2 = (twin.client(name) for name in ("ecs", "servicediscovery", "ec2"))
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        operation = self.map.create_private_dns_namespace(Name="shop.internal", Vpc=self.vpc)["OperationId"]
        namespace = self.map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
        self.orders = self._registry(namespace, "orders", "SRV", HealthCheckCustomConfig={})
        self.plain = self._registry(namespace, "plain", "A")
        self.ecs.create_cluster(clusterName="shop")

    def _registry(self, namespace: str, name: str, kind: str, **given: Any) -> dict[str, Any]:
        records = {"DnsRecords": [{"Type": kind, "TTL": 10}], "RoutingPolicy": "MULTIVALUE"}
        answer = self.map.create_service(Name=name, NamespaceId=namespace, DnsConfig=records, **given)
        return dict(answer["Service"])

    def further_subnet(self) -> str:
        """In another Availability Zone, as a load balancer needs two."""
        ec2 = self.twin.client("ec2")
        zone = {"CidrBlock": "10.0.1.0/24", "AvailabilityZone": "eu-west-2b"}
        return str(ec2.create_subnet(VpcId=self.vpc, **zone)["Subnet"]["SubnetId"])

    def serve(self, name: str, registry: dict[str, Any], **checked: Any) -> None:
        """A service of two tasks that register there."""
        port = {"containerName": "web", "containerPort": 8080} if registry is self.orders else {}
        self.create(name, checked, serviceRegistries=[{"registryArn": registry["Arn"], **port}])

    def create(self, name: str, checked: dict[str, Any], **found: Any) -> None:
        """A service of two tasks, whose container is *checked*, *found* where CreateService is told."""
        container = {
            "name": "web",
            "image": "web:1",
            "portMappings": [{"containerPort": 8080}],
            "environment": [{"name": "DRAIN_SECONDS", "value": "0"}],
            **checked,
        }
        side = {"name": "side", "image": "side:1", "essential": False, "portMappings": [{"containerPort": 9000}]}
        self.ecs.register_task_definition(
            family=name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[side, container],
        )
        self.ecs.create_service(
            cluster="shop",
            serviceName=name,
            taskDefinition=name,
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [self.subnet]}},
            **found,
        )

    def found(self, registry: dict[str, Any], status: str = "ALL") -> list[dict[str, Any]]:
        where = {"NamespaceName": "shop.internal", "ServiceName": registry["Name"]}
        return list(self.map.discover_instances(**where, HealthStatus=status)["Instances"])

    def route(self, **uris: str) -> None:
        """An HTTP API with a route `GET /<name>` to each of the integration URIs, which overwrites the path."""
        api = self.twin.client("apigatewayv2")
        identifier = api.create_api(Name="shop", ProtocolType="HTTP")["ApiId"]
        api.create_stage(ApiId=identifier, StageName="$default", AutoDeploy=True)
        link = api.create_vpc_link(Name="shop", SubnetIds=[self.subnet])["VpcLinkId"]
        for name, uri in uris.items():
            integration = api.create_integration(
                ApiId=identifier,
                IntegrationType="HTTP_PROXY",
                IntegrationMethod="ANY",
                IntegrationUri=uri,
                ConnectionType="VPC_LINK",
                ConnectionId=link,
                PayloadFormatVersion="1.0",
                RequestParameters={"overwrite:path": "/hostname"},
            )["IntegrationId"]
            api.create_route(ApiId=identifier, RouteKey=f"GET /{name}", Target=f"integrations/{integration}")

    def remove(self, name: str, registry: dict[str, Any]) -> None:
        self.ecs.delete_service(cluster="shop", service=name, force=True)
        wait_until(lambda: not self.found(registry), "no task is registered any more")


@pytest.fixture(scope="module")
def shop(start_twin: TwinFactory) -> Shop:
    twin = start_twin("--empty", wait=False)
    file = twin.state / "twin.json"
    wait_until(lambda: file.exists() and "aws_endpoint_url" in file.read_text(), "the endpoint is there", STARTS_WITHIN)
    return Shop(twin)


def test_tasks_with_srv_records_are_served_by_an_http_api(shop: Shop) -> None:
    shop.serve("orders", shop.orders)
    wait_until(lambda: len(shop.found(shop.orders)) == 2, "both tasks are registered")
    arn = shop.orders["Arn"]
    shop.route(all=arn, own=f"{arn}?ECS_SERVICE_NAME=orders&REGION=eu-west-2", others=f"{arn}?ECS_SERVICE_NAME=none")

    def answers(name: str) -> list[tuple[int, str]]:
        found = [httpx.get(f"{shop.twin.gateway_url}/{name}") for _ in range(20)]
        return [(answer.status_code, answer.text.strip()) for answer in found]

    wait_until(lambda: answers("others")[0][0] == 503, "the routes are there")
    for name in ("all", "own"):
        assert {status for status, _ in answers(name)} == {200}
        assert len({host for _, host in answers(name)}) == 2
    assert answers("others") == [(503, '{"message":"Service Unavailable"}')] * 20
    tasks = shop.ecs.list_tasks(cluster="shop", serviceName="orders")["taskArns"]
    for instance in shop.found(shop.orders):
        attributes = instance["Attributes"]
        assert instance["InstanceId"] in {arn.rsplit("/", 1)[-1] for arn in tasks}
        assert attributes["AWS_INSTANCE_PORT"] == "8080"
        assert (
            attributes.items()
            >= {
                "AVAILABILITY_ZONE": attributes["AVAILABILITY_ZONE"],
                "ECS_CLUSTER_NAME": "shop",
                "ECS_SERVICE_NAME": "orders",
                "ECS_TASK_DEFINITION_FAMILY": "orders",
                "REGION": "eu-west-2",
            }.items()
        )
        address = f"http://{attributes['AWS_INSTANCE_IPV4']}:{attributes['AWS_INSTANCE_PORT']}"
        assert httpx.get(f"{address}/ready").status_code == 200  # the application itself: there is no proxy
    described = shop.ecs.describe_services(cluster="shop", services=["orders"])["services"][0]
    assert described["serviceRegistries"] == [
        {"registryArn": shop.orders["Arn"], "containerName": "web", "containerPort": 8080}
    ]
    with pytest.raises(ClientError, match="ResourceInUse"):
        shop.map.delete_service(Id=shop.orders["Id"])
    shop.remove("orders", shop.orders)


def test_a_task_is_healthy_in_cloud_map_once_its_container_is(shop: Shop) -> None:
    shop.serve("checked", shop.orders, healthCheck=CHECK)
    told: set[str] = set()

    def healthy() -> bool:
        statuses = [instance["HealthStatus"] for instance in shop.found(shop.orders)]
        told.update(statuses)
        return statuses == ["HEALTHY"] * 2

    wait_until(healthy, "both are healthy")
    assert told == {"UNHEALTHY", "HEALTHY"}
    assert len(shop.found(shop.orders, "HEALTHY")) == 2
    shop.remove("checked", shop.orders)


def test_a_task_with_an_a_record_has_no_port(shop: Shop) -> None:
    shop.serve("plain", shop.plain)
    wait_until(lambda: len(shop.found(shop.plain)) == 2, "both tasks are registered")
    assert ["AWS_INSTANCE_PORT" in i["Attributes"] for i in shop.found(shop.plain)] == [False, False]
    shop.remove("plain", shop.plain)
    shop.map.delete_service(Id=shop.plain["Id"])
    names = {service["Name"] for service in shop.map.list_services()["Services"]}
    assert names == {"orders"}
