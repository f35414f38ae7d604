"""The load fleet: Locust's master and workers on Fargate, in public subnets of the stack's VPC.

An HTTP API has no private address, so the workers need a way to the internet, which the service's subnets do not
have: the fleet brings an internet gateway and subnets of its own, without a NAT gateway to pay for. Nothing admits
connections from outside: the master's web UI listens on its own loopback and is reached through Systems Manager.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vs-rest.html
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.ecs_task_definition import EcsTaskDefinition, EcsTaskDefinitionRuntimePlatform
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.internet_gateway import InternetGateway
from cdktf_cdktf_provider_aws.route import Route
from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.subnet import Subnet
from constructs import Construct

from serviceconnect.endpoints import Endpoints
from serviceconnect.gateway import Gateway
from serviceconnect.logs import Logs
from serviceconnect.network import Network
from serviceconnect.policy import EXEC, allow, document
from serviceconnect.roles import Roles, role_for_tasks
from serviceconnect.security import connect, security_group, way_in, way_out
from serviceconnect.service import Endpoint, Service, ServiceProps
from serviceconnect.settings import Settings
from serviceconnect.task import AFTER_THE_NEXT, log_options

__all__ = ["LoadFleet", "load_role"]

CONTAINER = "locust"
MASTER_PORT = 5557
WEB_PORT = 8089

# A process of Locust fills one CPU; a quarter of it is the proxy's.
CPU, MEMORY = "1024", "2048"

# Service Connect's reports and the web UI do not need more.
MASTER_CPU, MASTER_MEMORY = "512", "1024"


def load_role(scope: Construct, id: str, settings: Settings, account_id: str) -> IamRole:
    """The fleet's task role: apart from the service's, and made before the endpoints, which must admit it."""
    role = role_for_tasks(scope, id, settings, "load", account_id)
    IamRolePolicy(scope, f"{id}-exec", name="execute-command", role=role.name, policy=document([allow(EXEC)]))
    return role


class LoadFleet(Construct):
    """A master and the settings' number of workers, found by the workers through Service Connect.

    Args:
        role: what `load_role` made.
        after: what must be there before the first task starts, and until the last has gone.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        settings: Settings,
        network: Network,
        endpoints: Endpoints,
        roles: Roles,
        role: IamRole,
        logs: Logs,
        service: Service,
        gateway: Gateway,
        image_uri: str,
        after: Sequence[ITerraformDependable],
    ) -> None:
        super().__init__(scope, id)
        self._settings, self._network, self._roles, self._logs = settings, network, roles, logs
        self._service, self._role, self._image_uri, self._after = service, role, image_uri, [*after]
        self._subnet_ids = self._public_subnets()
        self._group = security_group(self, "load", settings.name, network.vpc_id, "Load fleet")
        purpose = "To the API, and to AWS where the VPC has no endpoint"
        self._after.append(way_out(self, "requests-out", self._group, 443, purpose, cidr_ipv4="0.0.0.0/0"))
        # The VPC's names of AWS's services lead to the endpoints from these subnets too.
        self._after.append(way_in(self, "calls-in", self._group, endpoints.group, 443))
        self._after += connect(self, "reports", self._group, self._group, MASTER_PORT)
        if settings.authorization == "AWS_IAM":
            invoke = document([allow(["execute-api:Invoke"], [f"{gateway.api.execution_arn}/*"])])
            IamRolePolicy(self, "invoke", name="invoke", role=role.name, policy=invoke)

        master = self._run(
            "master",
            ["--master", "--web-host", "127.0.0.1", "--host", gateway.url],
            size=(MASTER_CPU, MASTER_MEMORY),
            count=1,
            alias=f"{settings.name}-load",
            after=[],
        )
        self._run(
            "workers",
            ["--worker", "--master-host", f"{settings.name}-load"],
            size=(CPU, MEMORY),
            count=settings.load_fleet,
            alias="",
            after=[master.rolled_out],
        )
        self.web_ui = _port_forward(settings.region, service.cluster.name, master.name)

    def _public_subnets(self) -> list[str]:
        settings, vpc_id = self._settings, self._network.vpc_id
        way_out = InternetGateway(self, "internet", vpc_id=vpc_id, tags={"Name": f"{settings.name}-load"})
        routes = RouteTable(self, "routes", vpc_id=vpc_id, tags={"Name": f"{settings.name}-load"})
        out = Route(self, "out", route_table_id=routes.id, destination_cidr_block="0.0.0.0/0", gateway_id=way_out.id)
        # The internet gateway cannot go while tasks have addresses by it.
        self._after.append(out)
        ids = []
        # The private subnets have the first sixteenths, at most six.
        ranges = list(ipaddress.IPv4Network(settings.vpc_cidr).subnets(prefixlen_diff=4))[8:]
        for zone, cidr in zip(settings.zones, ranges, strict=False):
            subnet = Subnet(
                self,
                f"public-{zone[-1]}",
                vpc_id=vpc_id,
                availability_zone=zone,
                cidr_block=str(cidr),
                tags={"Name": f"{settings.name}-load-{zone}"},
            )
            routed = RouteTableAssociation(self, f"routes-{zone[-1]}", route_table_id=routes.id, subnet_id=subnet.id)
            self._after.append(routed)
            ids.append(subnet.id)
        return ids

    def _run(
        self,
        id: str,
        arguments: Sequence[str],
        size: tuple[str, str],
        count: int,
        alias: str,
        after: Sequence[ITerraformDependable],
    ) -> Service:
        settings = self._settings
        cpu, memory = size
        task = EcsTaskDefinition(
            self,
            f"{id}-task",
            family=f"{settings.name}-load-{id}",
            cpu=cpu,
            memory=memory,
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform=EcsTaskDefinitionRuntimePlatform(
                cpu_architecture=settings.architecture, operating_system_family="LINUX"
            ),
            execution_role_arn=self._roles.execution.arn,
            task_role_arn=self._role.arn,
            container_definitions=json.dumps([self._container(arguments, listens=bool(alias))]),
            lifecycle=AFTER_THE_NEXT,
        )
        return Service(
            self,
            id,
            ServiceProps(
                name=f"{settings.name}-load-{id}",
                cluster=self._service.cluster,
                task_definition=task,
                subnet_ids=self._subnet_ids,
                security_group_ids=[self._group.id],
                proxy_log=log_options(self._logs.proxy.name, settings.region, f"load-{id}"),
                endpoint=Endpoint(port_name=CONTAINER, name=alias, port=MASTER_PORT) if alias else None,
                desired_count=count,
                # One master: a second beside it would take half of the workers.
                minimum_percent=0,
                maximum_percent=100,
                # The port forward to the web UI is a session of ECS Exec.
                execute_command=bool(alias),
                public_ip=True,
                # After the service, so that a destroy waits for Cloud Map to drop this one too before the namespace.
                after=[self._service.service, *self._roles.policies, *self._after, *after],
            ),
        )

    def _container(self, arguments: Sequence[str], listens: bool) -> dict[str, object]:
        settings = self._settings
        environment = {"LOAD_AUTHORIZATION": settings.authorization, "LOAD_REGION": settings.region}
        definition: dict[str, object] = {
            "name": CONTAINER,
            "image": self._image_uri,
            "essential": True,
            "command": list(arguments),
            "environment": [{"name": name, "value": environment[name]} for name in sorted(environment)],
            # ECS Exec writes into the container, and a run its results.
            "readonlyRootFilesystem": False,
            "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": log_options(self._logs.service.name, settings.region, "load"),
            },
            "user": "10001:10001",
        }
        if listens:
            definition["portMappings"] = [{"name": CONTAINER, "containerPort": MASTER_PORT, "protocol": "tcp"}]
        return definition


def _port_forward(region: str, cluster: str, service: str) -> str:
    """Shell lines that make the master's web UI appear at http://localhost:8089.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-sessions-start.html
    """
    ecs = f"aws ecs %s --region {region} --cluster {cluster} --output text"
    task = f"{ecs % 'list-tasks'} --service-name {service} --query 'taskArns[0]'"
    runtime = (
        f"""{ecs % "describe-tasks"} --tasks "$task" --query "tasks[0].containers[?name=='{CONTAINER}'].runtimeId" """
    )
    return (
        f"task=$({task}); runtime=$({runtime.strip()}); aws ssm start-session --region {region} --target"
        f' "ecs:{cluster}_$(basename "$task")_$runtime" --document-name AWS-StartPortForwardingSession'
        f" --parameters portNumber={WEB_PORT},localPortNumber={WEB_PORT}"
    )
