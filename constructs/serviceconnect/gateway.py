"""The gateway: an HTTP API whose VPC link finds the tasks through Cloud Map, with no load balancer between."""

from __future__ import annotations

from collections.abc import Sequence

from cdktf import ITerraformDependable
from cdktf_cdktf_provider_aws.apigatewayv2_api import Apigatewayv2Api
from cdktf_cdktf_provider_aws.apigatewayv2_integration import Apigatewayv2Integration
from cdktf_cdktf_provider_aws.apigatewayv2_route import Apigatewayv2Route
from cdktf_cdktf_provider_aws.apigatewayv2_stage import Apigatewayv2Stage
from cdktf_cdktf_provider_aws.apigatewayv2_vpc_link import Apigatewayv2VpcLink
from cdktf_cdktf_provider_aws.data_aws_service_discovery_service import DataAwsServiceDiscoveryService
from constructs import Construct

from serviceconnect.settings.gateway import GatewaySettings

__all__ = ["Gateway"]


class Gateway(Construct):
    """Routes of an HTTP API, integrated with the Cloud Map service that ECS made for Service Connect."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        settings: GatewaySettings,
        discovery_name: str,
        namespace_id: str,
        registered_by: ITerraformDependable,
        subnet_ids: Sequence[str],
        security_group_id: str,
    ) -> None:
        super().__init__(scope, id)
        api = Apigatewayv2Api(self, "api", name=settings.name, protocol_type="HTTP")
        link = Apigatewayv2VpcLink(
            self,
            "vpc-link",
            name=settings.name,
            subnet_ids=list(subnet_ids),
            security_group_ids=[security_group_id],
        )
        # ECS makes the service in Cloud Map itself and shows its ARN nowhere (aws-cdk issue 31215).
        discovered = DataAwsServiceDiscoveryService(
            self,
            "discovered",
            name=discovery_name,
            namespace_id=namespace_id,
            depends_on=[registered_by],
        )
        integration = Apigatewayv2Integration(
            self,
            "integration",
            api_id=api.id,
            integration_type="HTTP_PROXY",
            integration_method="ANY",
            integration_uri=discovered.arn,
            connection_type="VPC_LINK",
            connection_id=link.id,
            payload_format_version="1.0",
            # API Gateway puts the name of a named stage before the path; the service expects the path alone.
            request_parameters={"overwrite:path": "$request.path"},
        )
        for number, route in enumerate(settings.routes):
            Apigatewayv2Route(
                self,
                f"route-{number}",
                api_id=api.id,
                route_key=route,
                target=f"integrations/{integration.id}",
            )
        stage = Apigatewayv2Stage(self, "stage", api_id=api.id, name=settings.stage, auto_deploy=True)
        self.url = api.api_endpoint if settings.stage == "$default" else f"{api.api_endpoint}/{stage.name}"
