"""The VPC endpoints: the tasks' only way to AWS, each open to no more than they use it for.

Which ones: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html and
https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.data_aws_ec2_managed_prefix_list import DataAwsEc2ManagedPrefixList
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from constructs import Construct

from serviceconnect.network import Network, TaskNetwork
from serviceconnect.policy import EXEC, PULL, READ_SECRETS, WRITE_LOGS, allow, document
from serviceconnect.security import connect, security_group, way_out
from serviceconnect.settings import Settings

__all__ = ["Caller", "Endpoints"]

# The rules for what the tasks reach at public addresses, of which AWS keeps a list.
LISTED = {"s3": ("layers-out", "To S3, for the image's layers"), "dynamodb": ("dynamodb-out", "To DynamoDB")}


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A service whose tasks call AWS, and what of it the endpoints admit.

    Args:
        exec_role_arns: the roles that may have sessions of ECS Exec.
    """

    settings: Settings
    network: TaskNetwork
    execution_role_arn: str
    task_role_arn: str
    exec_role_arns: Sequence[str]
    repository_arns: Sequence[str]
    log_group_arns: Sequence[str]


class Endpoints(Construct):
    """What the tasks reach: interface endpoints in their subnets, and S3's prefix list for the image's layers.

    `admit` makes them, for one service after the other. `group` is that of the interface endpoints.
    """

    def __init__(self, scope: Construct, id: str, settings: Settings, network: Network) -> None:
        super().__init__(scope, id)
        self._settings, self._network = settings, network
        self._made: dict[str, VpcEndpoint] = {}
        self._statements: dict[str, list[dict[str, object]]] = {}
        if settings.create_endpoints:
            self.group = security_group(self, "endpoints", settings.name, network.vpc_id, "VPC endpoints")

    def admit(self, scope: Construct, caller: Caller) -> list[ITerraformDependable]:
        """The endpoints that *caller* needs, and the rules that lead its tasks to them, which are made in *scope*.

        An endpoint that another service has already gets a longer policy.
        """
        settings, tasks = caller.settings, caller.network.group
        if not settings.create_endpoints:
            return self._existing(scope, tasks)
        ways = connect(scope, "calls", tasks, self.group, 443)
        policies = _policies(caller)
        for service in settings.interface_endpoints:
            # ECS's own have no policy here: AWS documents policies for ECS's API, but neither what the Service Connect
            # proxy asks of its agent's endpoints, nor in whose name, so that a narrow one might cut the proxy off.
            ways.append(self._endpoint(service, policies.get(service, []), self._interface))
        for service in settings.gateway_endpoints:
            endpoint = self._endpoint(service, policies[service], self._gateway)
            ways += [endpoint, _listed(scope, service, tasks, endpoint.prefix_list_id)]
        return ways

    def _endpoint(
        self, service: str, statements: Sequence[dict[str, object]], make: Callable[[str, str | None], VpcEndpoint]
    ) -> VpcEndpoint:
        allowed = self._statements.setdefault(service, [])
        allowed += [statement for statement in statements if statement not in allowed]
        policy = document(allowed) if allowed else None
        if service not in self._made:
            self._made[service] = make(service, policy)
        elif policy:
            self._made[service].policy = policy
        return self._made[service]

    def _interface(self, service: str, policy: str | None) -> VpcEndpoint:
        return VpcEndpoint(
            self,
            service.replace(".", "-"),
            vpc_id=self._network.vpc_id,
            service_name=f"com.amazonaws.{self._settings.region}.{service}",
            vpc_endpoint_type="Interface",
            private_dns_enabled=True,
            subnet_ids=self._network.subnet_ids,
            security_group_ids=[self.group.id],
            policy=policy,
            tags={"Name": f"{self._settings.name}-{service}"},
        )

    def _gateway(self, service: str, policy: str | None) -> VpcEndpoint:
        return VpcEndpoint(
            self,
            service,
            vpc_id=self._network.vpc_id,
            service_name=f"com.amazonaws.{self._settings.region}.{service}",
            vpc_endpoint_type="Gateway",
            route_table_ids=self._network.route_table_ids,
            policy=policy,
            tags={"Name": f"{self._settings.name}-{service}"},
        )

    def _existing(self, scope: Construct, tasks: SecurityGroup) -> list[ITerraformDependable]:
        """Let the tasks reach endpoints that the existing VPC has."""
        in_vpc = self._settings.vpc_cidr
        calls = way_out(scope, "calls-out", tasks, 443, "To the endpoints of the VPC", cidr_ipv4=in_vpc)
        s3 = DataAwsEc2ManagedPrefixList(scope, "s3", name=f"com.amazonaws.{self._settings.region}.s3")
        return [calls, _listed(scope, "s3", tasks, s3.id)]


def _policies(caller: Caller) -> dict[str, list[dict[str, object]]]:
    """What *caller* may do at each endpoint."""
    settings, execution_role_arn = caller.settings, caller.execution_role_arn
    # As ECR documents it, with the role as principal: a pull carries ECR's token, and whether IAM sees an
    # `aws:PrincipalArn` in it is documented nowhere.
    # https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html#ecr-vpc-endpoint-policy
    puller = {"AWS": execution_role_arn}
    pull = [
        allow(["ecr:GetAuthorizationToken"], principal=puller),
        allow(PULL, caller.repository_arns, principal=puller),
    ]
    policies = {
        "ecr.api": pull,
        "ecr.dkr": pull,
        "logs": [allow(WRITE_LOGS, [f"{arn}:*" for arn in caller.log_group_arns], by=execution_role_arn)],
        "ssmmessages": [allow(EXEC, by=arn) for arn in caller.exec_role_arns],
    }
    if caller.repository_arns:
        # The bucket in which ECR keeps layers; they are read with addresses that ECR has signed.
        layers = f"arn:aws:s3:::prod-{settings.region}-starport-layer-bucket/*"
        policies["s3"] = [allow(["s3:GetObject"], [layers], principal="*")]
    for service, action in READ_SECRETS.items():
        if settings.secrets_of(service):
            policies[service] = [allow([action], settings.secrets_of(service), by=execution_role_arn)]
    # What the service itself calls, only the service knows.
    for service in settings.extra_endpoints:
        policies[service] = [*policies.get(service, []), allow(["*"], by=caller.task_role_arn)]
    return policies


def _listed(scope: Construct, service: str, tasks: SecurityGroup, prefix_list_id: str) -> ITerraformDependable:
    id, purpose = LISTED[service]
    rule: ITerraformDependable = way_out(scope, id, tasks, 443, purpose, prefix_list_id=prefix_list_id)
    return rule
