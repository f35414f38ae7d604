"""Draw docs/architecture.png from the synthesized stack, or say whether it still shows that stack.

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
class Facts:
    """What the picture shows of a stack."""

    region: str
    vpc: str
    subnets: list[tuple[str, str]]  # zone, address range
    tasks: int
    port: int
    routes: list[str]
    endpoints: list[str]

    def digest(self) -> str:
        """Changes when the facts do."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def facts(stack: dict[str, Any]) -> Facts:
    """Read the facts of a synthesized *stack*."""
    resources = stack["resource"]

    def all_of(kind: str) -> list[dict[str, Any]]:
        return list(resources.get(kind, {}).values())

    (container,) = json.loads(all_of("aws_ecs_task_definition")[0]["container_definitions"])
    endpoints = [endpoint["service_name"].split(".", 3)[3] for endpoint in all_of("aws_vpc_endpoint")]
    return Facts(
        region=stack["provider"]["aws"][0]["region"],
        vpc=all_of("aws_vpc")[0]["cidr_block"],
        subnets=[(subnet["availability_zone"], subnet["cidr_block"]) for subnet in all_of("aws_subnet")],
        tasks=all_of("aws_ecs_service")[0]["desired_count"],
        port=container["portMappings"][0]["containerPort"],
        routes=[route["route_key"] for route in all_of("aws_apigatewayv2_route")],
        endpoints=[name for name in endpoints if name != "s3"],
    )


def draw(shown: Facts, path: Path) -> None:
    """Draw *shown* with AWS's icons into the PNG at *path*."""
    from diagrams import Cluster, Diagram, Edge
    from diagrams.aws.compute import ECR, ElasticContainerService, Fargate
    from diagrams.aws.general import Users
    from diagrams.aws.management import CloudwatchLogs
    from diagrams.aws.network import APIGateway, CloudMap, Endpoint, Privatelink
    from diagrams.aws.storage import SimpleStorageServiceS3

    way = {"color": "#c7511f", "fontcolor": "#c7511f", "penwidth": "2.5", "fontsize": "15"}
    aside = {"color": "#879196", "fontcolor": "#545b64", "style": "dashed", "fontsize": "13"}
    plain = {"bgcolor": "white", "fontsize": "14", "margin": "18"}
    zone_box = {"bgcolor": "#dfeaf5", "fontsize": "13", "margin": "14"}
    subnet_box = {"bgcolor": "#dcefdc", "fontsize": "13", "margin": "14"}
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
            clients = Users("clients")
            with Cluster(f"AWS Region {shown.region}", graph_attr=plain):
                api = APIGateway("API Gateway, HTTP API\n" + "\n".join(shown.routes))
                cloud_map = CloudMap("Cloud Map: the service\nof Service Connect")
                ecs = ElasticContainerService("ECS service with\nService Connect")
                zones = []
                with Cluster(f"VPC {shown.vpc} without a way to the internet", graph_attr=plain):
                    link = Privatelink("VPC link")
                    # Graphviz stacks from the bottom.
                    for number, (zone, cidr) in reversed(list(enumerate(shown.subnets))):
                        with (
                            Cluster(f"availability zone {zone}", graph_attr=zone_box),
                            Cluster(f"private subnet {cidr}", graph_attr=subnet_box),
                        ):
                            here = reversed(range(number, shown.tasks, len(shown.subnets)))
                            tasks = [Fargate(f"task {task + 1}: Envoy,\nservice on :{shown.port}") for task in here]
                            zones.append((tasks, Endpoint("VPC endpoints:\n" + "\n".join(shown.endpoints))))
                ecr = ECR("ECR")
                s3 = SimpleStorageServiceS3("S3: the image's\nlayers")
                logs = CloudwatchLogs("CloudWatch Logs")

            clients >> Edge(label="1  HTTPS", **way) >> api
            api >> Edge(label="2  which tasks?\nDiscoverInstances, cached", **way) >> cloud_map
            api >> Edge(label="3  to one of them", **way) >> link
            for tasks, _ in zones:
                for task in tasks:
                    link >> Edge(label=f"4  HTTP :{shown.port}", **way) >> task
            ecs >> Edge(label="registers the tasks", **aside) >> cloud_map
            for tasks, door in zones:
                for task in tasks:
                    task >> Edge(**aside) >> door
                for service in (ecr, logs, s3):
                    door >> Edge(**aside) >> service
        with Image.open(Path(folder) / "diagram.png") as picture:
            text = PngInfo()
            text.add_text(HASH, shown.digest())
            picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(path, optimize=True, pnginfo=text)


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
