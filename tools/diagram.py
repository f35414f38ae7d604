"""Draw docs/architecture.png and docs/services.png from synthesized stacks, or say whether one still shows its stack.

    python tools/diagram.py cdktf.out/stacks/serviceconnect/cdk.tf.json docs/architecture.png [--check]

What the picture shows is first read from the JSON as a few facts; their hash is kept in the PNG, so that --check needs
neither Graphviz nor a comparison of pixels. Exits with 1 if the picture shows another stack, with 3 without Graphviz.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

HASH = "Stack"


@dataclass(frozen=True)
class Service:
    """One ECS service: the routes that lead to it, and the names of those that it calls."""

    name: str
    tasks: int
    port: int
    routes: list[str]
    calls: list[str]


@dataclass(frozen=True)
class Facts:
    """What the picture shows of a stack."""

    region: str
    vpc: str
    subnets: list[tuple[str, str]]  # zone, address range
    services: list[Service]  # the stack's first one first
    endpoints: list[str]

    def digest(self) -> str:
        """Changes when the facts do."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def facts(stack: dict[str, Any]) -> Facts:
    """Read the facts of a synthesized *stack*."""
    resources = stack["resource"]

    def all_of(kind: str) -> list[dict[str, Any]]:
        return list(resources.get(kind, {}).values())

    services = [_service(stack, service) for service in all_of("aws_ecs_service")]
    endpoints = [endpoint["service_name"].split(".", 3)[3] for endpoint in all_of("aws_vpc_endpoint")]
    return Facts(
        region=stack["provider"]["aws"][0]["region"],
        vpc=all_of("aws_vpc")[0]["cidr_block"],
        subnets=[(subnet["availability_zone"], subnet["cidr_block"]) for subnet in all_of("aws_subnet")],
        services=sorted(services, key=lambda service: bool(service.calls)),
        endpoints=[name for name in endpoints if name != "s3"],
    )


def _service(stack: dict[str, Any], service: dict[str, Any]) -> Service:
    resources = stack["resource"]
    definition = resources["aws_ecs_task_definition"][service["task_definition"].split(".")[1]]
    (container,) = json.loads(definition["container_definitions"])
    found = {
        f"${{data.aws_service_discovery_service.{name}.arn}}"
        for name, data in stack["data"]["aws_service_discovery_service"].items()
        if data["name"] == service["name"]
    }
    integrations = {
        f"integrations/${{aws_apigatewayv2_integration.{name}.id}}"
        for name, integration in resources["aws_apigatewayv2_integration"].items()
        if integration["integration_uri"] in found
    }
    upstreams = [entry["value"] for entry in container["environment"] if entry["name"] == "UPSTREAMS"]
    return Service(
        name=service["name"],
        tasks=service["desired_count"],
        port=container["portMappings"][0]["containerPort"],
        routes=[
            route["route_key"]
            for route in resources["aws_apigatewayv2_route"].values()
            if route["target"] in integrations
        ],
        calls=[entry.partition("=")[0] for value in upstreams for entry in value.split(",")],
    )


WAY = {"color": "#c7511f", "fontcolor": "#c7511f", "penwidth": "2.5", "fontsize": "15"}
CALL = {"color": "#3b48cc", "fontcolor": "#3b48cc", "penwidth": "2.5", "fontsize": "15"}
ASIDE = {"color": "#879196", "fontcolor": "#545b64", "style": "dashed", "fontsize": "13"}
PLAIN = {"bgcolor": "white", "fontsize": "14", "margin": "18"}
ZONE = {"bgcolor": "#dfeaf5", "fontsize": "13", "margin": "14"}
SUBNET = {"bgcolor": "#dcefdc", "fontsize": "13", "margin": "14"}


def draw(shown: Facts, path: Path) -> None:
    """Draw *shown* with AWS's icons into the PNG at *path*."""
    from diagrams import Diagram

    with tempfile.TemporaryDirectory() as folder:
        with Diagram(
            "",
            filename=str(Path(folder) / "diagram"),
            outformat="png",
            show=False,
            direction="LR",
            graph_attr={"bgcolor": "white", "pad": "0.3", "nodesep": "0.4", "ranksep": "1.2", "splines": "spline"},
            node_attr={"fontsize": "13"},
        ):
            if len(shown.services) == 1:
                _one_service(shown)
            else:
                _services(shown)
        with Image.open(Path(folder) / "diagram.png") as picture:
            text = PngInfo()
            text.add_text(HASH, shown.digest())
            picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(path, optimize=True, pnginfo=text)


def _services(shown: Facts) -> None:
    """The hops: from API Gateway to those services that have routes, and from service to service."""
    from diagrams import Cluster, Edge
    from diagrams.aws.compute import Fargate
    from diagrams.aws.general import Users
    from diagrams.aws.network import APIGateway, CloudMap, Privatelink

    clients = Users("clients")
    with Cluster(f"AWS Region {shown.region}", graph_attr=PLAIN):
        routes = [f"{route} to {service.name}" for service in shown.services for route in service.routes]
        api = APIGateway("API Gateway,\nHTTP API\n" + "\n".join(routes))
        cloud_map = CloudMap("Cloud Map: a service\nfor each of them")
        boxes: dict[str, list[Fargate]] = {}
        with Cluster(f"VPC {shown.vpc} without a way to the internet", graph_attr=PLAIN):
            link = Privatelink("VPC link")
            for service in shown.services:
                with Cluster(f"ECS service {service.name}, {service.tasks} tasks", graph_attr=ZONE):
                    role = "client and server" if service.calls else "server"
                    boxes[service.name] = [
                        Fargate(f"task {task + 1}: Envoy,\n{role} on :{service.port}")
                        for task in reversed(range(service.tasks))
                    ]
    clients >> Edge(label="HTTPS", **WAY) >> api
    api >> Edge(label="which tasks?\nDiscoverInstances, cached", **WAY) >> cloud_map
    api >> Edge(label="to one of them", **WAY) >> link
    for service in shown.services:
        middle = boxes[service.name][service.tasks // 2]
        if service.routes:
            link >> Edge(label=f"HTTP :{service.port}", **WAY) >> middle
        for name in service.calls:
            port = next(other.port for other in shown.services if other.name == name)
            label = f"http://{name}:{port}, by the client proxy:\nround robin, retries, ejection"
            middle >> Edge(label=label, **CALL) >> boxes[name][len(boxes[name]) // 2]


def _one_service(shown: Facts) -> None:
    """The way of a request to the tasks in their zones, and what they need."""
    from diagrams import Cluster, Edge
    from diagrams.aws.compute import ECR, ElasticContainerService, Fargate
    from diagrams.aws.general import Users
    from diagrams.aws.management import CloudwatchLogs
    from diagrams.aws.network import APIGateway, CloudMap, Endpoint, Privatelink
    from diagrams.aws.storage import SimpleStorageServiceS3

    (service,) = shown.services
    clients = Users("clients")
    with Cluster(f"AWS Region {shown.region}", graph_attr=PLAIN):
        api = APIGateway("API Gateway,\nHTTP API\n" + "\n".join(service.routes))
        cloud_map = CloudMap("Cloud Map: the service\nof Service Connect")
        ecs = ElasticContainerService("ECS service with\nService Connect")
        zones = []
        with Cluster(f"VPC {shown.vpc} without a way to the internet", graph_attr=PLAIN):
            link = Privatelink("VPC link")
            # Graphviz stacks from the bottom.
            for number, (zone, cidr) in reversed(list(enumerate(shown.subnets))):
                with (
                    Cluster(f"availability zone {zone}", graph_attr=ZONE),
                    Cluster(f"private subnet {cidr}", graph_attr=SUBNET),
                ):
                    here = reversed(range(number, service.tasks, len(shown.subnets)))
                    tasks = [Fargate(f"task {task + 1}: Envoy,\nservice on :{service.port}") for task in here]
                    zones.append((tasks, Endpoint("VPC endpoints:\n" + "\n".join(shown.endpoints))))
        ecr = ECR("ECR")
        s3 = SimpleStorageServiceS3("S3: the image's\nlayers")
        logs = CloudwatchLogs("CloudWatch Logs")

    clients >> Edge(label="1  HTTPS", **WAY) >> api
    api >> Edge(label="2  which tasks?\nDiscoverInstances, cached", **WAY) >> cloud_map
    api >> Edge(label="3  to one of them", **WAY) >> link
    for tasks, _ in zones:
        for task in tasks:
            link >> Edge(label=f"4  HTTP :{service.port}", **WAY) >> task
    ecs >> Edge(label="registers the tasks", **ASIDE) >> cloud_map
    for tasks, door in zones:
        for task in tasks:
            task >> Edge(**ASIDE) >> door
        for service in (ecr, logs, s3):
            door >> Edge(**ASIDE) >> service


def main() -> int:
    """Draw or check; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    shown = facts(json.loads(arguments.stack.read_text()))
    if arguments.check:
        with Image.open(arguments.picture) as picture:
            if picture.info.get(HASH) == shown.digest():
                return 0
        print(f"{arguments.picture} shows another stack; draw it anew with `make diagram`.", file=sys.stderr)
        return 1
    if shutil.which("dot") is None:
        print("The diagram needs Graphviz's dot: `apt-get install graphviz`, `brew install graphviz`.", file=sys.stderr)
        return 3
    draw(shown, arguments.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
