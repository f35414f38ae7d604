"""A stack of your own with two services that find each other, made of `Cluster` and `Service` without settings.

    source .venv/bin/activate                # jsii finds Node on PATH
    python examples/shop/main.py             # cdktf.out/shop/stacks/shop/cdk.tf.json
    terraform -chdir=cdktf.out/shop/stacks/shop init

`web` calls `orders` as http://orders:8080, and nothing calls `web`. Network, role and images are yours.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

# First, for it chooses CDKTF or its successor, and has no more loaded of the bindings than is used.
import serviceconnect  # noqa: F401

# isort: split
from cdktf import App, TerraformStack, TerraformVariable
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.ecs_task_definition import EcsTaskDefinition
from cdktf_cdktf_provider_aws.provider import AwsProvider
from constructs import Construct

from serviceconnect.cluster import Cluster, ClusterProps
from serviceconnect.service import Endpoint, Service, ServiceProps

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-west-2"


class Shop(TerraformStack):
    """A web shop, and the service of orders that it calls."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        AwsProvider(self, "aws", region=REGION)
        self._subnet_ids = TerraformVariable(self, "subnet_ids", type="list(string)").list_value
        self._group_ids = TerraformVariable(self, "security_group_ids", type="list(string)").list_value
        self._execution_role_arn = TerraformVariable(self, "execution_role_arn", type="string").string_value
        self._registry = TerraformVariable(self, "registry", type="string").string_value
        self._logs = CloudwatchLogGroup(self, "logs", name="/shop", retention_in_days=7)
        self._cluster = Cluster(self, "cluster", ClusterProps(name="shop", region=REGION))

        orders = self._service("orders", Endpoint(port_name="http", name="orders", port=8080, request_timeout=5))
        # A task finds the endpoints that were there when its deployment began.
        self._service("web", None, after=orders)

    def _service(self, name: str, endpoint: Endpoint | None, after: Service | None = None) -> Service:
        def log(stream: str) -> dict[str, str]:
            return {"awslogs-group": self._logs.name, "awslogs-region": REGION, "awslogs-stream-prefix": stream}

        container = {
            "name": name,
            "image": f"{self._registry}/{name}:1",
            "portMappings": [{"name": "http", "containerPort": 8080, "appProtocol": "http"}],
            "logConfiguration": {"logDriver": "awslogs", "options": log(name)},
        }
        task = EcsTaskDefinition(
            self,
            f"{name}-task",
            family=name,
            cpu="256",
            memory="512",
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            execution_role_arn=self._execution_role_arn,
            container_definitions=json.dumps([container]),
        )
        return Service(
            self,
            name,
            ServiceProps(
                name=name,
                cluster=self._cluster,
                task_definition=task,
                subnet_ids=self._subnet_ids,
                security_group_ids=self._group_ids,
                proxy_log=log(f"{name}-proxy"),
                endpoint=endpoint,
                desired_count=2,
                fargate_spot=25,
                after=[after.rolled_out] if after else [],
            ),
        )


if __name__ == "__main__":
    output = os.environ.get("CDKTF_OUTDIR", str(ROOT / "cdktf.out" / "shop"))
    app = App(outdir=output, skip_validation=True)
    Shop(app, "shop")
    app.synth()
