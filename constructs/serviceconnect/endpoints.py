"""The VPC endpoints: the tasks' only way to AWS, each open to no more than they use it for.

Which ones: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html and
https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
"""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.data_aws_ec2_managed_prefix_list import DataAwsEc2ManagedPrefixList
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from constructs import Construct

from serviceconnect.network import Network
from serviceconnect.policy import EXEC, PULL, READ_SECRETS, WRITE_LOGS, allow, document
from serviceconnect.security import connect, security_group, way_out
from serviceconnect.settings import Settings

__all__ = ["Endpoints"]

# The rules for what the tasks reach at public addresses, of which AWS keeps a list.
LISTED = {"s3": ("layers-out", "To S3, for the image's layers"), "dynamodb": ("dynamodb-out", "To DynamoDB")}


class Endpoints(Construct):
    """What the tasks reach: interface endpoints in their subnets, and S3's prefix list for the image's layers.

    `all` has the endpoints and the rules that lead to them; `group` is that of the interface endpoints.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        settings: Settings,
        network: Network,
        execution_role_arn: str,
        task_role_arn: str,
        exec_role_arns: Sequence[str],
        repository_arns: Sequence[str],
        log_group_arns: Sequence[str],
    ) -> None:
        super().__init__(scope, id)
        self._settings, self._network = settings, network
        self.all: list[ITerraformDependable] = []
        if not settings.create_endpoints:
            self._use_existing()
            return

        self.group = security_group(self, "endpoints", settings.name, network.vpc_id, "VPC endpoints")
        self.all += connect(self, "calls", network.task_group, self.group, 443)
        # As ECR documents it, with the role as principal: a pull carries ECR's token, and whether IAM sees an
        # `aws:PrincipalArn` in it is documented nowhere.
        # https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html#ecr-vpc-endpoint-policy
        puller = {"AWS": execution_role_arn}
        pull = [
            allow(["ecr:GetAuthorizationToken"], principal=puller),
            allow(PULL, repository_arns, principal=puller),
        ]
        policies = {
            "ecr.api": pull,
            "ecr.dkr": pull,
            "logs": [allow(WRITE_LOGS, [f"{arn}:*" for arn in log_group_arns], by=execution_role_arn)],
            "ssmmessages": [allow(EXEC, by=arn) for arn in exec_role_arns],
        }
        if repository_arns:
            # The bucket in which ECR keeps layers; they are read with addresses that ECR has signed.
            layers = f"arn:aws:s3:::prod-{settings.region}-starport-layer-bucket/*"
            policies["s3"] = [allow(["s3:GetObject"], [layers], principal="*")]
        for service, action in READ_SECRETS.items():
            if settings.secrets_of(service):
                policies[service] = [allow([action], settings.secrets_of(service), by=execution_role_arn)]
        # What the service itself calls, only the service knows.
        for service in settings.extra_endpoints:
            policies.setdefault(service, []).append(allow(["*"], by=task_role_arn))
        for service in settings.interface_endpoints:
            # ECS's own have no policy here: AWS documents policies for ECS's API, but neither what the Service Connect
            # proxy asks of its agent's endpoints, nor in whose name, so that a narrow one might cut the proxy off.
            self._interface(service, document(policies[service]) if service in policies else None)
        for service in settings.gateway_endpoints:
            self._gateway(service, document(policies[service]))

    def _interface(self, service: str, policy: str | None) -> None:
        self.all.append(
            VpcEndpoint(
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
        )

    def _gateway(self, service: str, policy: str) -> None:
        endpoint = VpcEndpoint(
            self,
            service,
            vpc_id=self._network.vpc_id,
            service_name=f"com.amazonaws.{self._settings.region}.{service}",
            vpc_endpoint_type="Gateway",
            route_table_ids=self._network.route_table_ids,
            policy=policy,
            tags={"Name": f"{self._settings.name}-{service}"},
        )
        self.all.append(endpoint)
        self._admit(service, endpoint.prefix_list_id)

    def _use_existing(self) -> None:
        """Let the tasks reach endpoints that the existing VPC has."""
        in_vpc = self._settings.vpc_cidr
        tasks, purpose = self._network.task_group, "To the endpoints of the VPC"
        self.all.append(way_out(self, "calls-out", tasks, 443, purpose, cidr_ipv4=in_vpc))
        s3 = DataAwsEc2ManagedPrefixList(self, "s3", name=f"com.amazonaws.{self._settings.region}.s3")
        self._admit("s3", s3.id)

    def _admit(self, service: str, prefix_list_id: str) -> None:
        id, purpose = LISTED[service]
        self.all.append(way_out(self, id, self._network.task_group, 443, purpose, prefix_list_id=prefix_list_id))
